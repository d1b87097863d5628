"""When the firm works: config/work_calendar.toml as days and hours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

LONGEST_HOLIDAY = timedelta(days=31)


@dataclass(frozen=True)
class WorkCalendar:
    """Working days and hours. ``years``: those whose holidays are known."""

    weekdays: frozenset[int]
    begins: time
    ends: time
    holidays: frozenset[date]
    workdays: frozenset[date]
    years: frozenset[int]

    def is_workday(self, day: date) -> bool:
        """Whether the firm works on a day; of a year that is not published, by its weekday."""
        if day in self.workdays:
            return True
        return day not in self.holidays and day.isoweekday() in self.weekdays

    def is_work_time(self, at: datetime, zone: tzinfo) -> bool:
        """Whether the firm works at a moment, by its own clock."""
        local = at.astimezone(zone)
        return self.is_workday(local.date()) and self.begins <= local.time() < self.ends


def faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the table: where, and what.

    A day that two holidays have, or that is a holiday and a workday, is a slip of the pen.
    """
    try:
        read(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield "", f"cannot be read ({type(error).__name__}: {error})"
        return
    for year, one in table["year"].items():
        seen: dict[date, int] = {}
        for number, (first, last) in enumerate(one["holidays"]):
            for day in _days(first, last):
                if str(day.year) != year:
                    yield f"year.{year}", f"{day} is in another year"
                if day in seen:
                    yield f"year.{year}", f"{day} stands in two holidays"
                seen[day] = number
        for text in one["workdays"]:
            day = date.fromisoformat(text)
            if day in seen:
                yield f"year.{year}", f"{day} is a holiday and a workday"
        if not one["published"] and (one["holidays"] or one["workdays"]):
            yield f"year.{year}", "has days and is not published"


def read(table: Mapping[str, Any]) -> WorkCalendar:
    """Read the table.

    Raises:
        KeyError, TypeError, ValueError: it is not as it should be; ``faults`` says where.
    """
    holidays: set[date] = set()
    workdays: set[date] = set()
    for one in table["year"].values():
        for first, last in one["holidays"]:
            holidays.update(_days(first, last))
        workdays.update(date.fromisoformat(text) for text in one["workdays"])
    work = table["work"]
    return WorkCalendar(
        frozenset(work["weekdays"]),
        time.fromisoformat(work["from"]),
        time.fromisoformat(work["to"]),
        frozenset(holidays),
        frozenset(workdays),
        frozenset(int(year) for year, one in table["year"].items() if one["published"]),
    )


def _days(first: str, last: str) -> list[date]:
    begins, ends = date.fromisoformat(first), date.fromisoformat(last)
    if not timedelta() <= ends - begins <= LONGEST_HOLIDAY:
        raise ValueError(f"no holiday is from {first} to {last}")
    return [begins + timedelta(days=number) for number in range((ends - begins).days + 1)]
