"""Bring the database to the shape that this version needs."""

from pathlib import Path

from playhouse.migrations import Runner

from bot.db import connection, database

DIRECTORY = Path(__file__).resolve().parent.parent / "migrations"


def up() -> list[str]:
    """Apply what is pending, in order; returns the names."""
    with connection():
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
