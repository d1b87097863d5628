"""A rush of new customers: `python -m tests.benchmarks.welcome [sqlite] [postgres]`.

A thousand customers add fifty members within ten seconds, and every answer of the platform takes
0.15 s. Web, worker and clock run as shipped. Each welcome must be carried out exactly once, and
inside the 20 seconds that its code lives, 99 % of them within 8 seconds; what is measured lies
between the moment at which the platform sends the callback and the moment at which it carries the
welcome out.

`--workers N` starts N worker processes. `--old-rows N` lets the rush come by turns upon two
installations, one of which has N settled events in its inbox: there half of the customers wait at
most a tenth longer.
"""

import argparse
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bot.wecom.budgets import WELCOME
from tests.benchmarks.old_rows import fill
from tests.benchmarks.places import KINDS, REDIS_URL, storage
from tests.faults.servers import own_redis
from tests.stack import Stack, running_stack

WINDOW_SECONDS = 20
LATE_GOAL_SECONDS = 8
OLD_ROWS_GOAL = 0.1
LATENCY_SECONDS = 0.15
MEMBERS = 50
# Enough to keep the pace although the sandbox answers late.
HANDS = 16


@dataclass(frozen=True)
class Result:
    """What the platform's books say of one rush."""

    customers: int
    sending_seconds: float
    waits: list[float]
    repeated: int
    refusals: dict[str, int]

    def within(self, percent: int) -> float:
        """Return in how many seconds so many of the welcomes were carried out."""
        return statistics.quantiles(self.waits, n=100, method="inclusive")[percent - 1]

    @property
    def all_in_time(self) -> bool:
        return (
            len(self.waits) == self.customers
            and self.repeated == 0
            and max(self.waits) < WINDOW_SECONDS
        )

    @property
    def met(self) -> bool:
        return self.all_in_time and self.within(99) < LATE_GOAL_SECONDS


@dataclass(frozen=True)
class OldRowsResult:
    """The rushes upon an empty inbox, and those upon one with so many old rows."""

    old_rows: int
    empty: list[Result]
    full: list[Result]

    @property
    def change(self) -> float:
        """How much longer or shorter the wait is before the full one: 0.1 is a tenth longer."""
        empty, full = (
            statistics.median(rush.within(50) for rush in rushes)
            for rushes in (self.empty, self.full)
        )
        return full / empty - 1

    @property
    def met(self) -> bool:
        return self.change <= OLD_ROWS_GOAL and all(rush.met for rush in self.empty + self.full)


def measure(
    kind: str, customers: int, seconds: float, members: int = MEMBERS, workers: int = 1
) -> Result:
    """Let the rush come upon a fresh installation."""
    with (
        storage(kind) as (folder, database_url, queue_url),
        running_stack(folder, database_url, queue_url) as stack,
    ):
        _open(stack, members, workers)
        return _rush(stack, "rush", customers, seconds, members)


def measure_old_rows(
    kind: str,
    customers: int,
    seconds: float,
    old_rows: int,
    rounds: int,
    members: int = MEMBERS,
    workers: int = 1,
) -> OldRowsResult:
    """Let rushes come by turns upon an empty inbox and one with old rows."""
    results: tuple[list[Result], list[Result]] = ([], [])
    with ExitStack() as open_now:
        # Workers of two installations must not hear each other's wake-ups.
        queues = [REDIS_URL, open_now.enter_context(own_redis()).url if kind != "sqlite" else ""]
        stacks = []
        for rows, queue in zip((0, old_rows), queues, strict=True):
            folder, database_url, queue_url = open_now.enter_context(storage(kind, queue))
            stack = open_now.enter_context(running_stack(folder, database_url, queue_url))
            _open(stack, members, workers)
            if rows:
                fill(database_url, rows)
            stacks.append(stack)
        for number in range(rounds):
            # Whoever comes first in one round comes last in the next.
            for one in (0, 1) if number % 2 else (1, 0):
                rush = _rush(stacks[one], f"rush{number}", customers, seconds, members)
                results[one].append(rush)
    return OldRowsResult(old_rows, *results)


def _open(stack: Stack, members: int, workers: int) -> None:
    """Let the members be known, and the platform answer late."""
    for number in range(2, workers + 1):
        stack.launch(f"worker {number}")
    stack.sandbox.post(
        "/sandbox/staff", staff=[{"userid": f"member{one}"} for one in range(members)]
    )
    stack.command("sync")
    stack.sandbox.patch("/sandbox/switches", latency_seconds=LATENCY_SECONDS)


