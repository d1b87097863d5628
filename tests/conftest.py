"""Real databases and queues for the tests: SQLite always, PostgreSQL and Redis where they run.

``KEGUI_REQUIRE_SERVICES=1`` makes a missing service a failure instead of a skip.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import flask
import jinja2
import psycopg
import pytest
import redis
import structlog

from bot import capabilities, db, migrations  # noqa: F401 - it teaches all words
from bot.models import TABLES
from bot.models.granting import PURPOSE, mac_key
from bot.vault import Vault

POSTGRES_URL = os.environ.get("KEGUI_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432")
# Of the parallel processes of a run each has a Redis database of its own.
PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
REDIS_URL = os.environ.get("KEGUI_TEST_REDIS_URL", f"redis://127.0.0.1:6379/{13 - PROCESS}")


@pytest.fixture(scope="session", autouse=True)
def _loggers_are_not_kept() -> Iterator[None]:
    """A program keeps its loggers as they are at first use; here each test may look into them."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            structlog,
            "configure",
            lambda *given, **more: configure(*given, **more | {"cache_logger_on_first_use": False}),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _what_is_written_need_not_survive() -> Iterator[None]:
    """No test takes the power away: the processes that stories start keep waiting for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(db.SQLITE_PRAGMAS, "synchronous", "off")
        yield


class _CompiledTemplates(jinja2.BytecodeCache):
    """What the templates were compiled to, for all applications that a test run makes."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        if bucket.key in self._codes:
            bucket.bytecode_from_string(self._codes[bucket.key])

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        self._codes[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once() -> Iterator[None]:
    """Nearly every test of the console makes an application, and each would compile its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flask.Flask, "jinja_options", {"bytecode_cache": _CompiledTemplates()})
        yield


# The key of most tests: 32 zeros.
DATA_KEY = "A" * 43 + "="


@pytest.fixture(scope="session", autouse=True)
def _rows_are_signed() -> None:
    """Rows that grant access are written and read with the key that most tests have."""
    mac_key.use(lambda: Vault(DATA_KEY).key(PURPOSE))


@pytest.fixture(autouse=True)
def _rows_are_signed_again(_rows_are_signed: None) -> Iterator[None]:
    """A test may have connected with a key of its own."""
    yield
    mac_key.use(lambda: Vault(DATA_KEY).key(PURPOSE))


def missing_service(name: str) -> NoReturn:
    """Skip on a laptop, fail where the services are promised."""
    if os.environ.get("KEGUI_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{name} is not there, and KEGUI_REQUIRE_SERVICES=1 asks for it")
    pytest.skip(f"{name} is not there")


def in_thread(act: Callable[[], Any]) -> "Future[Any]":
    """Let another thread act on a connection of its own."""

    def connected() -> Any:
        with db.connection():
            return act()

    pool = ThreadPoolExecutor(1)
    done = pool.submit(connected)
    pool.shutdown(wait=False)
    return done


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / "kegui.db"
    made = db.connect(f"sqlite:///{path}")
    migrations.up()
    made.close_all()
    return path


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test run's own."""
    try:
        server = psycopg.connect(f"{POSTGRES_URL}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        missing_service("PostgreSQL")
    name = f"kegui_test_{uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {name}".encode())
    url = f"{POSTGRES_URL}/{name}"
    made = db.connect(url)
    migrations.up()
    made.close_all()
    yield url
    server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    server.close()


@pytest.fixture
def ascii_url(postgres_database: str) -> Iterator[str]:
    """The URL of a PostgreSQL database whose encoding is not UTF8."""
    name = f"kegui_test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_database, autocommit=True) as server:
        encoding = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        server.execute(f"CREATE DATABASE {name} {encoding}".encode())
        yield f"{POSTGRES_URL}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of a fresh SQLite database."""
    shutil.copy(migrated_sqlite, tmp_path / "kegui.db")
    return f"sqlite:///{tmp_path / 'kegui.db'}"


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The URL of an empty PostgreSQL database."""
    with psycopg.connect(postgres_database, autocommit=True) as server:
        # Triggers keep proposals from being removed.
        server.execute("SET session_replication_role = replica")
        # TRUNCATE would make new files for all tables, of which a test fills a few.
        for model in TABLES:
            server.execute(f'DELETE FROM "{model._meta.table_name}"'.encode())
        server.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)"
            " FROM pg_sequences"
            " WHERE last_value IS NOT NULL AND sequencename <> 'schema_migration_id_seq'"
        )
    return postgres_database


@pytest.fixture
def redis_url() -> str:
    """The URL of an empty Redis database."""
    try:
        client = redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3)
        client.flushdb()
    except redis.ConnectionError:
        missing_service("Redis")
    client.close()
    return REDIS_URL


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases, one after the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def store(database_url: str) -> Iterator[str]:
    """The models' database, empty, with a connection held; gives its URL."""
    made = db.connect(database_url)
    with db.connection():
        yield database_url
    made.close_all()
    # A thread that outlives its test must fail, rather than open a connection for nobody.
    db.database.initialize(None)


@pytest.fixture
def queue_url(request: pytest.FixtureRequest, database_url: str) -> str:
    """The embedded queue beside SQLite, Redis beside PostgreSQL."""
    if database_url.startswith("sqlite"):
        return database_url
    return str(request.getfixturevalue("redis_url"))
