"""What processes count: added up in one table, kept while it cannot be stored, bounded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from bot import db, metrics
from bot.metrics import NO_ANSWER, OTHER, WECOM_CALLS, Storing, count_call
from bot.models import MetricCount
from bot.wecom import CallRecord

UNREACHABLE = "postgresql://somebody:pass-word@127.0.0.1:1/kegui"


class Process:
    """A process with counters of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.knocks = Counter("knocks_total", "Knocks", ["door"], registry=self.registry)
        self.seconds = Histogram(
            "seconds", "Seconds", ["door"], buckets=(1, 2), registry=self.registry
        )
        self.storing = Storing(self.registry)


@contextmanager
def database_away() -> Iterator[None]:
    """The models' database does not answer for the block."""
    here = db.database.obj
    db.close()
    db.connect(UNREACHABLE)
    yield
    db.database.initialize(here)
    db.database.connect()


def stored() -> dict[str, float]:
    return {f"{row.name} {row.labels}": row.value for row in MetricCount.select()}


def test_what_two_processes_count_is_added_up(store: str) -> None:
    one, other = Process(), Process()
    one.knocks.labels("customer").inc(2)
    other.knocks.labels("customer").inc(3)
    other.knocks.labels("archive").inc()
    one.seconds.labels("customer").observe(0.5)
    other.seconds.labels("customer").observe(1.5)

    for process in (one, other, one, other):
        process.storing.store()

    assert stored() == {
        'knocks_total {"door": "customer"}': 5,
        'knocks_total {"door": "archive"}': 1,
        'seconds_bucket {"door": "customer", "le": "1.0"}': 1,
        'seconds_bucket {"door": "customer", "le": "2.0"}': 2,
        'seconds_bucket {"door": "customer", "le": "+Inf"}': 2,
        'seconds_count {"door": "customer"}': 2,
        'seconds_sum {"door": "customer"}': 2,
    }


def test_processes_that_store_at_the_same_moment_lose_nothing(store: str) -> None:
    def count(door: str) -> None:
        process = Process()
        for number in range(20):
            for each in (door, "customer", "archive", f"{door}{number % 3}"):
                process.knocks.labels(each).inc()
            process.storing.store()

    with db.released(), ThreadPoolExecutor(4) as pool:
        list(pool.map(count, "abcd"))

    assert sum(stored().values()) == 4 * 20 * 4


def test_what_cannot_be_stored_is_kept_and_stored_once(store: str) -> None:
    process = Process()
    with database_away():
        process.knocks.labels("customer").inc()
        process.storing.store()
        process.knocks.labels("customer").inc()
        process.storing.store()

    process.storing.store()
    process.storing.store()

    assert stored() == {'knocks_total {"door": "customer"}': 2}


def test_the_last_counts_are_stored_when_the_process_ends(store: str) -> None:
    process = Process()
    with process.storing:
        process.knocks.labels("customer").inc()

    assert stored() == {'knocks_total {"door": "customer"}': 1}


def codes_of(endpoint: str) -> set[str]:
    return {
        sample.labels["code"]
        for metric in WECOM_CALLS.collect()
        for sample in metric.samples
        if sample.labels["endpoint"] == endpoint
    }


def test_a_platform_that_invents_codes_makes_no_endless_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "_codes", set())

    for code in (None, 0, 41051, *range(100_000, 101_000)):
        count_call(CallRecord("invented/codes", "app", code, 0.1))
    count_call(CallRecord("invented/codes", "app", 41051, 0.1))

    codes = codes_of("invented/codes")
    assert {NO_ANSWER, "0", "41051", OTHER} <= codes
    assert len(codes) <= metrics.MOST_CODES + 2
