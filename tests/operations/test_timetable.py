"""When a job has not gone well for too long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.operations.timetable import Outages, Planned, patience

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


@pytest.mark.parametrize(
    ("seconds", "given"), [(3, 120), (60, 120), (61, 122), (3600, 7200), (86_400, 172_800)]
)
def test_a_job_may_go_without_going_well_for_twice_its_interval_and_some_minutes(
    seconds: float, given: float
) -> None:
    assert patience(timedelta(seconds=seconds)) == timedelta(seconds=given)


def job(interval_hours: float, may_take: float = 0, **moments: Any) -> Planned:
    given = patience(timedelta(hours=interval_hours))
    return Planned("a.job", given, timedelta(hours=may_take), **moments)


@pytest.mark.parametrize("failed_at", [None, ago(hours=0.5)])
@pytest.mark.parametrize(("hours", "is_late"), [(1, False), (1.9, False), (2.1, True), (99, True)])
def test_a_job_is_late_whether_it_fails_hangs_or_is_never_begun(
    hours: float, is_late: bool, failed_at: datetime | None
) -> None:
    assert job(1, well_at=ago(hours=hours), failed_at=failed_at).is_late(NOW) is is_late


@pytest.mark.parametrize(
    ("moments", "is_late"),
    [
        ({}, False),
        # It fails again and again, and comes no further.
        ({"failed_at": ago(minutes=1)}, True),
        ({"moved_at": ago(minutes=9), "failed_at": ago(minutes=1)}, True),
        # It failed, and went on.
        ({"moved_at": ago(minutes=1), "failed_at": ago(minutes=9)}, False),
        ({"moved_at": ago(seconds=90), "failed_at": ago(seconds=80)}, False),
        ({"moved_at": ago(minutes=59)}, False),
    ],
)
def test_a_long_piece_of_work_is_not_late_while_it_goes_on(
    moments: dict[str, datetime], is_late: bool
) -> None:
    assert job(1 / 60, may_take=1, well_at=ago(minutes=50), **moments).is_late(NOW) is is_late


def test_a_piece_of_work_that_hangs_is_late() -> None:
    hangs = job(1 / 60, may_take=1, well_at=ago(hours=9), moved_at=ago(minutes=61))

    assert hangs.is_late(NOW)


def test_a_reading_that_goes_on_and_never_ends_is_late() -> None:
    for hours, is_late in ((23, False), (25, True)):
        endless = job(1 / 60, may_take=1, well_at=ago(hours=hours), moved_at=ago(minutes=1))

        assert endless.is_late(NOW) is is_late


ON = Outages(is_on=True)
OVER_AN_HOUR_AGO = Outages(told_until=ago(hours=1))


@pytest.mark.parametrize(
    ("away_at", "outages", "is_excused"),
    [
        (ago(minutes=1), ON, True),
        (None, ON, False),
        (ago(minutes=1), Outages(), False),
        # It has not been tried since the outage, or it was and fails all the same.
        (ago(hours=1.5), OVER_AN_HOUR_AGO, True),
        (ago(hours=0.5), OVER_AN_HOUR_AGO, False),
        # It should have gone well long since.
        (ago(hours=3), Outages(told_until=ago(hours=2.1)), False),
    ],
)
def test_an_outage_excuses_what_fails_because_of_it_until_it_could_go_well(
    away_at: datetime | None, outages: Outages, is_excused: bool
) -> None:
    late = job(1, well_at=ago(hours=9), failed_at=away_at or ago(minutes=1), away_at=away_at)

    assert late.is_late(NOW)
    assert late.is_excused(outages, NOW) is is_excused
