"""What managers set for a member, as they write it: checked, and made what is kept."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta, tzinfo
from typing import Any

from bot.staff import duty
from bot.staff.duty import KINDS

MOST_LICENCES, MOST_PERIODS, MOST_SKILLS = 100, 2_000, 100
LONGEST_KIND = LONGEST_NUMBER = 64
MOST_CUSTOMERS = 1_000_000
MOST_A_DAY = 10_000
# Excel counts days from here (ECMA-376 part 1, 18.17.4.1).
_EXCEL_ZERO = date(1899, 12, 30)
_LATEST = date(2200, 1, 1)


class Wrong(Exception):
    """A value that cannot be taken: in which column, and why, as a code."""

    def __init__(self, column: str, code: str) -> None:
        super().__init__(f"{column}: {code}")
        self.column, self.code = column, code


def licence(kind: str, number: str, valid_from: str, valid_to: str) -> dict[str, Any]:
    """Return a licence as it is kept; an empty day is no limit.

    Raises:
        Wrong: it has no kind, or something in it is not possible.
    """
    if not kind:
        raise Wrong("kind", "missing")
    for column, value, most in (("kind", kind, LONGEST_KIND), ("number", number, LONGEST_NUMBER)):
        if len(value) > most or not value.isprintable():
            raise Wrong(column, "bad_text")
    begins, ends = day("valid_from", valid_from), day("valid_to", valid_to)
    if begins is not None and ends is not None and ends < begins:
        raise Wrong("valid_to", "ends_before_it_begins")
    return {"kind": kind, "number": number, "valid_from": begins, "valid_to": ends}


def period(begins: str, ends: str, kind: str, zone: tzinfo) -> dict[str, str]:
    """Return a period of duty, leave or off as it is kept.

    Raises:
        Wrong: something in it is not possible.
    """
    if kind not in KINDS:
        raise Wrong("kind", "unknown_kind")
    made = {"from": _moment("from", begins, zone), "to": _moment("to", ends, zone), "kind": kind}
    [one] = duty.periods_of([made], zone)
    if one.end <= one.start:
        raise Wrong("to", "ends_before_it_begins")
    return made


def check_periods(kept: Sequence[Mapping[str, Any]], zone: tzinfo) -> None:
    """Refuse periods of which two overlap.

    Raises:
        Wrong: two do.
    """
    if len(kept) > MOST_PERIODS:
        raise Wrong("availability", "too_many")
    if duty.overlap(duty.periods_of(kept, zone)) is not None:
        raise Wrong("from", "overlap")


def number(column: str, text: str, most: int) -> int | None:
    """Return a number from 0 on, or None for nothing.

    Raises:
        Wrong: it is none.
    """
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise Wrong(column, "bad_number")
    return int(text)


def day(column: str, text: str) -> str | None:
    """Return a day as it is kept, or None for nothing; Excel's number of a day is one, too.

    Raises:
        Wrong: it is none.
    """
    if not text:
        return None
    if re.fullmatch("[0-9]{5}", text):
        return str(_EXCEL_ZERO + timedelta(days=int(text)))
    written = re.fullmatch(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})", text)
    try:
        made = date(*map(int, written.groups())) if written else None
    except ValueError:
        made = None
    if made is None or made > _LATEST:
        raise Wrong(column, "bad_date")
    return str(made)


def _moment(column: str, text: str, zone: tzinfo) -> str:
    """A day stays a day; a moment is kept in UTC. One without a zone is by the firm's clock."""
    if not text:
        raise Wrong(column, "missing")
    try:
        return day(column, text) or ""
    except Wrong:
        pass
    try:
        written = text.replace("/", "-")
        has_zone = re.search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$", written) is not None
        moment = duty.moment_of(written, zone) if has_zone else duty.moment_at(written, zone)
    except ValueError:
        raise Wrong(column, "bad_date") from None
    return moment.isoformat().replace("+00:00", "Z")


def with_licence(kept: Iterable[Mapping[str, Any]], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return licences with one more, or with another time of one that has this kind and number."""
    rest = [
        dict(one) for one in kept if (one["kind"], one["number"]) != (new["kind"], new["number"])
    ]
    return [*rest, dict(new)]
