"""The benchmarks run; what they find on a busy machine is not judged here."""

from tests.benchmarks import door, welcome


def test_the_door_keeps_one_row_for_each_200() -> None:
    result = door.measure("sqlite", rounds=1, amount=64)

    assert result.nothing_lost
    assert result.ratio > 0


def test_a_small_rush_is_welcomed_once_each_and_in_time() -> None:
    result = welcome.measure("sqlite", customers=6, seconds=0.5, members=2)

    assert result.met
