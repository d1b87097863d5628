"""A click decides small things, for whoever may, while there is something to decide."""

from typing import Any

import pytest

from bot.handover.card_rules import Outcome, refusal
from bot.rights import is_small

FINE: dict[str, Any] = {
    "may_approve": True,
    "is_cancelled": False,
    "is_open": True,
    "is_changed": False,
    "customers": 20,
}


def test_twenty_customers_are_few_and_one_more_is_not() -> None:
    assert is_small(0)
    assert is_small(20)
    assert not is_small(21)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, None),
        ({"customers": 21}, Outcome.TOO_MANY),
        ({"is_open": False}, Outcome.DECIDED),
        ({"is_open": False, "is_cancelled": True}, Outcome.CANCELLED),
        ({"is_changed": True}, Outcome.CHANGED),
        ({"is_changed": True, "is_open": False}, Outcome.DECIDED),
        ({"may_approve": False}, Outcome.NO_RIGHT),
    ],
)
def test_what_a_click_comes_to(changes: dict[str, Any], outcome: Outcome | None) -> None:
    assert refusal(**{**FINE, **changes}) == outcome


def test_who_has_no_right_learns_nothing_else() -> None:
    outcome = refusal(
        may_approve=False, is_cancelled=True, is_open=False, is_changed=True, customers=99
    )

    assert outcome is Outcome.NO_RIGHT
