"""WeCom is away for an hour: few calls, quick answers at the door, and all is done afterwards."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.stack import MovedClock, Stack, running_stack, until
from tests.stories.conftest import QUICK, empty_redis, own_database

STEPS, STEP_SECONDS = 20, 180
# All endpoints together; some 60 were measured: a few as it begins, then one each time a pause of
# an endpoint is over.
MOST_CALLS = 120


class Hour:
    """A stack whose clock, and the platform's, can be moved on together."""

    def __init__(self, stack: Stack, clock: MovedClock) -> None:
        self.stack = stack
        self._clock = clock
        self._seconds = 0

    def pass_(self, seconds: int) -> None:
        """Let time pass, and let the clock do all that is due by then.

        An hour has no such steps: what is at work across one has been so for all of it, and what
        has not been struck after it is late.
        """
        until(lambda: self._clock_rests(since=""))
        self._seconds += seconds
        self._clock.set(self._seconds)
        self.stack.pass_time(seconds)
        moved = datetime.now(UTC) + timedelta(seconds=self._seconds)
        until(lambda: self._clock_rests(moved.isoformat(sep=" ", timespec="microseconds")))

    def _clock_rests(self, since: str) -> bool:
        """Whether each job of every minute, the sealer too, was begun since then and has ended."""
        with closing(sqlite3.connect(self.stack.folder / "kegui.db")) as database:
            [(waits,)] = database.execute(
                "SELECT COUNT(*) FROM planned_job LEFT JOIN job_run USING (job)"
                " WHERE patience <= 120 AND (COALESCE(struck_at, '') < ?"
                " OR struck_at IS NOT NULL AND finished_at IS NULL)",
                [since],
            )
        return int(waits) == 0

    def calls(self) -> int:
        """Return how many calls WeCom has got so far."""
        counts: dict[str, dict[str, int]] = self.stack.sandbox.get("/sandbox/counts")
        return sum(number for codes in counts.values() for number in codes.values())


@pytest.fixture(params=["sqlite"])
def hour(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hour]:
    clock = MovedClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    with own_database(request.param, tmp_path) as url:
        queue_url = url if request.param == "sqlite" else empty_redis()
        settings = {**QUICK, "OPERATORS": "manager"}
        with running_stack(tmp_path, url, queue_url, **settings) as stack:
            until(lambda: stack.try_command("sync"))
            yield Hour(stack, clock)


def tried_again(hour: Hour) -> None:
    """Wait until nothing that is due now is left waiting."""

    def all_wait() -> bool:
        waiting = hour.stack.api.every("/events", state="waiting")
        claimed = hour.stack.api.every("/events", state="claimed")
        return not claimed and all(event["attempts"] > 0 for event in waiting)

    until(all_wait, 20)


def test_an_hour_without_wecom_costs_few_calls_and_everything_is_done_after_it(
    hour: Hour,
) -> None:
    stack = hour.stack
    stack.meet("zhangsan", "wm_before")
    stack.settled()
    before = hour.calls()
    stack.sandbox.post("/sandbox/faults", endpoint="*", drop=True)

    missed = []
    for step in range(STEPS):
        for userid in ("zhangsan", "lisi", "wangwu"):
            missed.append(f"wm_hour_{step}_{userid}")
            stack.meet(userid, missed[-1])
        stack.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=20)
        tried_again(hour)
        if step % 5 == 4:
            stack.run_jobs("alarms.look_for_outages", "alarms.look_for_late_jobs")
            assert [alarm["kind"] for alarm in open_alarms(stack)] == ["wecom_unreachable"]
            assert stack.api.get("/pauses")["items"]
        hour.pass_(STEP_SECONDS)
    calls = hour.calls() - before

    stack.sandbox.delete("/sandbox/faults")
    hour.pass_(STEP_SECONDS)
    ended = stack.settled(90)

    assert calls <= MOST_CALLS
    slow = [row for row in stack.sandbox.get("/sandbox/deliveries")["deliveries"] if late(row)]
    assert slow == []
    assert {event["state"] for event in ended} == {"done"}
    for customer in missed:
        assert stack.owner(customer) is not None
    hour.pass_(180)
    gaps = {gap["external_userid"]: gap["reason"] for gap in stack.api.every("/gaps")}
    told = {str(row["external_userid"]) for row in stack.executed("welcome_sent")}
    assert told == {"wm_before"}
    assert set(missed) <= set(gaps)
    assert all(gaps[customer] for customer in missed)
    stack.run_jobs("alarms.look_for_outages", "alarms.look_for_late_jobs")
    assert open_alarms(stack) == []
    assert len(stack.api.every("/alarms")) == 1


def late(row: dict[str, Any]) -> bool:
    return row["status"] != 200 or row["seconds"] >= 1


def open_alarms(stack: Stack) -> list[dict[str, Any]]:
    return stack.api.every("/alarms", state="open")


def test_a_refused_endpoint_is_an_alarm_until_a_call_goes_well(stack: Stack) -> None:
    def refusals() -> list[dict[str, Any]]:
        return [one for one in open_alarms(stack) if one["kind"] == "wecom_needs_operator"]

    stack.fault("get", errcode=48002)
    stack.meet("zhangsan", "wm_while_refused")
    until(refusals)

    stack.command("pauses", "lift", "app externalcontact/get")
    stack.run_job("alarms", "end_finished_alarms")
    assert refusals()

    stack.sandbox.delete("/sandbox/faults")
    stack.command("pauses", "lift", "app externalcontact/get")

    # The clock does so each minute: of the event itself nothing is left that would ask.
    stack.settled()
    stack.run_job("alarms", "end_finished_alarms")
    assert refusals() == []
    assert stack.api.get("/pauses")["items"] == []
    assert stack.owner("wm_while_refused") == "zhangsan"