def _rush(stack: Stack, name: str, customers: int, seconds: float, members: int) -> Result:
    """Let the customers come evenly, and wait for their welcomes."""
    before = _calls(stack)
    began = time.monotonic()

    def arrive(number: int) -> None:
        pause = began + number * seconds / customers - time.monotonic()
        if pause > 0:
            threading.Event().wait(pause)
        stack.sandbox.post(
            "/sandbox/customers",
            userid=f"member{number % members}",
            external_userid=f"wm_{name}_{number}",
        )

    with ThreadPoolExecutor(HANDS) as hands:
        for _ in hands.map(arrive, range(customers)):
            pass
    took = time.monotonic() - began
    _wait_until_all_is_decided(stack, before["0"] + customers)
    return _read_books(stack, name, customers, took, before)


def _calls(stack: Stack) -> Counter[str]:
    """Return how often a welcome was answered, by code."""
    return Counter(stack.sandbox.get("/sandbox/counts").get(WELCOME, {}))


def _wait_until_all_is_decided(stack: Stack, welcomes: int) -> None:
    """Wait until every welcome was carried out, or all codes have run out."""
    end = time.monotonic() + WINDOW_SECONDS + 5
    while time.monotonic() < end and _calls(stack)["0"] < welcomes:
        time.sleep(0.5)
    # Whoever would send a second time has a moment to do so.
    time.sleep(2)


def _read_books(
    stack: Stack, name: str, customers: int, took: float, before: Counter[str]
) -> Result:
    sent: dict[str, float] = {
        event["fields"]["ExternalUserID"]: event["wall"]
        for event in stack.sandbox.get("/sandbox/events")["events"]
        if event["fields"].get("ChangeType") == "add_external_contact"
    }
    welcomes: list[dict[str, Any]] = [
        welcome
        for welcome in stack.executed("welcome_sent")
        if welcome["external_userid"].startswith(f"wm_{name}_")
    ]
    times = Counter(welcome["external_userid"] for welcome in welcomes)
    waits = [
        welcome["wall"] - sent[welcome["external_userid"]]
        for welcome in welcomes
        if welcome["external_userid"] in sent
    ]
    refusals = {code: n for code, n in (_calls(stack) - before).items() if code != "0"}
    return Result(customers, took, waits, sum(times.values()) - len(times), refusals)


def show(kind: str, result: Result) -> None:
    """Print a few lines."""
    print(
        f"{kind}: {result.customers} customers in {result.sending_seconds:.1f} s,"
        f" every answer after {LATENCY_SECONDS} s"
    )
    print(f"  {len(result.waits)} welcomes, {result.repeated} of them repeated")
    if len(result.waits) > 1:
        print(f"  {_waits(result)}; p99 goal below {LATE_GOAL_SECONDS} s")
    if result.refusals:
        print(f"  refusals by code: {result.refusals}")
    print(f"  all once and inside {WINDOW_SECONDS} s: {'yes' if result.all_in_time else 'NO'}")


def show_old_rows(kind: str, result: OldRowsResult) -> None:
    """Print a few lines."""
    first = result.empty[0]
    print(f"{kind}: rushes of {first.customers} customers in {first.sending_seconds:.1f} s")
    for name, rushes in (("empty", result.empty), ("full", result.full)):
        for rush in rushes:
            in_time = "" if rush.all_in_time else "   NOT all once and in time"
            print(f"  {name:5} {_waits(rush)}{in_time}")
    print(
        f"  {result.old_rows} old rows change the median wait by {result.change:+.1%},"
        f" goal +{OLD_ROWS_GOAL:.0%} at worst: {'met' if result.met else 'MISSED'}"
    )


def _waits(result: Result) -> str:
    return (
        f"p50 {result.within(50):.2f} s, p95 {result.within(95):.2f} s,"
        f" p99 {result.within(99):.2f} s, max {max(result.waits):.2f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--old-rows", type=int, metavar="N", help="compare with N settled rows")
    parser.add_argument("--rounds", type=int, default=3, help="with --old-rows, of each")
    options = parser.parse_args(arguments)
    rush = (options.customers, options.seconds)
    met = True
    for kind in options.kinds or KINDS:
        if options.old_rows:
            compared = measure_old_rows(
                kind, *rush, options.old_rows, options.rounds, workers=options.workers
            )
            show_old_rows(kind, compared)
            met = met and compared.met
        else:
            result = measure(kind, *rush, workers=options.workers)
            show(kind, result)
            met = met and result.met
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
