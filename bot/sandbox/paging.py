"""Cursors: opaque texts that end a listing when they are empty."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from bot.sandbox.errors import Refusal
from bot.sandbox.switches import Switches

T = TypeVar("T")


def page(rows: Sequence[T], cursor: str, limit: int, switches: Switches) -> tuple[list[T], str]:
    """Return one page and the next cursor.

    A page may be shorter than asked for, or even empty, while more is to come: two switches
    make it so.

    Raises:
        Refusal: 50100 for a cursor that was never given out.
    """
    if switches.empty_pages and not cursor and rows:
        return [], _encode(0)
    start = _decode(cursor) if cursor else 0
    if switches.page_rows:
        limit = min(limit, switches.page_rows)
    end = start + limit
    return list(rows[start:end]), _encode(end) if end < len(rows) else ""


def _encode(start: int) -> str:
    return base64.urlsafe_b64encode(f"sandbox:{start}".encode()).decode()


def _decode(cursor: str) -> int:
    try:
        name, _, start = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Refusal(50100) from None
    if name != "sandbox" or not start.isdigit():
        raise Refusal(50100)
    return int(start)
