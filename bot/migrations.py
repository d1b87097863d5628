"""Bring the database to the shape that this version needs."""

from pathlib import Path

from peewee import PostgresqlDatabase
from playhouse.migrations import Runner

from bot import owner
from bot.db import connection, database, encoding

DIRECTORY = Path(__file__).resolve().parent.parent / "migrations"


class WrongEncoding(Exception):
    """The database cannot hold every name; the text says what to do."""


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


def down(target: str | None = None) -> list[str]:
    """Take back the last migration, or all down to ``target``; returns the names.

    Raises:
        UnsafeSchema: others have put something into the schema, or may.
    """
    with connection():
        if isinstance(database.obj, PostgresqlDatabase):
            owner.check(database.connection())
        return list(_runner().down(target))


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
