"""Memory under a constant load: `python -m tests.benchmarks.endurance [sqlite] [postgres]`.

Web, worker and clock run as shipped. Events of a kind that is kept and ignored come evenly, at a
third of the rate at which they can be stored and worked off (or `--per-second N`), and beside them
new customers, who get their welcome. Every few seconds the memory of each process is read from
/proc. The goal: after the first minute it is flat, the median of the last third at most 5 % above
that of the first.
"""

import argparse
import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from bot import db
from bot.models import InboxEvent
from bot.models.inbox_event import OPEN_STATES
from tests.benchmarks import load
from tests.benchmarks.places import KINDS, storage
from tests.stack import Stack, running_stack, until

GOAL = 0.05
MEMBERS = 50
CUSTOMERS_PER_SECOND = 5.0
WARM_UP_SECONDS = 60
LOOK_SECONDS = 5
# How many events are made ready and sent at once.
SLICE_SECONDS = 10
FULL_RATE_EVENTS = 2000
MEBIBYTE = 1024 * 1024

T = TypeVar("T")


@dataclass
class Memory:
    """One process: (seconds since the load began, RSS, PSS) of each look, in MiB."""

    samples: list[tuple[float, float, float]] = field(default_factory=list)

    def third(self, number: int) -> float:
        """Return the median RSS of the first, second or last third: 0, 1, 2."""
        size = len(self.samples) / 3
        part = self.samples[round(number * size) : round((number + 1) * size)]
        return statistics.median(rss for _, rss, _ in part)

    @property
    def growth(self) -> float:
        return self.third(2) / self.third(0) - 1

    @property
    def slope(self) -> float:
        """MiB an hour, by the straight line through all looks."""
        times, sizes, _ = zip(*self.samples, strict=True)
        return 3600 * statistics.linear_regression(times, sizes).slope


@dataclass(frozen=True)
class Result:
    """What each process took, by its name, and what came meanwhile."""

    memory: dict[str, Memory]
    seconds: float
    per_second: float
    accepted: int
    refused: int
    customers: int
    welcomed: int
    left_open: int

    @property
    def all_done(self) -> bool:
        return not self.refused and not self.left_open and self.welcomed == self.customers

    @property
    def met(self) -> bool:
        return self.all_done and all(memory.growth <= GOAL for memory in self.memory.values())


def measure(
    kind: str,
    seconds: float,
    *,
    warm_up: float = WARM_UP_SECONDS,
    look: float = LOOK_SECONDS,
    per_second: float | None = None,
    customers_per_second: float = CUSTOMERS_PER_SECOND,
) -> Result:
    """Keep the load on an installation, and watch its processes.

    Args:
        seconds: how long is watched, after the warm-up.
        look: seconds between two looks.
        per_second: events of the constant load; a third of the full rate, if it is not given.
    """
    with (
        storage(kind) as (folder, database_url, queue_url),
        running_stack(folder, database_url, queue_url) as stack,
    ):
        stack.sandbox.post(
            "/sandbox/staff", staff=[{"userid": f"member{one}"} for one in range(MEMBERS)]
        )
        stack.command("sync")
        database = db.connect(database_url)
        try:
            return _watch(stack, seconds, warm_up, look, per_second, customers_per_second)
        finally:
            database.close_all()


