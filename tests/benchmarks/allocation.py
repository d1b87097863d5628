"""How long a decision takes, and a dry run over many past arrivals, and how much memory it needs.

python -m tests.benchmarks.allocation [--arrivals 100000] [--staff 500]
"""

import argparse
import random
import resource
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast
from unittest.mock import MagicMock, patch

from peewee import chunked

from bot import db, migrations
from bot.allocation import dry_runs
from bot.allocation.rules import Arrival, Firm, Numbers, Person, Product, Rule, Rules, decide
from bot.kegui import Kegui
from bot.models import Allocation, DryRun, RuleSet, Staff
from bot.reason import NO_REASON
from bot.staff.duty import Licence
from config import settings

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = date(2026, 12, 1)
CHANNELS = ("fund-1", "fund-2", "expo", "web", "branch")
BODY = """
version = "benchmark"
[[rule]]
name = "fund"
channels = ["fund-*"]
licences = ["fund"]
strategy = "least_loaded"
[[rule]]
name = "expo"
channels = ["expo"]
departments = [2, 3]
strategy = "round_robin"
[[rule]]
name = "web"
channels = ["web"]
strategy = "weighted"
[[rule]]
name = "rest"
"""
LICENCE = {"kind": "fund", "number": "1", "valid_from": "2020-01-01", "valid_to": "2030-01-01"}


@dataclass(frozen=True)
class Result:
    """Milliseconds of a decision by strategy; seconds and MiB of the dry run, all of the processor:
    others may be at work on it."""

    decisions: dict[str, float]
    arrivals: int
    seconds: float
    peak_at_a_tenth: float
    peak: float


def decisions(staff: int = 500, rounds: int = 50) -> dict[str, float]:
    """Return the median time of one explained decision over so many candidates, in ms."""
    fund = Licence("fund", "1", None, date(2030, 1, 1))
    firm = Firm(
        Person(f"s{number:04}", (number % 5,), 10_000, 50, (fund,)) for number in range(staff)
    )
    numbers = Numbers({f"s{number:04}": number % 97 for number in range(staff)})
    arrival = Arrival("wm", "s0001", "fund-1", BEGIN, DAY, tags=frozenset({"基金"}))
    found = {}
    for strategy in ("first", "round_robin", "weighted", "least_loaded", "former_owner"):
        rule = Rule("r", licences=("fund",), strategy=strategy)
        rules = Rules("1", (rule,), {"fund": Product(("fund",), ("基金",))})
        decide(arrival, rules, firm, numbers, 0)
        took = []
        for seed in range(rounds):
            began = time.process_time()
            decide(arrival, rules, firm, numbers, seed)
            took.append((time.process_time() - began) * 1000)
        found[strategy] = median(took)
    return found


def fill(arrivals: int, staff: int) -> DryRun:
    """Fill the database with members, past arrivals, and a run that waits."""
    draw = random.Random(7)  # noqa: S311
    with db.transaction():
        rows = [
            {
                "userid": f"s{number:04}",
                "departments": [number % 5],
                "serves": True,
                "licences": [LICENCE] if number % 2 else [],
                "capacity": 100_000,
                "daily_quota": 200,
                "seen_at": BEGIN,
            }
            for number in range(staff)
        ]
        for some in chunked(rows, 50):
            Staff.insert_many(some).execute()
        step = timedelta(days=300) / arrivals
        made: Any = (
            {
                "event_id": number,
                "external_userid": f"wm{number}",
                "added_userid": f"s{draw.randrange(staff):04}",
                "channel": draw.choice(CHANNELS),
                "owner": f"s{draw.randrange(staff):04}",
                "outcome": "owned",
                "rules_version": "1",
                **NO_REASON.columns(),
                "arrival": {"tags": [], "type": 1, "former_owners": []},
                "decided_at": BEGIN + number * step,
            }
            for number in range(arrivals)
        )
        for some in chunked(made, 50):
            Allocation.insert_many(some).execute()
        row = RuleSet.create(
            kind="allocation",
            number=1,
            label="benchmark",
            body=BODY,
            body_sha256="",
            source="api",
            state="draft",
            drafted_by="benchmark",
            drafted_at=BEGIN,
        )
        return DryRun.create(
            rule_set_id=row.id,
            since=BEGIN,
            until=BEGIN + timedelta(days=400),
            asked_by="benchmark",
            asked_at=BEGIN,
        )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(arrivals: int = 100_000, staff: int = 500) -> Result:
    """Measure both, the dry run on a fresh SQLite database."""
    found = decisions(staff)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'kegui.db'}"
        made = cast(Any, db.connect(url))
        migrations.up()
        kegui = Kegui(
            settings.load({"KEGUI_DATABASE_URL": url, "KEGUI_CORP_ID": "ww1"}),
            MagicMock(),
            MagicMock(),
            MagicMock(),
        )
        with db.connection():
            run = fill(arrivals, staff)
            at_a_tenth: list[float] = []
            hold = dry_runs._hold

            def held(row: DryRun, tried: int) -> bool:
                if tried >= arrivals / 10 and not at_a_tenth:
                    at_a_tenth.append(_peak())
                return hold(row, tried)

            with patch.object(dry_runs, "_hold", held):
                began = time.process_time()
                dry_runs.carry_out(run.id, kegui)
                took = time.process_time() - began
            done = DryRun.get_by_id(run.id)
            assert done.state == "done", done.error
            assert done.result["arrivals"] == arrivals
            assert done.result["violations"] == []
        made.close_all()
    return Result(found, arrivals, took, at_a_tenth[0], _peak())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrivals", type=int, default=100_000)
    parser.add_argument("--staff", type=int, default=500)
    asked = parser.parse_args()
    result = measure(asked.arrivals, asked.staff)
    for strategy, took in result.decisions.items():
        print(f"one decision over {asked.staff} candidates, {strategy}: {took:.2f} ms")
    print(
        f"dry run over {result.arrivals} arrivals, {asked.staff} members: {result.seconds:.1f} s,"
        f" peak {result.peak_at_a_tenth:.0f} MiB after a tenth, {result.peak:.0f} MiB at the end"
    )


if __name__ == "__main__":
    main()
