"""Who takes over, and what WeCom's answers mean."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.handover.rules import (
    Counts,
    Outcome,
    Piece,
    Successor,
    Verdict,
    assign,
    batches,
    judge,
    outcome_of,
    starts_at,
)


def pieces(number: int, tried: frozenset[str] = frozenset()) -> list[Piece]:
    return [Piece(number, tried) for number in range(number)]


def shares(
    number: int, successors: list[Successor], full: tuple[str, ...] = ()
) -> Counter[str | None]:
    return Counter(one.takeover_userid for one in assign(pieces(number), successors, [1], full))


def test_the_work_is_spread_over_the_least_loaded() -> None:
    successors = [Successor("lihua", [1], load=2), Successor("wangwu", [1], load=0)]

    assert shares(4, successors) == {"lihua": 1, "wangwu": 3}


def test_the_leavers_department_comes_before_a_less_loaded_other() -> None:
    successors = [Successor("lihua", [1], load=50), Successor("wangwu", [2], load=0)]

    assert shares(3, successors) == {"lihua": 3}


def test_another_department_takes_what_the_own_one_has_no_room_for() -> None:
    successors = [Successor("lihua", [1], load=8, capacity=10), Successor("wangwu", [2])]

    assert shares(5, successors) == {"lihua": 2, "wangwu": 3}


def test_nobody_is_given_more_than_the_capacity() -> None:
    successors = [Successor("lihua", [1], load=9, capacity=10)]

    assert shares(3, successors) == {"lihua": 1, None: 2}


def test_a_successor_whom_wecom_called_full_gets_nothing_more() -> None:
    successors = [Successor("lihua", [1]), Successor("wangwu", [1])]

    assert shares(4, successors, full=("lihua",)) == {"wangwu": 4}


def test_who_was_named_was_chosen_by_a_person_and_the_reason_says_so() -> None:
    chosen = [Successor("lihua", [2], is_named=True), Successor("wangwu", [1], is_named=True)]

    assert [one.reason for one in assign(pieces(1), chosen[:1], [1])] == ["named"]
    assert {one.reason for one in assign(pieces(2), chosen, [1])} == {"least_loaded_of_named"}


def test_a_customer_who_refused_somebody_goes_to_another() -> None:
    successors = [Successor("lihua", [1]), Successor("wangwu", [1], load=100)]

    [assignment] = assign(pieces(1, frozenset({"lihua"})), successors, [1])

    assert assignment.takeover_userid == "wangwu"


def test_without_anybody_left_the_reason_says_so() -> None:
    [nobody] = assign(pieces(1), [], [1])
    [all_tried] = assign(pieces(1, frozenset({"lihua"})), [Successor("lihua", [1])], [1])
    [all_unfit] = assign(pieces(1), [Successor("lihua", [1], unfit="leaving")], [1])

    assert (nobody.takeover_userid, nobody.reason) == (None, "no_successor_known")
    assert all_tried.reason == "everybody_tried_or_full"
    assert all_unfit.reason == "everybody_full_or_unfit"


successor_lists = st.lists(
    st.builds(
        Successor,
        st.sampled_from("abcde"),
        st.lists(st.integers(1, 2), min_size=1, max_size=1),
        st.integers(0, 20),
        st.one_of(st.none(), st.integers(0, 25)),
        st.sampled_from(["", "", "leaving"]),
    ),
    unique_by=lambda successor: successor.userid,
)


@given(
    st.lists(st.frozensets(st.sampled_from("abcde"), max_size=2), max_size=40),
    successor_lists,
    st.sets(st.sampled_from("abcde"), max_size=2),
)
def test_every_piece_is_assigned_once_and_within_every_bound(
    tried: list[frozenset[str]], successors: list[Successor], full: set[str]
) -> None:
    todo = [Piece(number, names) for number, names in enumerate(tried)]

    assignments = assign(todo, successors, [1], full)

    assert [one.piece_id for one in assignments] == [piece.id for piece in todo]
    known = {successor.userid: successor for successor in successors}
    given_to = Counter(one.takeover_userid for one in assignments if one.takeover_userid)
    for userid, number in given_to.items():
        successor = known[userid]
        assert not successor.unfit
        assert userid not in full
        assert successor.capacity is None or successor.load + number <= successor.capacity
    for assignment, piece in zip(assignments, todo, strict=True):
        assert assignment.reason
        assert assignment.takeover_userid not in piece.tried


@given(st.integers(0, 1000))
def test_batches_are_the_fewest_calls_possible(number: int) -> None:
    calls = batches(range(number))

    assert len(calls) == -(-number // 100)
    assert [one for call in calls for one in call] == list(range(number))


@pytest.mark.parametrize(
    ("errcode", "verdict"),
    [
        (0, Verdict.ACCEPTED),
        (40097, Verdict.OTHER_ENDPOINT),
        (40099, Verdict.FULL),
        (40100, Verdict.LOOK_UP),
        (40128, Verdict.FAILED),
        (40131, Verdict.FAILED),
        (40205, Verdict.UNFIT),
        (45035, Verdict.LATER),
        (99999, Verdict.FAILED),
    ],
)
def test_each_code_means_one_thing(errcode: int, verdict: Verdict) -> None:
    assert judge(errcode) is verdict


@pytest.mark.parametrize(("errcode", "elsewhere"), [(40003, 40003), (40003, 40097), (40097, 40003)])
def test_a_takeover_member_whom_both_endpoints_miss_is_not_asked_for_again(
    errcode: int, elsewhere: int
) -> None:
    assert judge(errcode, elsewhere) is Verdict.UNFIT


@pytest.mark.parametrize("elsewhere", [None, 40097])
def test_the_other_endpoint_is_tried_while_it_may_be_the_right_one(elsewhere: int | None) -> None:
    assert judge(40097, elsewhere) is Verdict.OTHER_ENDPOINT


def test_a_status_that_nobody_knows_means_waiting() -> None:
    assert [outcome_of(status) for status in (1, 2, 3, 4, 5)] == [
        Outcome.DONE,
        Outcome.WAITING,
        Outcome.REFUSED,
        Outcome.FULL,
        Outcome.WAITING,
    ]


def test_submission_starts_the_lead_before_the_end_of_the_last_day_in_shanghai() -> None:
    start = starts_at(date(2026, 11, 30), timedelta(hours=72), ZoneInfo("Asia/Shanghai"))

    assert start == datetime(2026, 11, 27, 16, 0, tzinfo=UTC)


def test_a_handover_is_settled_when_nothing_is_planned_or_on_its_way() -> None:
    assert Counts({"done": 3, "refused": 1}).is_settled
    assert Counts({"done": 3, "refused": 1}).has_exceptions
    assert not Counts({"done": 3, "waiting": 1}).is_settled
    assert not Counts({"done": 3}).has_exceptions
