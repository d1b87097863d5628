"""Which of two contacts stands, and who may be one member."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.sync.rename_rules import Stretch, former_one_stands, may_be_one, replaced

T = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("former", "present", "former_stands"),
    [
        (Stretch("active", T, None), Stretch("active", T, None), True),
        (Stretch("half", T, None), Stretch("active", T + HOUR, None), True),
        # The customer went away from the new userid: the end is what happened last.
        (Stretch("active", T, None), Stretch("ended", T + HOUR, T + HOUR), False),
        # The end under the former one is older than the new beginning.
        (Stretch("ended", T, T + HOUR), Stretch("active", T + 2 * HOUR, None), False),
        (Stretch("ended", T, T + 3 * HOUR), Stretch("active", T + 2 * HOUR, None), True),
        (Stretch("ended", T, T + HOUR), Stretch("ended", T, T + 2 * HOUR), False),
    ],
)
def test_of_two_contacts_what_happened_last_is_true(
    former: Stretch, present: Stretch, former_stands: bool
) -> None:
    assert former_one_stands(former, present) is former_stands


@pytest.mark.parametrize(
    ("shared", "had", "may_be"), [(0, 0, False), (0, 3, False), (1, 3, False), (2, 3, True)]
)
def test_who_has_few_of_the_contacts_is_somebody_else(shared: int, had: int, may_be: bool) -> None:
    assert may_be_one(shared, had) is may_be


def test_a_userid_is_replaced_where_it_is_the_whole_text() -> None:
    terms = {"actor": "li", "note": "li said so", "list": ["wang", "li", "li2"], "li": None}

    assert replaced(terms, "li", "li2") == {
        "actor": "li2",
        "note": "li said so",
        "list": ["wang", "li2"],
        "li": None,
    }
