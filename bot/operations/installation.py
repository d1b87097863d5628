"""What this installation is: its version, its database, what that still needs."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from peewee import PostgresqlDatabase

from bot import migrations
from bot.db import database
from config.settings import Settings


@dataclass(frozen=True)
class Installation:
    """``pending`` are the migrations that the database still needs."""

    kegui: str
    python: str
    database: str
    newest_migration: str
    pending: list[str]
    is_beside_sandbox: bool


def installation(settings: Settings) -> Installation:
    """Return what runs here."""
    names = sorted(path.stem for path in migrations.DIRECTORY.glob("[0-9]*.py"))
    return Installation(
        kegui=_version(),
        python=platform.python_version(),
        database="PostgreSQL" if isinstance(database.obj, PostgresqlDatabase) else "SQLite",
        newest_migration=names[-1],
        pending=migrations.pending(),
        is_beside_sandbox=settings.sandbox,
    )


def _version() -> str:
    try:
        return version("kegui")
    except PackageNotFoundError:
        return ""
