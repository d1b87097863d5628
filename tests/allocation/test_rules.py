"""Who looks after a new customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.allocation.rules import Decision, Rule, choose_owner, first_contact, rules_from
from bot.staff.candidate import Candidate
from config import table

EVERYBODY = Rule("everybody")
WEALTH = Rule("wealth", channels=("wealth-*",), departments=(2,), transfer=True)


def staff(
    userid: str, customers: int = 0, capacity: int | None = 10, unfit: str = "", department: int = 1
) -> Candidate:
    return Candidate(userid, (department,), customers, capacity, unfit)


def test_the_added_member_is_the_owner_when_eligible() -> None:
    decision = choose_owner("", "zhangsan", [EVERYBODY], [staff("zhangsan", 9), staff("lihua")])

    assert decision == Decision(
        "zhangsan", "the added member is eligible", "everybody", False, excluded=()
    )


def test_a_full_member_gets_nobody_and_no_other_does_without_transfer() -> None:
    decision = choose_owner("", "zhangsan", [EVERYBODY], [staff("zhangsan", 10), staff("lihua")])

    assert decision.owner is None
    assert decision.reason == "the added member is not eligible: full"
    assert decision.excluded == (("zhangsan", "full"),)


def test_a_transfer_rule_names_the_least_loaded_of_its_departments() -> None:
    decision = choose_owner(
        "wealth-2026",
        "zhangsan",
        [WEALTH, EVERYBODY],
        [
            staff("zhangsan", 0, department=1),
            staff("lihua", 5, department=2),
            staff("wangwu", 2, department=2),
        ],
    )

    assert (decision.owner, decision.transfer, decision.rule) == ("wangwu", True, "wealth")
    assert decision.excluded == (("zhangsan", "not in the rule"),)


def test_a_rule_names_members_in_whatever_letters() -> None:
    rule = Rule("two", userids=("LiHua", "zhangsan"))
    candidates = [staff("lihua"), staff("ZhangSan"), staff("wangwu")]

    assert [rule.allows(candidate) for candidate in candidates] == [True, True, False]


def test_a_tie_goes_to_the_userid_that_sorts_first() -> None:
    two = [staff("wangwu", 2, department=2), staff("lihua", 2, department=2)]

    assert choose_owner("wealth-1", "zhangsan", [WEALTH], two).owner == "lihua"


def test_the_first_rule_that_covers_the_channel_decides() -> None:
    candidates = [staff("zhangsan", department=1), staff("lihua", department=2)]

    assert choose_owner("wealth-1", "zhangsan", [WEALTH, EVERYBODY], candidates).rule == "wealth"
    assert choose_owner("other", "zhangsan", [WEALTH, EVERYBODY], candidates).rule == "everybody"


@pytest.mark.parametrize("why", ["is leaving", "not an active member", "has no 客户联系"])
def test_an_unfit_member_is_excluded_with_the_reason(why: str) -> None:
    decision = choose_owner("", "zhangsan", [EVERYBODY], [staff("zhangsan", unfit=why)])

    assert decision.owner is None
    assert decision.excluded == (("zhangsan", why),)


def test_without_a_rule_for_the_channel_nobody_is_chosen() -> None:
    decision = choose_owner("other", "zhangsan", [WEALTH], [staff("zhangsan")])

    assert (decision.owner, decision.rule) == (None, None)


def test_a_member_without_capacity_always_has_room() -> None:
    decision = choose_owner("", "zhangsan", [EVERYBODY], [staff("zhangsan", 9999, capacity=None)])

    assert decision.owner == "zhangsan"


candidates = st.lists(
    st.builds(
        staff,
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(0, 12),
        st.one_of(st.none(), st.integers(0, 12)),
        st.sampled_from(["", "is leaving"]),
        st.integers(1, 3),
    ),
    unique_by=lambda candidate: candidate.userid,
)


@given(candidates, st.sampled_from(["", "wealth-x"]), st.sampled_from(["a", "b", "z"]))
def test_whoever_is_chosen_is_eligible_and_the_order_of_candidates_does_not_matter(
    everybody: list[Candidate], channel: str, added: str
) -> None:
    rules = [WEALTH, EVERYBODY]

    decision = choose_owner(channel, added, rules, everybody)
    again = choose_owner(channel, added, rules, everybody[::-1])

    assert decision.owner == again.owner
    if decision.owner is not None:
        chosen = next(one for one in everybody if one.userid == decision.owner)
        assert chosen.exclusion == ""
        assert decision.transfer == (decision.owner != added)


def test_the_shipped_table_can_be_read() -> None:
    assert rules_from(table("allocation"))
    assert table("allocation")["version"]


def test_whoever_met_the_customer_first_and_may_own_customers_is_the_first_contact() -> None:
    left, full, fit = (
        Candidate("left", unfit="not an active member"),
        Candidate("full", customers=9, capacity=9),
        Candidate("fit"),
    )

    assert first_contact(["left", "full", "fit"], [left, full, fit]) == "full"
    assert first_contact(["left", "nobody"], [left, full, fit]) is None
    assert first_contact([], [fit]) is None
