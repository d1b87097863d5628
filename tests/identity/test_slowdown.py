"""How long somebody who guesses waits."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.identity.slowdown import FORGOTTEN_AFTER, FREE, LONGEST, wait_after

NONE = timedelta()


@given(st.integers(min_value=0, max_value=FREE))
def test_a_few_slips_of_the_hand_cost_nothing(failures: int) -> None:
    assert wait_after(failures) == NONE


@given(st.integers(min_value=FREE + 1, max_value=10**12))
def test_whoever_goes_on_waits_and_never_for_ever(failures: int) -> None:
    assert NONE < wait_after(failures) <= LONGEST < FORGOTTEN_AFTER


@given(st.integers(min_value=FREE + 1, max_value=10**6))
def test_each_failure_more_doubles_the_wait_up_to_the_longest(failures: int) -> None:
    assert wait_after(failures + 1) == min(2 * wait_after(failures), LONGEST)


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_more_failures_never_wait_less(some: int, more: int) -> None:
    assert wait_after(some) <= wait_after(some + more)


def test_in_a_day_nobody_tries_more_than_a_hundred_and_ten_times() -> None:
    spent, tries = NONE, 0
    while spent < timedelta(days=1):
        tries += 1
        spent += wait_after(tries)

    assert tries <= 110
