"""The database: one pooled connection per thread of work, SQLite or PostgreSQL."""

import select
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import peewee
import psycopg
from playhouse.db_url import parse
from playhouse.pool import PooledDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase

from bot import clock, owner, private

database = peewee.DatabaseProxy()

# Two web processes, a worker and the clock stay below the 100 that PostgreSQL takes by default.
POOL_SIZE = 20
POOL_WAIT_SECONDS = 20
# A host behind a cut cable says nothing, and TCP would go on hoping for a quarter of an hour. Below
# the clock's lease, so that a leader that reaches nobody gives up at once.
POSTGRES_LINE = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8_000,
}
# The server, for its part, lets go of what a lost host has locked. No call to the outside is made
# inside a transaction, so none is idle for long. It compiles no statement: it believes that those
# which ask row by row take seconds, and compiles for longer than they do. And it plans each with
# its values: a plan for any text to look for is a bad one for a rare name.
POSTGRES_SESSION = {
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    # An answered callback must survive a power cut: WAL alone would sync at checkpoints only.
    "synchronous": "full",
    "foreign_keys": 1,
    "busy_timeout": 20_000,
}


DISK_FULL = "53100"
# No connection, undone for another's sake, out of resources, ended by an operator:
# postgresql.org/docs/current/errcodes-appendix.html.
AWAY_CLASSES = ("08", "40", "53", "57")
AWAY_IN_SQLITE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
)
# So soon it is worth asking again.
RETRY_SECONDS = 5


class PostgresPool(PooledPostgresqlDatabase):  # type: ignore[misc]
    """The pool, with a check of idle connections that asks nobody."""

    def _is_closed(self, conn: Any) -> bool:
        # There is nothing to read from an idle connection unless the server hung up. playhouse's
        # own check is a statement, made under the lock for which all other threads wait.
        if conn.closed:
            return True
        idle = select.poll()
        idle.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        if not idle.poll(0):
            return False
        # playhouse drops it without a word to the driver, which would keep the socket.
        conn.close()
        return True


class OwnerPool(PostgresPool):
    """The pool of the role that owns the tables, which runs nothing that others made."""

    def _connect(self) -> Any:
        made = super()._connect()
        owner.pin(made)
        return made


class SqlitePool(PooledSqliteDatabase):  # type: ignore[misc]
    """The pool of a file that only its owner may read; what SQLite puts beside it is as it is."""

    def _connect(self) -> Any:
        beside = [Path(f"{self.database}{ending}") for ending in ("-wal", "-shm")]
        # What cannot be made or changed SQLite cannot open either, and says so in its own way.
        with suppress(OSError):
            for path in (Path(self.database), *(one for one in beside if one.exists())):
                private.keep(path)
        return super()._connect()


class UTCDateTimeField(peewee.Field):
    """A moment in UTC; SQLite keeps it as text that sorts as time does."""

    field_type = "TIMESTAMPTZ"

    def db_value(self, value: datetime | None) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")

    def python_value(self, value: str | datetime | None) -> datetime | None:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


class PairsField(peewee.Field):
    """A set of 32-bit numbers: an array on PostgreSQL, packed bytes on SQLite."""

    field_type = "PAIRS"

    def db_value(self, value: "Sequence[int] | None") -> "list[int] | bytes | None":
        if value is None:
            return None
        if isinstance(database.obj, peewee.PostgresqlDatabase):
            return list(value)
        return array("i", value).tobytes()

    def python_value(self, value: "bytes | list[int] | None") -> "list[int] | None":
        if value is None or isinstance(value, list):
            return value
        return array("i", bytes(value)).tolist()


# What each database calls the kinds of columns of our own.
POSTGRES_TYPES = {"PAIRS": "INTEGER[]"}
SQLITE_TYPES = {"PAIRS": "BLOB"}


