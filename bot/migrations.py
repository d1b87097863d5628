"""Bring the database to the shape that this version needs."""

from pathlib import Path

from playhouse.migrations import Runner

from bot.db import connection, database, encoding

DIRECTORY = Path(__file__).resolve().parent.parent / "migrations"


class WrongEncoding(Exception):
    """The database cannot hold every name; the text says what to do."""


def up() -> list[str]:
    """Apply what is pending, in order; returns the names.

    Raises:
        WrongEncoding: the database's encoding is not UTF8.
    """
    with connection():
        if (found := encoding()) != "UTF8":
            raise WrongEncoding(
                f"the database's encoding is {found}, which cannot hold every name:"
                " make it anew with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        return list(_runner().up())


def down(target: str | None = None) -> list[str]:
    """Take back the last migration, or all down to ``target``; returns the names."""
    with connection():
        return list(_runner().down(target))


def pending() -> list[str]:
    """Name the migrations that this version has and the database has not."""
    with connection():
        return [one.name for one in _runner().status() if one.applied is None]


def _runner() -> Runner:
    return Runner(database.obj, str(DIRECTORY))
