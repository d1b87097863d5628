"""What a block of a test asks of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bot.db import database


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """The statements that the block sends to the database."""
    made: Any = database.obj
    sent: list[str] = []
    execute = made.execute_sql

    def execute_sql(sql: str, *arguments: Any, **options: Any) -> Any:
        sent.append(sql)
        return execute(sql, *arguments, **options)

    made.execute_sql = execute_sql
    try:
        yield sent
    finally:
        del made.execute_sql
