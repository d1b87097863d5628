"""Bring the database to the shape that this version needs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peewee import PostgresqlDatabase, SqliteDatabase
from playhouse.migrations import Runner

from bot import owner
from bot.db import connection, database, encoding

DIRECTORY = Path(__file__).resolve().parent.parent / "migrations"


class WrongEncoding(Exception):
    """The database cannot hold every name; the text says what to do."""


class RowsWouldGo(Exception):
    """To take the migration back would delete tables with rows: ``rows`` in each."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        super().__init__(", ".join(f"{table} ({number} rows)" for table, number in rows.items()))
        self.rows = rows


def up() -> list[str]:
    """Apply what is pending, in order; returns the names.

    On PostgreSQL nobody but the role that does this may make anything in its schema afterwards,
    and the queue has a schema of its own.

    Raises:
        WrongEncoding: the database's encoding is not UTF8.
        UnsafeSchema: others have put something into the schema, or may.
    """
    with connection():
        if (found := encoding()) != "UTF8":
            raise WrongEncoding(
                f"the database's encoding is {found}, which cannot hold every name:"
                " make it anew with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        is_postgres = isinstance(database.obj, PostgresqlDatabase)
        if is_postgres:
            owner.close_schema(database.connection())
        done = list(_runner().up())
        if is_postgres:
            owner.make_queue_schema(database.connection())
        return done


def down(target: str | None = None, *, with_rows: bool = True) -> list[str]:
    """Take back the last migration, or all down to ``target``; returns the names.

    Args:
        with_rows: False: take nothing back if a table would go that has rows.

    Raises:
        RowsWouldGo: such a table is there; nothing was taken back.
        UnsafeSchema: others have put something into the schema, or may.
    """
    with connection():
        if isinstance(database.obj, PostgresqlDatabase):
            owner.check(database.connection())
        if with_rows:
            return list(_runner().down(target))
        # What goes is seen only by letting it go, and taking that back.
        before = {table for table in tables() if _has_rows(table)}
        with _undone():
            _runner().down(target)
            full = before.difference(tables())
        if full:
            raise RowsWouldGo({table: _count(table) for table in sorted(full)})
        return list(_runner().down(target))


def tables() -> set[str]:
    """Name the tables there are; those in which SQLite keeps an index of words are none."""
    found = set(database.get_tables())
    if isinstance(database.obj, SqliteDatabase):
        query = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
        for (index,) in database.execute_sql(query).fetchall():
            found = {name for name in found if name != index and not name.startswith(f"{index}_")}
    return found


@contextmanager
def _undone() -> Iterator[None]:
    """Take back all that the block does to the database."""
    is_sqlite = isinstance(database.obj, SqliteDatabase)
    # Not possible inside a transaction, and without it dropping a table deletes rows of others.
    keys_checked = is_sqlite and database.obj.pragma("foreign_keys")
    if keys_checked:
        database.obj.pragma("foreign_keys", 0)
    try:
        with database.atomic() as made:
            yield
            made.rollback()
    finally:
        if keys_checked:
            database.obj.pragma("foreign_keys", 1)


def _has_rows(table: str) -> bool:
    return bool(_value(f'SELECT EXISTS (SELECT 1 FROM "{table}")'))  # noqa: S608 - our own tables


def _count(table: str) -> int:
    return int(_value(f'SELECT count(*) FROM "{table}"'))  # noqa: S608 - our own tables


def _value(sql: str) -> Any:
    return database.execute_sql(sql).fetchone()[0]


def last() -> str | None:
    """Name the migration that ``down`` would take back."""
    with connection():
        applied = [one.name for one in _runner().status() if one.applied is not None]
    return applied[-1] if applied else None


def pending() -> list[str]:
    """Name the migrations that this version has and the database has not."""
    with connection():
        return [one.name for one in _runner().status() if one.applied is None]


def _runner() -> Runner:
    return Runner(database.obj, str(DIRECTORY))
