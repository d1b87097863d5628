"""The stories run twice: embedded, and on PostgreSQL with Redis; one running stack for all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis

from tests.conftest import POSTGRES_URL, REDIS_URL, missing_service
from tests.stack import Stack, running_stack, until

# The sandbox minds no haste.
QUICK = {
    "API_PER_SECOND": "500",
    "API_PARALLEL": "20",
    "WELCOME_PARALLEL": "16",
    "TRANSFER_POLL_SECONDS": "0.5",
}


@pytest.fixture(
    scope="package", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """All of Kegui, running for all stories that leave it as it was."""
    folder = tmp_path_factory.mktemp("stack")
    with own_database(request.param, folder) as url:
        queue_url = url if request.param == "sqlite" else empty_redis()
        with running_stack(folder, url, queue_url, **QUICK) as stack:
            until(lambda: stack.try_command("sync"))
            yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """All of Kegui, with the corporation as it was at the beginning.

    What Kegui remembers stays from story to story: each has customers of its own.
    """
    running.begin()
    return running


@contextmanager
def own_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a new database that no other test knows, nor empties."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/kegui.db"
        return
    try:
        server = psycopg.connect(f"{POSTGRES_URL}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        missing_service("PostgreSQL")
    with server:
        name = f"kegui_story_{uuid4().hex[:12]}"
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield f"{POSTGRES_URL}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def empty_redis() -> str:
    """Give the URL of an empty Redis."""
    try:
        client = redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3)
        client.flushdb()
    except redis.ConnectionError:
        missing_service("Redis")
    client.close()
    return REDIS_URL