def insert_rows(model: "type[Model]", rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows in one statement that is prepared once: peewee writes each value anew."""
    if not rows:
        return
    fields = [model._meta.fields[name] for name in rows[0]]
    names = ", ".join(f'"{field.column_name}"' for field in fields)
    is_postgres = isinstance(database.obj, peewee.PostgresqlDatabase)
    values = ", ".join(["%s" if is_postgres else "?"] * len(fields))
    statement = f'INSERT INTO "{model._meta.table_name}" ({names}) VALUES ({values})'  # noqa: S608 - our own names
    execute_many(
        statement,
        [tuple([field.db_value(row[field.name]) for field in fields]) for row in rows],
    )


def execute_many(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute a statement once for each row, in the open transaction."""
    with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
        database.cursor().executemany(statement, rows)


def is_over(until: peewee.Field, now: datetime) -> peewee.Expression:
    """Return the SQL of a lease, taken until that moment, that ``clock.holds`` no more."""
    over: peewee.Expression = (until < now) | (until > now + clock.MOST_AHEAD)
    return over


def is_full(error: peewee.PeeweeException) -> bool:
    """Whether the database could not write because its disk has no room left.

    Each driver says it in its own way, and peewee keeps the driver's error in its own:
    sqlite.org/rescode.html#full, postgresql.org/docs/current/errcodes-appendix.html (53100).
    """
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        # SQLite has ended the transaction by itself, and the driver objects to ending it again.
        why: BaseException | None = error
        while why is not None:
            # What the driver itself objects to, and not SQLite, has no code.
            for one in (why, getattr(why, "orig", None)):
                if getattr(one, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                    return True
            why = why.__context__
        return False
    return getattr(cause, "sqlstate", None) == DISK_FULL


def is_away(error: peewee.PeeweeException) -> bool:
    """Whether the database was not reached or too busy, so that the same may go well soon."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        # The lowest byte is the kind: sqlite.org/rescode.html#primary_result_codes.
        return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in AWAY_IN_SQLITE
    if not isinstance(cause, psycopg.OperationalError):
        return False
    # Who gets no connection, or loses it, hears of no code.
    return cause.sqlstate is None or cause.sqlstate[:2] in AWAY_CLASSES


def is_unreadable(error: Exception) -> bool:
    """Whether a driver could not make a value of what stands in a row."""
    cause = getattr(error, "orig", error)
    if isinstance(cause, sqlite3.Error):
        # What is no text; of everything else SQLite itself gives a code.
        return getattr(cause, "sqlite_errorcode", None) is None
    values = (ArithmeticError, RecursionError, TypeError, ValueError, psycopg.DataError)
    return isinstance(cause, values)


def is_one_of(field: peewee.Field, values: Sequence[Any]) -> Any:
    """Return the SQL of a field that has one of many values: PostgreSQL takes them as one."""
    if isinstance(database.obj, peewee.PostgresqlDatabase):
        return field == peewee.fn.ANY(peewee.Value(list(values), converter=False, unpack=False))
    return field.in_(values)


class Model(peewee.Model):
    """The base of all that Kegui remembers."""

    class Meta:
        database = database
        legacy_table_names = False


def connect(url: str, *, as_owner: bool = False) -> PooledDatabase:
    """Make the database of ``url`` the one that models use, without opening it.

    Args:
        url: ``sqlite:///path`` (relative to the working directory) or ``postgresql://...``.
        as_owner: the role of ``url`` owns the tables, and others use them.

    Raises:
        ValueError: the scheme is neither of the two.
    """
    made = _make(url, OwnerPool if as_owner else PostgresPool)
    database.initialize(made)
    return made


def _make(url: str, postgres: type[PostgresPool]) -> PooledDatabase:
    pool: dict[str, Any] = {
        "max_connections": POOL_SIZE,
        "timeout": POOL_WAIT_SECONDS,
        "autoconnect": False,
    }
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        path = parse(url)["database"]
        private.make_folder(Path(path).parent)
        return SqlitePool(
            path,
            pragmas=SQLITE_PRAGMAS,
            check_same_thread=False,
            field_types=SQLITE_TYPES,
            **pool,
        )
    if scheme in ("postgresql", "postgres"):
        options = parse(url, unquote_password=True, unquote_user=True)
        pool["field_types"] = POSTGRES_TYPES
        options = {**POSTGRES_LINE, "options": session_options(POSTGRES_SESSION), **options}
        return postgres(options.pop("database"), prefer_psycopg3=True, **options, **pool)
    raise ValueError("KEGUI_DATABASE_URL must begin with sqlite:/// or postgresql://")


def now() -> datetime:
    """Return the database's own time: what several hosts agree on must not hang on their clocks.

    SQLite has no host but ours.
    """
    if isinstance(database.obj, peewee.PostgresqlDatabase):
        moment: datetime = database.execute_sql("SELECT clock_timestamp()").fetchone()[0]
        return moment.astimezone(UTC)
    return clock.now()


def encoding() -> str:
    """Return the encoding of the database as the server calls it: ``UTF8`` can hold every name."""
    if isinstance(database.obj, peewee.PostgresqlDatabase):
        return str(database.connection().info.parameter_status("server_encoding"))
    return "UTF8"


def session_options(settings: Mapping[str, str]) -> str:
    """Return PostgreSQL's settings in the form in which a connection asks for them."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


@contextmanager
def connection() -> Iterator[None]:
    """Hold a connection for the block; inside a block that holds one, use that."""
    opened = database.connect(reuse_if_open=True)
    try:
        yield
    finally:
        if opened:
            database.close()


def close() -> None:
    """Give the thread's connection back to the pool."""
    if not database.is_closed():
        database.close()


@contextmanager
def released() -> Iterator[None]:
    """Give the connection back while the block waits for somebody outside.

    Raises:
        RuntimeError: a transaction is open: no call to WeCom may be made inside one.
    """
    if database.in_transaction():
        raise RuntimeError("a call to the outside was made inside a database transaction")
    held = database.close()
    try:
        yield
    finally:
        if held:
            database.connect(reuse_if_open=True)


def locked(query: "peewee.ModelSelect[Any]") -> "peewee.ModelSelect[Any]":
    """Let nobody change what the query gives before the transaction ends: what is read may then
    be written. On SQLite the transaction has locked all."""
    return query.for_update() if isinstance(database.obj, peewee.PostgresqlDatabase) else query


@contextmanager
def transaction() -> Iterator[None]:
    """Commit the block as one; on SQLite take the write lock at once, so that it cannot be
    refused half way by another writer."""
    if isinstance(database.obj, peewee.SqliteDatabase) and not database.in_transaction():
        with database.atomic("IMMEDIATE"):
            yield
    else:
        with database.atomic():
            yield
