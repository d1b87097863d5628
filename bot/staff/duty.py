"""When a member is there, and which licences they hold: plain values, no database, no clock."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any, NamedTuple

DUTY, LEAVE, OFF = "duty", "leave", "off"
KINDS = (DUTY, LEAVE, OFF)

NO_LICENCE, LICENCE_EXPIRED = "no_licence", "licence_expired"
ON_LEAVE, OFF_DUTY = "leave", "off_duty"
EXPIRES_SOON = timedelta(days=30)


class Licence(NamedTuple):
    """A licence of a member; both days belong to its time, and None is no limit."""

    kind: str
    number: str = ""
    valid_from: date | None = None
    valid_to: date | None = None


class Period(NamedTuple):
    """From a moment on and before another, a member is on duty, on leave or off."""

    start: datetime
    end: datetime
    kind: str


def licences_of(kept: Iterable[Mapping[str, Any]]) -> tuple[Licence, ...]:
    """Read licences as they are kept with a member."""
    return tuple(
        Licence(
            one["kind"], one.get("number") or "", _day(one, "valid_from"), _day(one, "valid_to")
        )
        for one in kept
    )


def lacking(needed: Iterable[str], licences: Sequence[Licence], day: date) -> tuple[str, str]:
    """Return why somebody may not serve where all these licences are needed, and which one is
    missing; two empty texts if they may.

    A licence that begins later is none yet.
    """
    for kind in needed:
        of_kind = [one for one in licences if one.kind == kind]
        begun = [one for one in of_kind if one.valid_from is None or one.valid_from <= day]
        if not begun:
            return NO_LICENCE, kind
        if not any(one.valid_to is None or one.valid_to >= day for one in begun):
            return LICENCE_EXPIRED, kind
    return "", ""


def expiring(licences: Sequence[Licence], day: date) -> list[Licence]:
    """Return the licences that end within 30 days, or have ended, and that no later one of the
    same kind follows."""
    found = []
    for one in licences:
        if one.valid_to is None or one.valid_to > day + EXPIRES_SOON:
            continue
        longer = (other for other in licences if other.kind == one.kind and other is not one)
        if not any(other.valid_to is None or other.valid_to > one.valid_to for other in longer):
            found.append(one)
    return found


def periods_of(kept: Iterable[Mapping[str, Any]], zone: tzinfo) -> tuple[Period, ...]:
    """Read an availability as it is kept with a member, the first period first.

    A day alone means the whole day by the firm's clock, as an end the last one.
    """
    periods = (
        Period(moment_of(one["from"], zone), moment_of(one["to"], zone, is_end=True), one["kind"])
        for one in kept
    )
    return tuple(sorted(periods))


def moment_of(text: str, zone: tzinfo, *, is_end: bool = False) -> datetime:
    """Return the moment that a day or a moment stands for, in UTC.

    Raises:
        ValueError: it is neither, or a moment without a time zone.
    """
    if len(text) == len("2026-12-01"):
        day = date.fromisoformat(text) + timedelta(days=1 if is_end else 0)
        return datetime.combine(day, time(), zone).astimezone(UTC)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)


def moment_at(text: str, zone: tzinfo) -> datetime:
    """Return the moment that a time by the firm's own clock stands for, in UTC.

    Raises:
        ValueError: it is no time.
    """
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def overlap(periods: Sequence[Period]) -> tuple[Period, Period] | None:
    """Return two periods that overlap, or None. Nobody is on leave and on duty at once: which one
    holds is for whoever keeps the calendar to say."""
    ordered = sorted(periods)
    for one, following in pairwise(ordered):
        if following.start < one.end:
            return one, following
    return None


def away(periods: Sequence[Period], at: datetime) -> str:
    """Return why a member is away at a moment, or "".

    Who has a duty roster is there in its hours alone; who has none is always there, but for leave
    and days off.
    """
    has_roster = is_on_duty = False
    for start, end, kind in periods:
        holds = start <= at < end
        if kind == DUTY:
            has_roster = True
            is_on_duty = is_on_duty or holds
        elif holds:
            return ON_LEAVE if kind == LEAVE else OFF_DUTY
    return OFF_DUTY if has_roster and not is_on_duty else ""


def as_of(periods: Sequence[Period], at: datetime) -> tuple[Period, ...]:
    """Return so much of an availability that ``away`` says the same of this moment."""
    holding = tuple(one for one in periods if one.start <= at < one.end)
    if any(one.kind == DUTY for one in holding):
        return holding
    return holding + tuple(one for one in periods if one.kind == DUTY)[:1]


def replaced(
    kept: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], kinds: Collection[str]
) -> list[dict[str, Any]]:
    """Return an availability in which the periods of these kinds are the new ones."""
    return [dict(one) for one in kept if one["kind"] not in kinds] + [dict(one) for one in new]


def _day(kept: Mapping[str, Any], name: str) -> date | None:
    value = kept.get(name)
    return None if value is None else date.fromisoformat(value)
