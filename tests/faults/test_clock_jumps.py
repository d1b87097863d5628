"""The clock jumps: nothing is lost, nothing is done twice, nothing waits for the old time."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.sandbox.place import make_place
from tests.sandbox.process import running_sandbox
from tests.stack import ALL, MovedClock, Stack, free_port, until


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """All of Kegui under a clock that a file moves; the platform keeps real time."""
    moved = MovedClock(tmp_path)
    url = f"sqlite:///{tmp_path}/kegui.db"
    with running_sandbox() as sandbox_url:
        # Only now: the sandbox does not jump.
        for name, value in moved.environment.items():
            monkeypatch.setenv(name, value)
        port = int(sandbox_url.rpartition(":")[2])
        place = make_place(tmp_path, sandbox_port=port, web_port=free_port(), DATABASE_URL=url)
        stack = Stack(place, tmp_path)
        stack.reset()
        stack.command("migrate")
        try:
            stack.start(*ALL)
            until(lambda: stack.try_command("sync"), 60)
            yield stack
        finally:
            stack.stop()


def told(stack: Stack) -> Counter[str]:
    return Counter(str(row["external_userid"]) for row in stack.executed("welcome_sent"))


def check(stack: Stack, customers: list[str]) -> None:
    """Each customer's event has ended, told once or with a reason why not."""
    assert {event["state"] for event in stack.settled(90)} == {"done"}
    sent = told(stack)
    for customer in customers:
        [notice] = stack.timeline(customer, "notice")
        assert sent[customer] <= 1
        assert (notice["state"] == "delivered") <= (sent[customer] == 1)
        assert sent[customer] == 0 or notice["state"] in ("delivered", "unknown")
        assert notice["state"] == "delivered" or notice["reason"]
        assert stack.owner(customer) == "zhangsan"


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_customers_who_come_while_the_clock_jumps_are_told_once_or_listed(
    stack: Stack, seconds: int
) -> None:
    stack.fault("send_welcome_msg", latency_seconds=0.3, probability=0.5, seed=1)
    customers = [f"wm_jump_{n}" for n in range(24)]
    for number, customer in enumerate(customers):
        if number == 12:
            MovedClock(stack.folder).set(seconds)
        stack.meet("zhangsan", customer)

    check(stack, customers)


def test_what_waits_when_the_clock_is_set_back_goes_on_at_once(stack: Stack) -> None:
    """Eight hours too late, as when local time was taken for UTC: a retry and all jobs wait."""
    ahead = 8 * 3600
    stack.sandbox.post("/sandbox/faults", endpoint="user/get", errcode=48002)
    MovedClock(stack.folder).set(ahead)
    stack.hire("qianliu", department=7)
    stack.meet("qianliu", "wm_back")
    until(lambda: stack.api.get("/events", state="failed")["items"], 30)
    until(lambda: last_strike(stack) > now() + timedelta(seconds=ahead / 2), 30)
    stack.sandbox.delete("/sandbox/faults")

    MovedClock(stack.folder).set(0)

    assert {event["state"] for event in stack.settled(30)} == {"done"}
    assert "qianliu" in {member["userid"] for member in stack.api.every("/staff")}
    until(lambda: last_strike(stack) <= now(), 30)
    seen_at = now()
    until(lambda: seen_at < last_strike(stack) <= now(), 40)


def last_strike(stack: Stack) -> datetime:
    """Return when a job was begun last."""
    with closing(sqlite3.connect(stack.folder / "kegui.db")) as database:
        [(latest,)] = database.execute("SELECT max(struck_at) FROM job_run")
    return datetime.fromisoformat(latest)


def now() -> datetime:
    return datetime.now(UTC)