def _watch(
    stack: Stack,
    seconds: float,
    warm_up: float,
    look: float,
    per_second: float | None,
    customers_per_second: float,
) -> Result:
    numbers = count(FULL_RATE_EVENTS)
    rate = per_second or _full_rate(stack) / 3

    def send_events() -> load.Run:
        first, amount = next(numbers), max(2, int(rate * SLICE_SECONDS))
        for _ in range(amount - 1):
            next(numbers)
        requests = load.events(stack.place, first, amount, load.tag_changed)
        return load.drive(stack.place.web_url, requests, per_second=rate)

    def send_customer() -> None:
        number = next(customers)
        stack.meet(f"member{number % MEMBERS}", f"wm_endures_{number}")
        time.sleep(1 / customers_per_second)

    customers = count()
    memory: dict[str, Memory] = defaultdict(Memory)
    with _again_and_again(send_events) as runs, _again_and_again(send_customer) as came:
        began = time.monotonic()
        time.sleep(warm_up)
        while (now := time.monotonic() - began) < warm_up + seconds:
            for name, rss, pss in processes(stack):
                memory[name].samples.append((now, rss, pss))
            time.sleep(look)
    left_open = _work_off(len(runs) * SLICE_SECONDS)
    return Result(
        dict(memory),
        seconds,
        rate,
        accepted=sum(run.accepted for run in runs),
        refused=sum(run.refused for run in runs),
        customers=len(came),
        welcomed=len(stack.executed("welcome_sent")),
        left_open=left_open,
    )


def _full_rate(stack: Stack) -> float:
    """Return how many events a second are stored and worked off."""
    requests = load.events(stack.place, 0, FULL_RATE_EVENTS, load.tag_changed)
    began = time.monotonic()
    load.drive(stack.place.web_url, requests)
    _work_off(120)
    return FULL_RATE_EVENTS / (time.monotonic() - began)


def _work_off(seconds: float) -> int:
    """Wait until no event is open, so long at most; return how many are left."""
    try:
        until(lambda: not _open_events(), seconds)
    except TimeoutError:
        return _open_events()
    return 0


def _open_events() -> int:
    with db.connection():
        return int(InboxEvent.select().where(InboxEvent.state.in_(OPEN_STATES)).count())


@contextmanager
def _again_and_again(act: Callable[[], T]) -> Iterator[list[T]]:
    """Repeat ``act`` in a thread of its own while the block runs; give the list of its results."""
    ended = threading.Event()
    results: list[T] = []

    def run() -> None:
        while not ended.is_set():
            results.append(act())

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        try:
            yield results
        finally:
            ended.set()
    running.result()


def processes(stack: Stack) -> Iterator[tuple[str, float, float]]:
    """Give name, RSS and PSS in MiB of each process and of its children."""
    for name, process in stack.processes.items():
        for number, pid in enumerate(_family(process.pid)):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8")
            sizes = {
                line.split()[0]: int(line.split()[1]) / 1024
                for line in rollup.splitlines()
                if line.startswith(("Rss:", "Pss:"))
            }
            yield f"{name} {number}" if number else name, sizes["Rss:"], sizes["Pss:"]


def _family(pid: int) -> list[int]:
    """Return a process and its children, the oldest first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    return [pid, *sorted(map(int, children.split()))]


def show(kind: str, result: Result) -> None:
    """Print one table."""
    print(
        f"{kind}: {result.seconds:.0f} s after the warm-up, {os.cpu_count()} cores,"
        f" {result.per_second:.0f} events/s"
    )
    print(
        f"  {result.accepted} events answered 200, {result.refused} not, {result.left_open} left"
        f" open; {result.customers} customers, {result.welcomed} welcomed"
    )
    print("  process      first third     last third    change    an hour   (RSS; last PSS)")
    for name, memory in result.memory.items():
        print(
            f"  {name:10} {memory.third(0):9.1f} MiB {memory.third(2):10.1f} MiB"
            f" {memory.growth:+9.1%} {memory.slope:+6.1f} MiB   ({memory.samples[-1][2]:.1f} MiB)"
        )
    print(f"  goal at most +{GOAL:.0%}, all done: {'met' if result.met else 'MISSED'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--minutes", type=float, default=10, help="after the minute of warm-up")
    parser.add_argument("--per-second", type=float, help="events; a third of the full rate")
    options = parser.parse_args(arguments)
    met = True
    for kind in options.kinds or KINDS:
        result = measure(kind, options.minutes * 60, per_second=options.per_second)
        show(kind, result)
        met = met and result.met
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
