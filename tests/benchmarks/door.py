"""What the door costs: `python -m tests.benchmarks.door [sqlite] [postgres]`.

Three contestants take turns, so that whatever else the machine does hits all alike:

* stored: `kegui web` as shipped; each 200 stands for a committed row;
* minimal: Flask and wechatpy's decryption in two processes, and nothing is stored or logged;
* commits: one-row transactions of the same size, from as many writers as the server has threads.

The goal, by the medians of all rounds: stored >= 0.4 x minimal on SQLite, 0.5 x on PostgreSQL.

`--half-load` adds as many rounds in which the events come evenly, at half of the rate that was
stored: 99 % are answered within 0.1 s.

`--old-rows N` asks something else: two installations take turns, one of which has N settled events
in its inbox. It stores at least 90 % of what the other one stores.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot import db
from bot.models import InboxEvent
from bot.sandbox.place import Place, make_place
from bot.sandbox.remote import Remote
from config import gunicorn as web_server
from tests.benchmarks import commits, load
from tests.benchmarks.old_rows import fill
from tests.benchmarks.places import KINDS, storage
from tests.stack import free_port

GOALS = {"sqlite": 0.4, "postgres": 0.5}
HALF_LOAD_GOAL_SECONDS = 0.1
OLD_ROWS_GOAL = 0.1
SHIPPED = "bot.app:create_app()"
CONNECTIONS = 16
MINIMAL = "tests.benchmarks.minimal:create_app()"
MINIMAL_SERVER = ("--workers", "2", "--threads", "16", "--keep-alive", "5")


@dataclass(frozen=True)
class Result:
    """The rounds of one kind of database."""

    kind: str
    stored: list[load.Run]
    minimal: list[load.Run]
    commits: list[float]
    rows: int
    warm_up: int
    half: list[load.Run]

    @property
    def ratio(self) -> float:
        minimal = statistics.median(run.per_second for run in self.minimal)
        return statistics.median(run.per_second for run in self.stored) / minimal

    @property
    def goal(self) -> float:
        return GOALS[self.kind]

    @property
    def nothing_lost(self) -> bool:
        return self.rows == self.accepted and not any(
            run.refused for run in self.stored + self.minimal + self.half
        )

    @property
    def accepted(self) -> int:
        return self.warm_up + sum(run.accepted for run in self.stored + self.half)

    @property
    def late_at_half_load(self) -> float:
        return statistics.median(run.late for run in self.half)

    @property
    def met(self) -> bool:
        in_time = not self.half or self.late_at_half_load < HALF_LOAD_GOAL_SECONDS
        return self.nothing_lost and self.ratio >= self.goal and in_time


@dataclass(frozen=True)
class OldRowsResult:
    """The rounds of an empty inbox, and those of one with so many old rows."""

    old_rows: int
    empty: list[load.Run]
    full: list[load.Run]

    @property
    def change(self) -> float:
        """How much more or less the full one stores: -0.1 is a tenth less."""
        empty, full = (
            statistics.median(run.per_second for run in runs) for runs in (self.empty, self.full)
        )
        return full / empty - 1

    @property
    def met(self) -> bool:
        refused = any(run.refused for run in self.empty + self.full)
        return not refused and self.change >= -OLD_ROWS_GOAL


def measure(kind: str, rounds: int, amount: int, half_load: bool = False) -> Result:
    """Let the three take turns on one kind of database."""
    with storage(kind) as (folder, database_url, queue_url):
        first = make_place(
            folder, web_port=free_port(), DATABASE_URL=database_url, QUEUE_URL=queue_url
        )
        second = make_place(
            folder,
            web_port=free_port(),
            DATABASE_URL=database_url,
            QUEUE_URL=queue_url,
            # Over one database there is one data key.
            DATA_KEY=first.environment["KEGUI_DATA_KEY"],
        )
        places = [first, second]
        _kegui(places[0], "migrate")
        commits.prepare(database_url)
        with _serving(places[0], SHIPPED, folder), _serving(places[1], MINIMAL, folder):
            result = _take_turns(kind, places, database_url, rounds, amount, half_load)
    return result


def measure_old_rows(kind: str, rounds: int, amount: int, old_rows: int) -> OldRowsResult:
    """Let an empty inbox and one with old rows take turns."""
    runs: tuple[list[load.Run], list[load.Run]] = ([], [])
    with ExitStack() as open_now:
        places = []
        for rows in (0, old_rows):
            folder, database_url, queue_url = open_now.enter_context(storage(kind))
            place = make_place(
                folder, web_port=free_port(), DATABASE_URL=database_url, QUEUE_URL=queue_url
            )
            _kegui(place, "migrate")
            if rows:
                fill(database_url, rows)
            open_now.enter_context(_serving(place, SHIPPED, folder))
            places.append(place)
        for number in range(rounds + 1):
            # Whoever comes first in one round comes last in the next.
            for one in (0, 1) if number % 2 else (1, 0):
                requests = load.events(places[one], number * amount, amount)
                run = load.drive(places[one].web_url, requests, CONNECTIONS)
                if number:
                    runs[one].append(run)
    return OldRowsResult(old_rows, *runs)


def _take_turns(
    kind: str, places: Sequence[Place], url: str, rounds: int, amount: int, half_load: bool
) -> Result:
    stored: list[load.Run] = []
    minimal: list[load.Run] = []
    raw: list[float] = []
    payload = len(load.customer_added(places[0].environment["KEGUI_CORP_ID"], 0)) + 29
    warm_up = max(64, amount // 5)
    for number in range(rounds + 1):
        size = amount if number else warm_up
        first = number * amount
        runs = [
            load.drive(place.web_url, load.events(place, first, size), CONNECTIONS)
            for place in places
        ]
        commits_per_second = commits.measure(
            url, payload, size, web_server.workers_for(url), web_server.threads
        )
        if number:
            stored.append(runs[0])
            minimal.append(runs[1])
            raw.append(commits_per_second)
        else:
            warm_up = runs[0].accepted
    half: list[load.Run] = []
    rate = statistics.median(run.per_second for run in stored) / 2
    for number in range(rounds if half_load else 0):
        first = (rounds + 1 + number) * amount
        # As long as a round at the full rate.
        requests = load.events(places[0], first, max(64, amount // 2))
        half.append(load.drive(places[0].web_url, requests, CONNECTIONS, per_second=rate))
    database = db.connect(url)
    with db.connection():
        rows = InboxEvent.select().count()
    database.close_all()
    return Result(kind, stored, minimal, raw, rows, warm_up, half)


@contextmanager
def _serving(place: Place, application: str, folder: Path) -> Iterator[None]:
    """Run one server: `kegui web`, or gunicorn with another application."""
    address = ("--bind", place.environment["KEGUI_BIND"])
    command = (
        ["-m", "bot", "web"]
        if application == SHIPPED
        else ["-m", "gunicorn", *MINIMAL_SERVER, *address, application]
    )
    with (folder / f"{urlsplit(place.web_url).port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command], env=_environment(place), stdout=log, stderr=log
        )
    try:
        Remote(place.web_url).wait_until_it_answers("/readyz", 30)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _kegui(place: Place, command: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "bot", command],
        env=_environment(place),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _environment(place: Place) -> dict[str, str]:
    return {**os.environ, **place.environment}


def show(kind: str, result: Result) -> None:
    """Print one table."""

    _show_head(kind, len(result.stored))
    _show_line("stored", [run.per_second for run in result.stored], _waits(result.stored))
    _show_line("minimal", [run.per_second for run in result.minimal], _waits(result.minimal))
    _show_line("commits", result.commits)
    if result.half:
        _show_line("half load", [run.per_second for run in result.half], _waits(result.half))
        print(
            f"  at half load p99 {result.late_at_half_load * 1000:.0f} ms,"
            f" goal below {HALF_LOAD_GOAL_SECONDS * 1000:.0f} ms"
        )
    print(f"  {result.accepted} answers 200, {result.rows} rows")
    print(f"  ratio {result.ratio:.2f}, goal {result.goal}: {'met' if result.met else 'MISSED'}")


def show_old_rows(kind: str, result: OldRowsResult) -> None:
    """Print one table."""
    _show_head(kind, len(result.empty))
    for name, runs in (("empty", result.empty), ("full", result.full)):
        _show_line(name, [run.per_second for run in runs], _waits(runs))
    print(
        f"  {result.old_rows} old rows change the rate by {result.change:+.1%},"
        f" goal -{OLD_ROWS_GOAL:.0%} at worst: {'met' if result.met else 'MISSED'}"
    )


def _show_head(kind: str, rounds: int) -> None:
    writers = web_server.workers_for(kind) * web_server.threads
    print(
        f"{kind}: {rounds} rounds, {os.cpu_count()} cores, {writers} threads,"
        f" {CONNECTIONS} connections"
    )


def _show_line(name: str, rates: Sequence[float], more: str = "") -> None:
    print(
        f"  {name:9} {statistics.median(rates):8.0f}/s"
        f"   ({min(rates):.0f} to {max(rates):.0f}){more}"
    )


def _waits(runs: Sequence[load.Run]) -> str:
    median = statistics.median(run.median for run in runs) * 1000
    late = statistics.median(run.late for run in runs) * 1000
    share = statistics.median(run.load for run in runs)
    return f"   p50 {median:.0f} ms, p99 {late:.0f} ms, generator {share:.0%} of a core"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--amount", type=int, default=3000, help="events in each round")
    parser.add_argument("--half-load", action="store_true", help="and evenly at half of the rate")
    parser.add_argument("--old-rows", type=int, metavar="N", help="compare with N settled rows")
    options = parser.parse_args(arguments)
    met = True
    for kind in options.kinds or KINDS:
        if options.old_rows:
            compared = measure_old_rows(kind, options.rounds, options.amount, options.old_rows)
            show_old_rows(kind, compared)
            met = met and compared.met
        else:
            result = measure(kind, options.rounds, options.amount, options.half_load)
            show(kind, result)
            met = met and result.met
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
