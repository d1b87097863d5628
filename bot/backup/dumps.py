"""The two databases as files: written while everybody writes, read back in one piece."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg
from playhouse.db_url import parse
from psycopg import pq, sql

from bot import owner, private

# What a restore is compared with, as far as the schema has it.
COUNTED = (
    "customer",
    "effect",
    "handover",
    "handover_item",
    "inbox_archive",
    "inbox_event",
    "notice",
    "ownership",
    "relation",
)
HISTORY = "schema_migration"
# Wake-ups only: the rows are the truth, and workers look for due rows themselves.
QUEUE = "kegui_queue"
# Of migrations/0008_customers.py; a database's keeper may have indexes with others.
INDEX_FUNCTION = "bigrams(text)"
LOCK_WAIT_SECONDS = 2
# What pg_dump and pg_restore need: themselves, the folder of ~/.pgpass, words, libpq's settings.
NEEDED = re.compile(
    "PATH|HOME|LD_LIBRARY_PATH|TMPDIR|TZ|LANG|LANGUAGE|LC_[A-Z_]+|PG[A-Z_]+|KRB5[A-Z0-9_]*"
)


class DumpError(Exception):
    """A database could not be written to a file or read from one; the text says what to do."""


@dataclass(frozen=True)
class Content:
    """What a dump holds: the migrations applied, in order, and how many rows some tables have."""

    migrations: tuple[str, ...]
    rows: Mapping[str, int]


class Store(Protocol):
    """A database that can be dumped and loaded."""

    kind: str
    dump_name: str

    def check_there(self) -> None:
        """See that there is a database of Kegui's to dump.

        Raises:
            DumpError: there is none, or it cannot be reached.
        """

    def dump(self, path: Path) -> Content:
        """Write a consistent copy to ``path``, an empty file, while others write.

        Raises:
            DumpError: it could not be written whole.
        """

    def check_dump(self, path: Path) -> None:
        """See that ``path`` is whole and fits this database.

        Raises:
            DumpError: it is damaged, or of another schema than the database's.
        """

    def check_alone(self) -> None:
        """See that nobody uses the database.

        Raises:
            DumpError: somebody does, or it cannot be reached.
        """

    def has_data(self) -> bool:
        """Whether any table has a row.

        Raises:
            DumpError: it is not a database of Kegui.
        """

    def load(self, path: Path, finish: Callable[[str], None]) -> None:
        """Put the dump in the place of all that is there.

        Args:
            finish: is given the URL of the loaded database, to do what it needs before use.

        Raises:
            DumpError: it could not be loaded.
        """


def store(url: str) -> Store:
    """Return the database of ``url``.

    Raises:
        ValueError: it is neither SQLite nor PostgreSQL.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return SqliteFile(url)
    if scheme in ("postgresql", "postgres"):
        return PostgresDatabase(url)
    raise ValueError("KEGUI_DATABASE_URL must begin with sqlite:/// or postgresql://")


class SqliteFile:
    """SQLite: one file, copied by SQLite's own online backup."""

    kind = "sqlite"
    dump_name = "kegui.sqlite3"

    def __init__(self, url: str) -> None:
        self._path = Path(parse(url)["database"])

    def check_there(self) -> None:
        if not self._path.is_file():
            raise DumpError(f"there is no database {self._path}: look at KEGUI_DATABASE_URL")
        with _sqlite_errors(), closing(_open(self._path, "rw")) as source:
            _check_history(_tables(source))

    def dump(self, path: Path) -> Content:
        with (
            _sqlite_errors(),
            closing(_open(self._path, "rw")) as source,
            closing(sqlite3.connect(path)) as copy,
        ):
            # In one step: one snapshot, and under WAL no writer waits for it.
            source.backup(copy, pages=-1)
            # The copy is a single file, without a log beside it.
            copy.execute("PRAGMA journal_mode = delete")
        self.check_dump(path)
        with _sqlite_errors(), closing(_open(path, "ro")) as copy:
            applied = copy.execute(f"SELECT name FROM {HISTORY} ORDER BY name")  # noqa: S608
            return Content(
                tuple(name for (name,) in applied),
                {table: _count(copy, table) for table in _counted(_tables(copy))},
            )

    def check_dump(self, path: Path) -> None:
        damaged = "the dump is damaged: take another backup"
        with _sqlite_errors(damaged), closing(_open(path, "ro")) as copy:
            [answer] = copy.execute("PRAGMA integrity_check(1)").fetchone()
            orphan = copy.execute("PRAGMA foreign_key_check").fetchone()
        if answer != "ok" or orphan is not None:
            raise DumpError(damaged)

    def check_alone(self) -> None:
        if not self._path.exists():
            return
        busy = f"stop web, worker and clock: somebody has {self._path} open"
        with _sqlite_errors(busy), closing(_open(self._path, "rw")) as held:
            # To leave WAL a connection must be the only one; afterwards no log is left beside.
            held.execute("PRAGMA journal_mode = delete")

    def has_data(self) -> bool:
        if not self._path.exists():
            return False
        with _sqlite_errors(), closing(_open(self._path, "ro")) as held:
            tables = _tables(held)
            _check_ours(tables)
            indexes = _full_text_indexes(held)
            return any(_count(held, table) for table in tables if table not in {HISTORY, *indexes})

    def load(self, path: Path, finish: Callable[[str], None]) -> None:
        private.make_folder(self._path.parent)
        made = self._path.with_name(self._path.name + ".restoring")
        for leftover in (made, *made.parent.glob(made.name + "-*")):
            leftover.unlink(missing_ok=True)
        with path.open("rb") as dump, private.open_file(made, "xb") as copy:
            shutil.copyfileobj(dump, copy)
        finish(f"sqlite:///{made}")
        sync(made)
        os.replace(made, self._path)
        sync(self._path.parent)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=LOCK_WAIT_SECONDS)


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in connection.execute(query)]


