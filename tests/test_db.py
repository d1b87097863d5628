"""What a database's refusal means is read from the driver's own word."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from peewee import OperationalError, ProgrammingError
from psycopg import errors

from bot import db


def refused(path: Path | str, statement: str) -> sqlite3.Error:
    """What SQLite's driver says to a statement."""
    with pytest.raises(sqlite3.Error) as raised, closing(sqlite3.connect(path, timeout=0)) as one:
        one.execute(statement)
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("connection failed"),
        errors.ConnectionTimeout("timed out"),
        errors.ConnectionFailure("lost"),
        errors.TooManyConnections("all are taken"),
        errors.AdminShutdown("closed"),
        errors.CannotConnectNow("starting"),
        errors.DeadlockDetected("another goes first"),
    ],
)
def test_postgres_is_away(error: psycopg.Error) -> None:
    assert db.is_away(OperationalError(error, *error.args))


@pytest.mark.parametrize(
    "error",
    [
        errors.UndefinedTable("no such table"),
        errors.ObjectNotInPrerequisiteState("a sequence without a value"),
        psycopg.ProgrammingError("a statement without its values"),
    ],
)
def test_a_statement_that_postgres_cannot_run_is_not_its_absence(error: psycopg.Error) -> None:
    assert not db.is_away(ProgrammingError(error, *error.args))


def test_a_file_that_another_writes_or_nobody_can_open_is_away(tmp_path: Path) -> None:
    path = tmp_path / "kegui.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        busy = refused(path, "BEGIN IMMEDIATE")
    closed = refused(tmp_path / "nowhere" / "kegui.db", "SELECT 1")

    assert db.is_away(OperationalError(busy, *busy.args))
    assert db.is_away(OperationalError(closed, *closed.args))


def test_a_statement_that_sqlite_cannot_run_is_not_its_absence() -> None:
    broken = refused(":memory:", "SELECT * FROM nothing")

    assert not db.is_away(OperationalError(broken, *broken.args))
    assert not db.is_away(OperationalError("of peewee's own"))
