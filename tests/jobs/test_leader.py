"""Of several clocks one strikes; when it dies another goes on, and no job is begun twice."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask_babel import LazyString

from bot import clock, db, jobs
from bot.capabilities import JOBS
from bot.capability import Job, every
from bot.jobs import leader as leaders
from bot.jobs.leader import Leader
from bot.kegui import Kegui
from bot.models import JobRun, Lease
from bot.reason import Reason
from bot.sandbox.place import make_place
from config import settings
from tests.children import Child
from tests.stack import until

TAKEOVER_SECONDS = 15
SHANGHAI = ZoneInfo("Asia/Shanghai")


def job(run: Callable[[Kegui], None]) -> Job:
    return Job(run.__name__, LazyString(str), run, every(60))


@job
def a_job(kegui: Kegui) -> None:
    cast(list[Kegui], kegui).append(kegui)


def strikes(began: list[Any], last: dict[str, datetime] | None = None) -> jobs.Strikes:
    return jobs.Strikes(cast(Kegui, began), lambda: True, last or {})


def test_one_of_two_leads_and_the_other_follows_when_it_resigns(store: str) -> None:
    one, other = Leader(), Leader()

    assert (one.seek(), other.seek(), one.seek()) == (True, False, True)
    assert one.leads()
    assert not other.leads()

    one.resign()
    assert other.seek()
    assert not one.seek()


def test_a_leader_that_died_is_followed_when_its_lease_is_over(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "DURATION", timedelta(seconds=0.5))
    dead, heir = Leader(), Leader()
    assert dead.seek()

    assert not heir.seek()
    until(heir.seek, 5)
    assert not dead.leads()
    assert not dead.seek()


def test_a_dead_leader_is_followed_though_the_clock_was_set_back(store: str) -> None:
    Lease.create(name=leaders.LEASE_NAME, holder="dead", until=clock.now() + timedelta(hours=1))

    assert Leader().seek()


def test_a_leader_without_its_database_leads_only_as_long_as_its_lease(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "DURATION", timedelta(seconds=0.5))
    leader = Leader()
    assert leader.seek()
    Lease.drop_table()
    try:
        assert leader.seek(), "nobody else can have taken it yet"
        until(lambda: not leader.seek(), 5)
    finally:
        Lease.create_table()


@pytest.mark.postgres
def test_leases_follow_the_clock_of_the_database_not_of_the_host(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = db.connect(postgres_url)
    with db.connection():
        assert Leader().seek()
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(hours=1))
        assert not Leader().seek(), "a host whose clock is fast must not lead as well"
    made.close_all()


def test_a_job_that_another_clock_has_begun_is_not_begun_again(store: str) -> None:
    began: list[Any] = []
    one, other = strikes(began), strikes(began)

    one.strike(a_job)
    other.strike(a_job)
    assert len(began) == 1
    other.strike(a_job)
    assert len(began) == 2


def test_who_leads_no_more_begins_nothing(store: str) -> None:
    began: list[Any] = []

    jobs.Strikes(cast(Kegui, began), lambda: False, {}).strike(a_job)

    assert began == []
    assert JobRun.select().count() == 0


def test_how_a_job_ended_is_remembered(store: str) -> None:
    strikes([]).strike(a_job)

    [run] = JobRun.select()
    assert (run.job, run.error_code) == ("a_job", "")
    assert run.finished_at >= run.struck_at


def test_a_job_that_our_own_bug_ended_is_no_job_that_still_runs(store: str) -> None:
    @job
    def a_bug(_kegui: Kegui) -> None:
        raise KeyError("zhangsan")

    with pytest.raises(KeyError):
        strikes([]).strike(a_bug)

    [run] = JobRun.select()
    assert (run.finished_at is None, run.error) == (False, Reason("bug", {"kind": "KeyError"}))


@pytest.mark.parametrize(
    ("trigger", "last", "due"),
    [
        (IntervalTrigger(hours=1, timezone=SHANGHAI), timedelta(minutes=20), timedelta(minutes=40)),
        (IntervalTrigger(hours=1, timezone=SHANGHAI), timedelta(hours=9), timedelta(hours=-8)),
        (CronTrigger(hour=2, timezone=SHANGHAI), timedelta(hours=11), timedelta(hours=-10)),
        (CronTrigger(hour=2, timezone=SHANGHAI), timedelta(hours=9), timedelta(hours=14)),
    ],
)
def test_whoever_takes_over_goes_on_from_the_last_strike_and_makes_up_for_what_was_missed(
    monkeypatch: pytest.MonkeyPatch, trigger: Any, last: timedelta, due: timedelta
) -> None:
    noon = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: noon)

    assert jobs.next_strike(trigger, noon - last) == noon + due


@contextmanager
def running_clocks(folder: Path, database_url: str, queue_url: str) -> Iterator[dict[str, Child]]:
    """Two `kegui clock` of one installation; their WeCom is not there."""
    place = make_place(
        folder,
        sandbox_port=9,
        DATABASE_URL=database_url,
        QUEUE_URL=queue_url,
        TRANSFER_POLL_SECONDS="1",
        LOG_LEVEL="DEBUG",
    )
    environment = {**os.environ, **place.environment}
    clocks = {}
    try:
        for name in ("one", "two"):
            clocks[name] = Child("bot", ["clock"], environment, folder / f"{name}.log")
        yield clocks
    finally:
        for process in clocks.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in clocks.values():
            process.wait(30)


def lines(folder: Path, event: str) -> list[tuple[str, str, datetime]]:
    """Return (clock, job, moment) of each log line of one kind, in order."""
    found = []
    for name in ("one", "two"):
        for line in (folder / f"{name}.log").read_text("utf-8").splitlines():
            row = json.loads(line)
            if row["event"] == event:
                found.append((name, row.get("job", ""), datetime.fromisoformat(row["timestamp"])))
    return sorted(found, key=lambda one: one[2])


def assert_nothing_began_twice(folder: Path) -> None:
    began = lines(folder, "job_begins")
    assert len({name for name, _, _ in began}) == 2
    for job in {job for _, job, _ in began}:
        for (one, _, before), (other, _, after) in pairwise(row for row in began if row[1] == job):
            # One clock that was late may make up for it shortly before the next strike.
            assert one == other or after - before > timedelta(seconds=0.8), job


# Each waits for a lease to run out; what the signal decides is the same on both databases.
@pytest.mark.parametrize(
    ("database_url", "how"),
    [
        ("sqlite", signal.SIGKILL),
        *(
            pytest.param("postgres", how, marks=pytest.mark.postgres)
            for how in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)
        ),
    ],
    indirect=["database_url"],
)
def test_when_the_leading_clock_falls_silent_the_other_takes_over_within_15_seconds(
    database_url: str, queue_url: str, tmp_path: Path, how: signal.Signals
) -> None:
    with running_clocks(tmp_path, database_url, queue_url) as clocks:
        [(first, _, _)] = until(lambda: lines(tmp_path, "clock_leads"), 30)
        other = "two" if first == "one" else "one"
        until(lambda: "clock_started" in (tmp_path / f"{other}.log").read_text(), 30)
        until(lambda: len(lines(tmp_path, "job_begins")) > 3, 30)

        fell_silent = datetime.now(UTC)
        clocks[first].send_signal(how)
        [_, (then, _, at)] = until(
            lambda: found if len(found := lines(tmp_path, "clock_leads")) == 2 else None, 30
        )

        assert then == other
        assert (at - fell_silent).total_seconds() < TAKEOVER_SECONDS
        until(lambda: any(name == other for name, _, _ in lines(tmp_path, "job_begins")), 30)
        if how == signal.SIGSTOP:
            clocks[first].send_signal(signal.SIGCONT)
            until(lambda: lines(tmp_path, "clock_leads_no_more"), 30)
        assert_nothing_began_twice(tmp_path)


def test_the_schedule_can_be_made_from_what_was_struck_before(store: str) -> None:
    with db.connection():
        JobRun.create(job="notices.send_digests", struck_at=clock.now() - timedelta(hours=1))
    scheduler = jobs.schedule(Kegui(settings.load({}), *([cast(Any, threading)] * 3)), JOBS)

    [late] = [one for one in scheduler.get_jobs() if one.id == "notices.send_digests"]
    assert late.next_run_time < clock.now()