def _full_text_indexes(connection: sqlite3.Connection) -> list[str]:
    """What SQLite keeps for a search: it has rows before there is anything to find."""
    query = "SELECT name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')"
    return [name for (name,) in connection.execute(query)]


def _count(connection: sqlite3.Connection, table: str) -> int:
    [count] = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 - a table's own name
    return int(count)


@contextmanager
def _sqlite_errors(what_to_do: str = "") -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DumpError(what_to_do or f"SQLite: {error}") from None


class PostgresDatabase:
    """PostgreSQL: pg_dump's custom format, under one snapshot with the counts.

    The password goes to the tools through their environment, never through their arguments.
    """

    kind = "postgresql"
    dump_name = "kegui.pgdump"

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._options = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise DumpError("the database URL cannot be read: is it postgresql://...?") from None

    def check_there(self) -> None:
        with self._connect() as server:
            self._check_tool("pg_dump", server.info.server_version)
            _check_history(_pg_tables(server))

    def dump(self, path: Path) -> Content:
        with self._connect() as server:
            server.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            tables = _pg_tables(server)
            snapshot = _one(server, "SELECT pg_export_snapshot()")
            content = Content(
                tuple(
                    str(name)
                    for (name,) in server.execute(
                        sql.SQL("SELECT name FROM {} ORDER BY name").format(sql.Identifier(HISTORY))
                    )
                ),
                {table: _pg_count(server, table) for table in _counted(tables)},
            )
            self._run(
                "pg_dump",
                "--format=custom",
                "--no-owner",
                f'--schema="{_pg_schema(server)}"',
                f"--snapshot={snapshot}",
                f"--exclude-table={QUEUE}*",
                f"--file={path}",
            )
        self.check_dump(path)
        return content

    def check_dump(self, path: Path) -> None:
        contents = self._run(
            "pg_restore", "--list", str(path), why="the dump is damaged, or of a newer pg_dump"
        )
        dumped = re.findall(rf"^\d+; \d+ \d+ TABLE (.+) {HISTORY} ", contents, re.MULTILINE)
        with self._connect() as server:
            own = _pg_schema(server)
        if own not in dumped:
            raise DumpError(
                f"the dump's tables are in the schema {', '.join(dumped) or '(none)'}, and the"
                f" database URL leads to {own}: make that schema, or put it first in the role's"
                " search_path"
            )

    def check_alone(self) -> None:
        with self._connect() as server:
            self._check_tool("pg_restore", server.info.server_version)
            others = server.execute(
                "SELECT DISTINCT usename, application_name FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            ).fetchall()
        if others:
            who = ", ".join(sorted(f"{user} {name}".strip() for user, name in others))
            raise DumpError(f"stop web, worker and clock: the database is in use by {who}")

    def has_data(self) -> bool:
        with self._connect() as server:
            tables = _pg_tables(server)
            _check_ours(tables)
            return any(
                _pg_has_row(server, table)
                for table in tables
                if table != HISTORY and not table.startswith(QUEUE)
            )

    def load(self, path: Path, finish: Callable[[str], None]) -> None:
        with self._connect() as server, server.transaction():
            own, functions = _pg_schema(server), _pg_trigger_functions(server)
            for table in _pg_tables(server):
                server.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
            for function in functions:
                server.execute(f"DROP FUNCTION {function}".encode())
            quoted = sql.Identifier(own).as_string(server)
            server.execute(f"DROP FUNCTION IF EXISTS {quoted}.{INDEX_FUNCTION}".encode())
        self._run(
            "pg_restore",
            "--no-owner",
            "--exit-on-error",
            "--single-transaction",
            # Not the schema itself, which is there, and nothing that others keep in theirs.
            f"--schema={own}",
            f"--dbname={self._options.get('dbname', '')}",
            str(path),
            why="the database is empty now and the backup is whole: mend this, then repeat",
        )
        finish(self._url)

    @contextmanager
    def _connect(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=10) as server:
                owner.check(server)
                yield server
        except owner.UnsafeSchema as error:
            raise DumpError(str(error)) from None
        except psycopg.Error as error:
            cause = str(error).partition("\n")[0][:200]
            raise DumpError(f"PostgreSQL: {cause}") from None

    def _check_tool(self, tool: str, server_version: int) -> None:
        """A tool older than the server cannot read it; the same number or newer can."""
        major = server_version // 10_000
        words = self._run(tool, "--version").split()
        numbers = [word for word in words if word[0].isdigit()]
        if not numbers or int(numbers[0].partition(".")[0]) < major:
            found = numbers[0] if numbers else "of no known version"
            raise DumpError(
                f"{tool} is {found}, older than the server ({major}):"
                f" install the PostgreSQL {major} client and put it first in PATH"
            )

    def _run(self, tool: str, *arguments: str, why: str = "") -> str:
        try:
            done = subprocess.run(  # noqa: S603 - PostgreSQL's own tools, arguments without secrets
                [tool, *arguments],
                env=self._environment(),
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError:
            raise DumpError(
                f"{tool} is not there: install the PostgreSQL client and put it in PATH"
            ) from None
        if done.returncode != 0:
            cause = (done.stderr.strip().splitlines() or ["no reason given"])[0][:200]
            raise DumpError(f"{tool}: {cause}" + (f" ({why})" if why else ""))
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """Give what the tools need of our own environment, and the URL's options as the variables
        that libpq reads: no secret of Kegui's."""
        names = {
            option.keyword.decode(): option.envvar.decode()
            for option in pq.Conninfo.get_defaults()
            if option.envvar
        }
        given = {"client_encoding": "UTF8", **self._options}
        # They set it themselves; where they ever do not, they look nowhere else. Who asks for no
        # options at all has something between that refuses them.
        if given.get("options") != "":
            given["options"] = f"{given.get('options', '')} -c search_path=pg_catalog".strip()
        ours = {name: value for name, value in os.environ.items() if NEEDED.fullmatch(name)}
        return ours | {names[key]: str(value) for key, value in given.items() if key in names}


def _pg_schema(server: psycopg.Connection) -> str:
    """Name the schema in which the role makes its tables; one that has none can use none."""
    return _one(server, "SELECT current_schema()") or "(none)"


def _pg_tables(server: psycopg.Connection) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    return [str(name) for (name,) in server.execute(query)]


def _pg_trigger_functions(server: psycopg.Connection) -> list[str]:
    """Return the functions of our tables' triggers, as SQL names them."""
    query = (
        "SELECT DISTINCT pg_proc.oid::regprocedure::text FROM pg_trigger"
        " JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid"
        " WHERE relnamespace = quote_ident(current_schema())::regnamespace"
        " AND pronamespace = relnamespace AND NOT tgisinternal"
    )
    return [str(name) for (name,) in server.execute(query)]


def _pg_count(server: psycopg.Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    return int(_one(server, query))


def _pg_has_row(server: psycopg.Connection, table: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
    return bool(_one(server, query))


def _one(server: psycopg.Connection, query: "str | sql.Composed") -> str:
    row = server.execute(query if isinstance(query, sql.Composed) else query.encode()).fetchone()
    return "" if row is None else row[0]


def _counted(tables: list[str]) -> list[str]:
    return [table for table in COUNTED if table in tables]


def _check_history(tables: list[str]) -> None:
    if HISTORY not in tables:
        raise DumpError("there is nothing to back up: run `kegui migrate` first")


def _check_ours(tables: list[str]) -> None:
    """A database with tables and without our history is somebody else's: never emptied."""
    strange = [table for table in tables if not table.startswith(QUEUE)]
    if strange and HISTORY not in tables:
        raise DumpError(
            "the database holds tables that are not Kegui's: give Kegui a database of its own"
        )


def sync(path: Path) -> None:
    """Let what was written to a file, or the names in a folder, survive a power cut."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
