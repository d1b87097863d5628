"""Databases that last as long as one benchmark."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import redis

from tests.conftest import POSTGRES_URL

# Another database than the tests use, which empty theirs.
REDIS_URL = os.environ.get("KEGUI_BENCHMARK_REDIS_URL", "redis://127.0.0.1:6379/9")
KINDS = ("sqlite", "postgres")


@contextmanager
def storage(kind: str, redis_url: str = REDIS_URL) -> Iterator[tuple[Path, str, str]]:
    """Give a folder, the URL of an empty database, and the URL of its queue.

    The folder is made where the benchmark is started, because a temporary one may be in memory,
    where nothing is durable.
    """
    with TemporaryDirectory(prefix=".benchmark-", dir=Path.cwd()) as folder:
        if kind == "sqlite":
            url = f"sqlite:///{folder}/kegui.db"
            yield Path(folder), url, url
            return
        name = f"kegui_benchmark_{uuid4().hex[:12]}"
        with psycopg.connect(f"{POSTGRES_URL}/postgres", autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}".encode())
            queue = redis.Redis.from_url(redis_url)
            queue.flushdb()
            try:
                yield Path(folder), f"{POSTGRES_URL}/{name}", redis_url
            finally:
                server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
                queue.flushdb()
                queue.close()
