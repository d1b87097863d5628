"""Lists in pages: a cursor names the last thing seen, so that nothing is shown twice or skipped."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from peewee import Field as Column
from peewee import IntegerField, ModelSelect
from pydantic import BaseModel, ConfigDict, Field

from bot.api.problems import Problem, in_language

Row = TypeVar("Row")
Key = int | str | list[str]
LARGEST_ID = 2**63 - 1


class PageQuery(BaseModel):
    """Which page is asked for; a filter that does not exist is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(
        None,
        pattern="^[A-Za-z0-9_-]+$",
        max_length=2000,
        description="next_cursor of the page before",
    )
    limit: int = Field(50, ge=1, le=200)


class PageOut(BaseModel):
    """One page; ``next_cursor`` is null on the last."""

    next_cursor: str | None


def page_of_query(
    query: "ModelSelect[Any]", column: Column, asked: PageQuery, *, newest_first: bool = True
) -> tuple[list[Any], str | None]:
    """Read one page of a query in the order of a unique column; gives rows and next cursor."""
    if asked.cursor is not None:
        last = read_cursor(asked.cursor, int if isinstance(column, IntegerField) else str)
        query = query.where(column < last if newest_first else column > last)
    ordered = query.order_by(column.desc() if newest_first else column.asc())
    rows = list(ordered.limit(asked.limit + 1))
    if len(rows) <= asked.limit:
        return rows, None
    rows = rows[: asked.limit]
    return rows, make_cursor(getattr(rows[-1], column.name))


def page_of_list(
    rows: Sequence[Row], key: Callable[[Row], list[str]], asked: PageQuery
) -> tuple[list[Row], str | None]:
    """Cut one page out of rows, in the order of ``key``, which no two of them share."""
    ordered = sorted(rows, key=key)
    if asked.cursor is not None:
        last = read_cursor(asked.cursor, list)
        ordered = [row for row in ordered if key(row) > last]
    shown = ordered[: asked.limit]
    return shown, make_cursor(key(shown[-1])) if len(ordered) > len(shown) else None


def make_cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str, kind: type) -> Any:
    """Return the key in a cursor.

    Raises:
        Problem: it is not one that we made for such a list.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if _is_key(key, kind):
        return key
    message = in_language("无效", "malformed")
    raise Problem(
        422,
        "invalid-cursor",
        "cursor 无效，请原样传回上一页的 next_cursor",
        "the cursor is none of ours: send back the next_cursor of the page before",
        extra={"errors": [{"in": "query", "field": "cursor", "message": message}]},
    )


def _is_key(key: object, kind: type) -> bool:
    if kind is int:
        return type(key) is int and abs(key) <= LARGEST_ID
    if kind is str:
        return isinstance(key, str) and "\x00" not in key and key.isprintable()
    return isinstance(key, list) and all(isinstance(part, str) for part in key)
