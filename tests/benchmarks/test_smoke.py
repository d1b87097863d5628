"""The benchmarks run; what they find on a busy machine is not judged here."""

import pytest

from bot.allocation.rules import STRATEGIES
from bot.models import InboxEvent
from tests.benchmarks import allocation, console, door, endurance, risk, welcome
from tests.benchmarks.old_rows import PAYLOAD_BYTES, fill


def test_the_door_keeps_one_row_for_each_200() -> None:
    result = door.measure("sqlite", rounds=1, amount=64, half_load=True)

    assert result.nothing_lost
    assert result.ratio > 0
    [run] = result.half
    # 64 events, evenly: neither all at once nor for ever.
    rate = result.stored[0].per_second / 2
    assert 0.3 * rate < run.per_second < 1.2 * rate


def test_an_inbox_with_old_rows_takes_turns_with_an_empty_one() -> None:
    result = door.measure_old_rows("sqlite", rounds=1, amount=64, old_rows=100)

    assert [run.accepted for run in result.empty + result.full] == [64, 64]


def test_old_rows_are_settled_events_of_years(store: str) -> None:
    fill(store, 60)

    rows = list(InboxEvent.select().order_by(InboxEvent.id))
    assert len({row.key for row in rows}) == 60
    assert {len(row.key) for row in rows} == {64}
    assert {len(row.payload) for row in rows} == {PAYLOAD_BYTES}
    assert {row.state for row in rows} == {"done", "ignored"}
    assert len({row.userid for row in rows}) == 50
    assert (rows[-1].received_at - rows[0].received_at).days > 700


def test_a_small_rush_is_welcomed_once_each_and_in_time() -> None:
    result = welcome.measure("sqlite", customers=6, seconds=0.5, members=2, workers=2)

    assert result.met


def test_rushes_come_by_turns() -> None:
    result = welcome.measure_old_rows(
        "sqlite", customers=6, seconds=0.5, old_rows=100, rounds=1, members=2
    )

    assert all(rush.all_in_time for rush in result.empty + result.full)


def test_memory_is_read_while_events_and_customers_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endurance, "SLICE_SECONDS", 1)

    result = endurance.measure("sqlite", 2, warm_up=0, look=0.2, per_second=20)

    assert result.all_done
    assert result.accepted > 0
    assert result.customers > 0
    assert set(result.memory) == {"web", "web 1", "web 2", "worker", "clock"}
    assert all(memory.third(0) > 10 for memory in result.memory.values())


def test_growth_is_seen() -> None:
    leak = endurance.Memory([(float(at), 100 + at, 0) for at in range(9)])

    assert leak.growth == pytest.approx(107 / 101 - 1)
    assert leak.slope == pytest.approx(3600)


@pytest.mark.postgres
def test_every_page_of_the_console_is_there_to_be_measured() -> None:
    results = list(console.measure(customers=12_000, staff=500, rounds=1))

    assert len(results) == sum(map(len, console.PAGES.values()))
    assert {(one.who, one.path): one.status for one in results if one.status != 200} == {}
    assert all(0 < one.queries < 40 for one in results)


def test_past_arrivals_are_tried_in_memory_that_does_not_grow() -> None:
    result = allocation.measure(arrivals=3_000, staff=40)

    assert set(result.decisions) == set(STRATEGIES)
    assert result.peak - result.peak_at_a_tenth < 20


def test_messages_are_judged_beside_the_bare_automaton() -> None:
    result = risk.measure(amount=300, terms=200)

    assert result.terms > 200
    assert min(result.bare, result.lexicon, result.everything) > 0
