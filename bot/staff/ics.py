"""Leave and duty from an iCalendar file (RFC 5545): its events as periods."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

from bot.staff.duty import DUTY, LEAVE, OFF

MOST_EVENTS, MOST_TIMES = 2_000, 400
# So far ahead an event without an end is repeated.
AHEAD = timedelta(days=400)
# What a title or a category says of the kind of an event.
WORDS: Mapping[str, tuple[str, ...]] = {
    LEAVE: ("休假", "请假", "年假", "病假", "事假", "产假", "leave", "vacation", "holiday"),
    OFF: ("调休", "休息", "轮休", "day off", "off"),
    DUTY: ("值班", "当班", "排班", "上班", "duty", "shift"),
}
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


class BadCalendar(Exception):
    """The file cannot be taken: on which line, and why, as a code."""

    def __init__(self, line: int, code: str) -> None:
        super().__init__(f"{line}: {code}")
        self.line, self.code = line, code


@dataclass
class _Event:
    line: int
    fields: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)


def periods(text: str, zone: tzinfo, now: datetime, kind: str = "") -> list[dict[str, Any]]:
    """Return the events of a calendar as periods, the earliest first; ``line`` says where each
    stands. What ended before today is left out.

    Args:
        zone: of times that name none.
        kind: of every event; "": as its title or category says.

    Raises:
        BadCalendar: it cannot be read, or it does not say of which kind an event is.
    """
    found = []
    for event in _events(text):
        of = kind or _kind(event)
        for begins, ends in _times(event, zone, now):
            if ends > now:
                found.append(
                    {"from": _written(begins), "to": _written(ends), "kind": of, "line": event.line}
                )
    return sorted(found, key=lambda one: str(one["from"]))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a calendar, those that go over several put together (3.1)."""
    began, whole = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] in (" ", "\t"):
            whole += line[1:]
            continue
        if whole:
            yield began, whole
        began, whole = number, line
    if whole:
        yield began, whole


def _events(text: str) -> Iterator[_Event]:
    event: _Event | None = None
    is_calendar, depth, count = False, 0, 0
    for number, line in _lines(text.removeprefix("\ufeff")):
        name, parameters, value = _parts(line)
        if name == "BEGIN" and value.upper() == "VCALENDAR":
            is_calendar = True
        elif not is_calendar:
            raise BadCalendar(number, "no_calendar")
        elif name == "BEGIN" and value.upper() == "VEVENT":
            event, count = _Event(number), count + 1
            if count > MOST_EVENTS:
                raise BadCalendar(number, "too_many")
        elif event is not None and name == "BEGIN":
            depth += 1
        elif event is not None and name == "END" and depth:
            depth -= 1
        elif event is not None and name == "END" and value.upper() == "VEVENT":
            if event.fields.get("STATUS", (0, {}, ""))[2].upper() != "CANCELLED":
                yield event
            event = None
        elif event is not None and not depth:
            event.fields.setdefault(name, (number, parameters, value))
    if not is_calendar:
        raise BadCalendar(1, "no_calendar")
    if event is not None:
        raise BadCalendar(event.line, "no_end")


def _parts(line: str) -> tuple[str, dict[str, str], str]:
    head, _, value = line.partition(":")
    name, *given = head.split(";")
    pairs = (one.partition("=") for one in given)
    return name.upper(), {key.upper(): said.strip('"') for key, _, said in pairs}, value.strip()


def _kind(event: _Event) -> str:
    said = " ".join(
        event.fields[name][2] for name in ("CATEGORIES", "SUMMARY") if name in event.fields
    )
    for kind, words in WORDS.items():
        if any(word in said.lower() for word in words):
            return kind
    raise BadCalendar(event.line, "unknown_kind")


def _times(event: _Event, zone: tzinfo, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    if "DTSTART" not in event.fields:
        raise BadCalendar(event.line, "no_beginning")
    begins, is_day = _moment(event, "DTSTART", zone)
    lasts = _length(event, begins, is_day, zone)
    if lasts <= timedelta():
        raise BadCalendar(event.line, "ends_before_it_begins")
    if "RRULE" not in event.fields:
        yield begins, begins + lasts
        return
    line, _parameters, rule = event.fields["RRULE"]
    # The wall clock repeats, not the moment.
    local = begins.replace(tzinfo=None)
    try:
        written = re.sub(r"(UNTIL=\d{8}T\d{6})Z", r"\1", rule)
        every = rrulestr(written, dtstart=local)
        first = (now.astimezone(begins.tzinfo) - lasts).replace(tzinfo=None)
        times = every.between(first, first + AHEAD, inc=True)[: MOST_TIMES + 1]
    except (ValueError, KeyError, TypeError, OverflowError):
        raise BadCalendar(line, "bad_rule") from None
    if len(times) > MOST_TIMES:
        raise BadCalendar(line, "too_many")
    left_out = _left_out(event, zone)
    for one in times:
        start = one.replace(tzinfo=begins.tzinfo)
        if start not in left_out:
            yield start, start + lasts


def _left_out(event: _Event, zone: tzinfo) -> set[datetime]:
    if "EXDATE" not in event.fields:
        return set()
    line, parameters, value = event.fields["EXDATE"]
    return {_read(line, parameters, one, zone)[0] for one in value.split(",")}


def _length(event: _Event, begins: datetime, is_day: bool, zone: tzinfo) -> timedelta:
    if "DTEND" in event.fields:
        return _moment(event, "DTEND", zone)[0] - begins
    if "DURATION" in event.fields:
        line, _parameters, value = event.fields["DURATION"]
        found = _DURATION.fullmatch(value)
        if found is None:
            raise BadCalendar(line, "bad_date")
        weeks, days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
        return timedelta(days, seconds, minutes=minutes, hours=hours, weeks=weeks)
    # Of a day alone the day is meant (3.6.1); a moment has no length.
    return timedelta(days=1) if is_day else timedelta()


def _moment(event: _Event, name: str, zone: tzinfo) -> tuple[datetime, bool]:
    line, parameters, value = event.fields[name]
    return _read(line, parameters, value, zone)


def _read(
    line: int, parameters: Mapping[str, str], value: str, zone: tzinfo
) -> tuple[datetime, bool]:
    """A moment with its zone, and whether a day alone was meant."""
    try:
        if re.fullmatch(r"\d{8}", value):
            day = date.fromisoformat(value)
            return datetime.combine(day, time(), zone), True
        named = parameters.get("TZID")
        of = UTC if value.endswith("Z") else ZoneInfo(named) if named else zone
        return datetime.strptime(value.rstrip("Z"), "%Y%m%dT%H%M%S").replace(tzinfo=of), False
    except ZoneInfoNotFoundError:
        raise BadCalendar(line, "unknown_zone") from None
    except ValueError:
        raise BadCalendar(line, "bad_date") from None
