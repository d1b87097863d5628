"""A rush of new customers: `python -m tests.benchmarks.welcome [sqlite] [postgres]`.

A thousand customers add fifty members within ten seconds, and every answer of the platform takes
0.15 s. Web, worker and clock run as shipped. Each welcome must be carried out exactly once, and
inside the 20 seconds that its code lives; what is measured lies between the moment at which the
platform sends the callback and the moment at which it carries the welcome out.
"""

import argparse
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.places import KINDS, storage
from tests.stack import Stack, running_stack

WINDOW_SECONDS = 20
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

    @property
    def met(self) -> bool:
        return (
            len(self.waits) == self.customers
            and self.repeated == 0
            and max(self.waits) < WINDOW_SECONDS
        )


def measure(kind: str, customers: int, seconds: float, members: int = MEMBERS) -> Result:
    """Let the rush come upon a fresh installation."""
    with (
        storage(kind) as (folder, database_url, queue_url),
        running_stack(folder, database_url, queue_url) as stack,
    ):
        stack.sandbox.post(
            "/sandbox/staff", staff=[{"userid": f"member{one}"} for one in range(members)]
        )
        stack.command("sync")
        stack.sandbox.patch("/sandbox/switches", latency_seconds=LATENCY_SECONDS)
        took = _rush(stack, customers, seconds, members)
        _wait_until_all_is_decided(stack, customers)
        return _read_books(stack, customers, took)


def _rush(stack: Stack, customers: int, seconds: float, members: int) -> float:
    """Let the customers come evenly, and return how long it took."""
    began = time.monotonic()

    def arrive(number: int) -> None:
        pause = began + number * seconds / customers - time.monotonic()
        if pause > 0:
            threading.Event().wait(pause)
        stack.sandbox.post(
            "/sandbox/customers",
            userid=f"member{number % members}",
            external_userid=f"wm_rush_{number}",
        )

    with ThreadPoolExecutor(HANDS) as hands:
        for _ in hands.map(arrive, range(customers)):
            pass
    return time.monotonic() - began


def _wait_until_all_is_decided(stack: Stack, customers: int) -> None:
    """Wait until every welcome was carried out, or all codes have run out."""
    end = time.monotonic() + WINDOW_SECONDS + 5
    while time.monotonic() < end and len(stack.executed("welcome_sent")) < customers:
        time.sleep(0.5)
    # Whoever would send a second time has a moment to do so.
    time.sleep(2)


def _read_books(stack: Stack, customers: int, took: float) -> Result:
    sent: dict[str, float] = {
        event["fields"]["ExternalUserID"]: event["wall"]
        for event in stack.sandbox.get("/sandbox/events")["events"]
        if event["fields"].get("ChangeType") == "add_external_contact"
    }
    welcomes: list[dict[str, Any]] = stack.executed("welcome_sent")
    times = Counter(welcome["external_userid"] for welcome in welcomes)
    waits = [
        welcome["wall"] - sent[welcome["external_userid"]]
        for welcome in welcomes
        if welcome["external_userid"] in sent
    ]
    calls = stack.sandbox.get("/sandbox/counts").get("externalcontact/send_welcome_msg", {})
    refusals = {code: number for code, number in calls.items() if code != "0"}
    return Result(customers, took, waits, sum(times.values()) - len(times), refusals)


def show(kind: str, result: Result) -> None:
    """Print a few lines."""
    print(
        f"{kind}: {result.customers} customers in {result.sending_seconds:.1f} s,"
        f" every answer after {LATENCY_SECONDS} s"
    )
    print(f"  {len(result.waits)} welcomes, {result.repeated} of them repeated")
    if len(result.waits) > 1:
        cuts = statistics.quantiles(result.waits, n=100, method="inclusive")
        print(
            f"  p50 {cuts[49]:.2f} s, p95 {cuts[94]:.2f} s, p99 {cuts[98]:.2f} s,"
            f" max {max(result.waits):.2f} s"
        )
    if result.refusals:
        print(f"  refusals by code: {result.refusals}")
    print(f"  all once and inside {WINDOW_SECONDS} s: {'yes' if result.met else 'NO'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args(arguments)
    results = []
    for kind in options.kinds or KINDS:
        results.append(measure(kind, options.customers, options.seconds))
        show(kind, results[-1])
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
