"""Read what WeCom answers: leniently, once, where it enters, so that an odd record stops nobody.

Nicknames hold whatever a phone let people type: raw control characters, half an emoji, NUL. Such a
character is replaced by U+FFFD, which stays visible wherever the name is shown. Where a list is
expected there may be null or nothing, and of a row only a part.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from bot.legible import is_legible, legible

log = structlog.get_logger(__name__)

# What an INTEGER column of either database holds.
MOST = 2**31 - 1
NAME_CHARACTERS = 255
STATE_CHARACTERS = 64


def parse(content: bytes) -> tuple[Any, bool]:
    """Return the JSON of an answer, and whether characters of it had to be replaced.

    Raises:
        ValueError: it is no JSON even so.
    """
    try:
        written, is_broken = content.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        written, is_broken = content.decode("utf-8-sig", errors="replace"), True
    # strict=False: control characters may stand in a text as they are.
    answer = json.loads(written, strict=False)
    # Most answers hold neither odd characters nor escapes: they need no second look.
    if is_legible(written) and "\\u" not in written:
        return answer, is_broken
    mended = _mended(answer)
    return mended, is_broken or mended != answer


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {legible(name): _mended(one) for name, one in value.items()}
    return value


def text(row: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a text; what is no text there is the default."""
    return _text(row.get(name)) or default


def name_in(row: Mapping[str, Any]) -> str:
    """Return the name of something, not longer than its column."""
    return text(row, "name")[:NAME_CHARACTERS]


def number(row: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return a number that fits into a column; what is none there is the default."""
    return _number(row.get(name), default)


def numbers(row: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """Return a list of numbers, 0 in the place of what is none."""
    return tuple(_number(one, 0) for one in _listed(row, name))


def texts(row: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a list."""
    return [found for one in _listed(row, name) if (found := _text(one))]


def part(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object inside; what is none there is empty."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def rows(row: Mapping[str, Any], name: str, *needed: str) -> Iterator[dict[str, Any]]:
    """Give the objects of a list; one without the texts that it needs is left out, with a log
    line.

    Args:
        needed: names; ``outer.inner`` is a text of an object inside.
    """
    for one in _listed(row, name):
        if isinstance(one, dict) and all(_has(one, field) for field in needed):
            yield one
        else:
            log.warning("wecom_row_left_out", list=name, needs=needed)


def _has(row: Mapping[str, Any], name: str) -> bool:
    outer, _, inner = name.rpartition(".")
    return bool(text(part(row, outer) if outer else row, inner))


def _listed(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    # A userid of digits may come as a number.
    return str(value) if type(value) is int else ""


def _number(value: Any, default: int) -> int:
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return found if abs(found) <= MOST else default
