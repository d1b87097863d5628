"""What durability costs at the door: `python -m tests.benchmarks.door [sqlite] [postgres]`.

Three contestants take turns, so that whatever else the machine does hits all alike:

* stored: `kegui web` as shipped; each 200 stands for a committed row;
* bare: the same server and the same work on each event, but nothing is stored;
* commits: one-row transactions of the same size, from as many writers as the server has threads.

The goal: stored >= 0.4 x the smaller of the other two, by the medians of all rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot import db
from bot.models import InboxEvent
from bot.sandbox.place import Place, make_place
from bot.sandbox.remote import Remote
from config import gunicorn as web_server
from tests.benchmarks import commits, load
from tests.benchmarks.places import KINDS, storage
from tests.stack import free_port

GOAL = 0.4
SHIPPED = "bot.app:create_app()"
BARE = "tests.benchmarks.bare:create_app()"


@dataclass(frozen=True)
class Result:
    """The rounds of one database."""

    stored: list[load.Run]
    bare: list[load.Run]
    commits: list[float]
    rows: int
    warm_up: int

    @property
    def ratio(self) -> float:
        bare = statistics.median(run.per_second for run in self.bare)
        stored = statistics.median(run.per_second for run in self.stored)
        return stored / min(bare, statistics.median(self.commits))

    @property
    def nothing_lost(self) -> bool:
        return self.rows == self.warm_up + sum(run.accepted for run in self.stored) and not any(
            run.refused for run in self.stored + self.bare
        )

    @property
    def met(self) -> bool:
        return self.nothing_lost and self.ratio >= GOAL


def measure(kind: str, rounds: int, amount: int) -> Result:
    """Let the three take turns on one kind of database."""
    with storage(kind) as (folder, database_url, queue_url):
        places = [
            make_place(folder, web_port=free_port(), DATABASE_URL=database_url, QUEUE_URL=queue_url)
            for _ in range(2)
        ]
        _kegui(places[0], "migrate")
        commits.prepare(database_url)
        with _serving(places[0], SHIPPED, folder), _serving(places[1], BARE, folder):
            result = _take_turns(places, database_url, rounds, amount)
    return result


def _take_turns(places: Sequence[Place], url: str, rounds: int, amount: int) -> Result:
    stored: list[load.Run] = []
    bare: list[load.Run] = []
    raw: list[float] = []
    payload = len(load.customer_added(places[0].environment["KEGUI_CORP_ID"], 0)) + 29
    warm_up = max(64, amount // 5)
    for number in range(rounds + 1):
        size = amount if number else warm_up
        first = number * amount
        runs = [load.drive(place.web_url, load.events(place, first, size)) for place in places]
        commits_per_second = commits.measure(
            url, payload, size, web_server.workers_for(url), web_server.threads
        )
        if number:
            stored.append(runs[0])
            bare.append(runs[1])
            raw.append(commits_per_second)
        else:
            warm_up = runs[0].accepted
    database = db.connect(url)
    with db.connection():
        rows = InboxEvent.select().count()
    database.close_all()
    return Result(stored, bare, raw, rows, warm_up)


@contextmanager
def _serving(place: Place, application: str, folder: Path) -> Iterator[None]:
    """Run one web process: `kegui web`, or the same gunicorn with another application."""
    command = (
        ["-m", "bot", "web"]
        if application == SHIPPED
        else ["-m", "gunicorn", "--config", "python:config.gunicorn", application]
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

    def line(name: str, rates: Sequence[float], more: str = "") -> None:
        print(
            f"  {name:8} {statistics.median(rates):8.0f}/s"
            f"   ({min(rates):.0f} to {max(rates):.0f}){more}"
        )

    def waits(runs: Sequence[load.Run]) -> str:
        median = statistics.median(run.median for run in runs) * 1000
        late = statistics.median(run.late for run in runs) * 1000
        share = statistics.median(run.load for run in runs)
        return f"   p50 {median:.0f} ms, p99 {late:.0f} ms, generator {share:.0%} of a core"

    writers = web_server.workers_for(kind) * web_server.threads
    print(
        f"{kind}: {len(result.stored)} rounds, {os.cpu_count()} cores, {writers} threads,"
        f" {load.CONNECTIONS} connections"
    )
    line("stored", [run.per_second for run in result.stored], waits(result.stored))
    line("bare", [run.per_second for run in result.bare], waits(result.bare))
    line("commits", result.commits)
    accepted = result.warm_up + sum(run.accepted for run in result.stored)
    print(f"  {accepted} answers 200, {result.rows} rows")
    print(f"  ratio {result.ratio:.2f}, goal {GOAL}: {'met' if result.met else 'MISSED'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--amount", type=int, default=3000, help="events in each round")
    options = parser.parse_args(arguments)
    results = []
    for kind in options.kinds or KINDS:
        results.append(measure(kind, options.rounds, options.amount))
        show(kind, results[-1])
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
