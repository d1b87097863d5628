"""Who looks after a new customer."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.allocation import rules as made
from bot.allocation.rules import (
    Arrival,
    Firm,
    Numbers,
    Person,
    Product,
    Rule,
    Rules,
    covering,
    decide,
)
from bot.staff.duty import DUTY, LEAVE, OFF, Licence, Period

NOON = datetime(2026, 12, 1, 4, tzinfo=UTC)
DAY = date(2026, 12, 1)
FUND = Product(("fund",), ("基金",))
HOUR = timedelta(hours=1)


def arrival(added: str = "zhangsan", channel: str = "", **more: Any) -> Arrival:
    return Arrival("wm", added, channel, NOON, DAY, **more)


def rule_set(*rules: Rule) -> Rules:
    return Rules("1", rules, {"fund": FUND})


def chosen(rule: Rule, people: list[Person], numbers: Numbers | None = None, **more: Any) -> Any:
    seed = more.pop("seed", 0)
    return decide(arrival(**more), rule_set(rule), Firm(people), numbers or Numbers(), seed)


def test_the_added_member_is_the_owner_when_eligible() -> None:
    decision = chosen(Rule("everybody"), [Person("zhangsan"), Person("lihua")])

    assert (decision.owner, decision.code, decision.transfer) == (
        "zhangsan",
        made.ADDED_FITS,
        False,
    )


def test_a_full_member_gets_nobody_and_no_other_does_without_transfer() -> None:
    people = [Person("zhangsan", capacity=10), Person("lihua")]

    decision = chosen(Rule("everybody"), people, Numbers(load={"zhangsan": 10}))

    assert (decision.owner, decision.code) == (None, made.ADDED_UNFIT)
    assert decision.facts == {"why": "full"}
    assert [(one.userid, one.excluded_by, one.load) for one in decision.candidates] == [
        ("lihua", "", 0),
        ("zhangsan", "full", 10),
    ]


def test_a_transfer_rule_names_the_least_loaded_of_its_departments() -> None:
    rule = Rule("wealth", departments=(2,), transfer=True)
    people = [Person("zhangsan", (1,)), Person("lihua", (2,)), Person("wangwu", (2, 3))]

    decision = chosen(rule, people, Numbers(load={"lihua": 5, "wangwu": 2}))

    assert (decision.owner, decision.transfer) == ("wangwu", True)
    assert decision.facts == {"strategy": "first", "why": "not_in_rule"}


def test_the_first_of_those_named_comes_before_the_least_loaded() -> None:
    rule = Rule("fixed", userids=("wangwu", "lihua"), transfer=True)
    people = [Person("lihua"), Person("wangwu"), Person("zhangsan")]

    assert chosen(rule, people, Numbers(load={"wangwu": 9})).owner == "wangwu"


def test_a_rule_names_members_in_whatever_letters() -> None:
    rule = Rule("two", userids=("LiHua", "zhangsan"))

    found = [rule.allows(Person(one)) for one in ("lihua", "ZhangSan", "wangwu")]

    assert found == [True, True, False]


def test_members_take_turns() -> None:
    rule = Rule("turns", strategy="round_robin")
    firm, numbers = Firm([Person("a"), Person("b"), Person("c")]), Numbers(load={"a": 40})
    got = []
    for minute in range(6):
        at = NOON + timedelta(minutes=minute)
        decision = decide(
            replace(arrival("a"), at=at), rule_set(rule), firm, numbers, minute * 7919
        )
        assert decision.owner
        numbers.note("turns", decision.owner, at)
        got.append(decision.owner)

    assert sorted(got[:3]) == ["a", "b", "c"]
    assert got[3:] == got[:3]


def test_weights_say_how_often_somebody_is_drawn() -> None:
    rule = Rule("weights", strategy="weighted", weights=(("a", 3), ("b", 1), ("c", 0)))
    people = [Person("a"), Person("b"), Person("c")]

    drawn = Counter(chosen(rule, people, added="c", seed=seed).owner for seed in range(4000))

    assert set(drawn) == {"a", "b"}
    assert 0.72 < drawn["a"] / 4000 < 0.78


def test_a_customer_goes_back_to_the_former_owner_who_can() -> None:
    rule = Rule("back", strategy="former_owner")
    people = [Person("a", unfit="leaving"), Person("b"), Person("c")]

    assert chosen(rule, people, added="c", former_owners=("a", "b")).owner == "b"
    assert chosen(rule, people, added="c").owner == "c"


def test_the_department_comes_first_and_then_the_person() -> None:
    rule = Rule("two", departments=(2, 3), strategy="least_loaded", by_department=True)
    people = [Person("a", (2,)), Person("b", (2,)), Person("c", (3,)), Person("d", (3,))]
    # The idlest of all is in the busier department.
    numbers = Numbers(load={"a": 0, "b": 30, "c": 4, "d": 5})

    assert chosen(rule, people, numbers).owner == "c"


def test_where_nobody_fits_the_rule_it_names_decides() -> None:
    rules = rule_set(
        Rule("fund", ("fund-*",), licences=("fund",), transfer=True, otherwise="desk"),
        Rule("desk", userids=("lihua",), transfer=True),
    )
    firm = Firm([Person("zhangsan"), Person("lihua")])

    decision = decide(arrival(channel="fund-1"), rules, firm, Numbers(), 1)

    assert (decision.owner, decision.rule, decision.passed) == ("lihua", "desk", ("fund",))


@pytest.mark.parametrize(
    ("rule", "facts", "covers"),
    [
        (Rule("r", ("wealth-*",)), {"channel": "wealth-1"}, True),
        (Rule("r", ("wealth-*",)), {"channel": "other"}, False),
        # By the channel alone, where no tag speaks; never against a tag.
        (Rule("r", ("f-*",), product="fund"), {"channel": "f-1"}, True),
        (Rule("r", product="fund"), {}, False),
        (Rule("r", product="fund"), {"tags": frozenset({"基金"})}, True),
        (Rule("r", region="上海"), {"tags": frozenset({"上海"})}, True),
        (Rule("r", region="上海"), {"tags": frozenset({"北京"})}, False),
        (Rule("r", tags=("VIP", "老客户")), {"tags": frozenset({"VIP"})}, False),
        (Rule("r", types=("wecom",)), {"type": 2}, True),
        (Rule("r", types=("wecom",)), {"type": 1}, False),
        (Rule("r", hours="off"), {"is_work_time": True}, False),
        (Rule("r", hours="work"), {"is_work_time": True}, True),
        (Rule("r", returning=True), {"former_owners": ("x",)}, True),
        (Rule("r", returning=False), {"former_owners": ("x",)}, False),
    ],
)
def test_a_rule_covers_what_its_conditions_say(
    rule: Rule, facts: dict[str, Any], covers: bool
) -> None:
    assert (covering(arrival(**facts), rule_set(rule)) is not None) is covers


def test_without_a_rule_nobody_is_chosen() -> None:
    decision = chosen(Rule("wealth", ("wealth-*",)), [Person("zhangsan")])

    assert (decision.owner, decision.code, decision.rule) == (None, made.NO_RULE, None)


@pytest.mark.parametrize(
    ("person", "why"),
    [
        (Person("zhangsan", unfit="leaving"), "leaving"),
        (Person("zhangsan"), "no_licence"),
        (Person("zhangsan", licences=(Licence("fund", "1", None, date(2026, 11, 30)),)),
         "licence_expired"),
        (Person("zhangsan", licences=(Licence("fund", "1", date(2026, 12, 2), None),)),
         "no_licence"),
        (Person("zhangsan", licences=(Licence("fund"),),
                availability=(Period(NOON - HOUR, NOON + HOUR, LEAVE),)), "leave"),
        (Person("zhangsan", licences=(Licence("fund"),),
                availability=(Period(NOON, NOON + HOUR, OFF),)), "off_duty"),
        (Person("zhangsan", licences=(Licence("fund"),),
                availability=(Period(NOON + HOUR, NOON + 2 * HOUR, DUTY),)), "off_duty"),
        (Person("zhangsan", licences=(Licence("fund"),), capacity=7), "full"),
        (Person("zhangsan", licences=(Licence("fund"),), daily_quota=3), "quota"),
    ],
)  # fmt: skip
def test_each_exclusion_has_its_code(person: Person, why: str) -> None:
    numbers = Numbers(load={"zhangsan": 7}, today={"zhangsan": 3})

    decision = chosen(Rule("fund", product="fund"), [person], numbers, tags=frozenset({"基金"}))

    assert decision.owner is None
    assert [one.excluded_by for one in decision.candidates] == [why]


def test_a_licence_is_good_on_both_of_its_days() -> None:
    held = (Licence("fund", "F1", DAY, DAY),)

    assert chosen(Rule("fund", licences=("fund",)), [Person("zhangsan", licences=held)]).owner


def test_a_customer_tagged_with_a_licensed_product_needs_the_licence_by_every_rule() -> None:
    decision = chosen(Rule("everybody"), [Person("zhangsan")], tags=frozenset({"基金"}))

    assert decision.owner is None
    assert decision.candidates[0].excluded_by == "no_licence"


def test_whoever_is_after_a_disputed_customer_does_not_get_them() -> None:
    decision = chosen(Rule("everybody"), [Person("zhangsan")], disputed=frozenset({"zhangsan"}))

    assert decision.candidates[0].excluded_by == "conflict"


names = st.sampled_from(list("abcdef"))
licences = st.lists(
    st.builds(
        Licence,
        st.sampled_from(["fund", "insurance"]),
        st.just("1"),
        st.sampled_from([None, date(2026, 11, 1), DAY, date(2027, 1, 1)]),
        st.sampled_from([None, date(2026, 11, 30), DAY, date(2027, 1, 1)]),
    ),
    max_size=2,
).map(tuple)
periods = st.lists(
    st.builds(
        lambda begins, lasts, kind: Period(NOON + begins * HOUR, NOON + lasts * HOUR, kind),
        st.integers(-3, 1),
        st.integers(1, 3),
        st.sampled_from([DUTY, LEAVE, OFF]),
    ),
    max_size=2,
).map(tuple)
staff = st.lists(
    st.builds(
        Person,
        names,
        st.lists(st.integers(1, 3), max_size=2).map(tuple),
        st.none() | st.integers(0, 6),
        st.none() | st.integers(0, 3),
        licences,
        st.just(frozenset()),
        periods,
        st.sampled_from(["", "", "", "leaving"]),
    ),
    unique_by=lambda one: one.userid,
)
counts = st.dictionaries(names, st.integers(0, 7))
plain_rules = st.builds(
    Rule,
    st.just(""),
    st.sampled_from([("*",), ("x",)]),
    st.sampled_from([(), (2,), (2, 3)]),
    st.lists(names, max_size=3, unique=True).map(tuple),
    st.sampled_from([None, True, False]),
    st.sampled_from(made.STRATEGIES),
    st.sampled_from([(), ("fund",), ("fund", "insurance")]),
    weights=st.sampled_from([(), (("a", 2.0), ("b", 0))]),
)
rule_sets = st.lists(plain_rules, min_size=1, max_size=3).map(
    lambda some: rule_set(
        *(
            replace(
                one,
                name=str(number),
                weights=one.weights if one.strategy == made.WEIGHTED else (),
                by_department=bool(one.departments) and len(one.userids) == 2,
                otherwise=str(number + 1)
                if len(one.userids) == 1 and number + 1 < len(some)
                else "",
            )
            for number, one in enumerate(some)
        )
    )
)
arrivals = st.builds(
    lambda added, channel, tags, former, disputed: arrival(
        added, channel, tags=tags, former_owners=former, disputed=disputed
    ),
    names,
    st.sampled_from(["", "x"]),
    st.sampled_from([frozenset(), frozenset({"基金"})]),
    st.lists(names, max_size=2, unique=True).map(tuple),
    st.sampled_from([frozenset(), frozenset("a")]),
)
seeds = st.integers(0, 2**31 - 1)


@settings(max_examples=250, deadline=None)
@given(arrivals, rule_sets, staff, counts, counts, seeds)
def test_whoever_is_chosen_can_and_may_serve(
    come: Arrival,
    rules: Rules,
    people: list[Person],
    load: dict[str, int],
    today: dict[str, int],
    seed: int,
) -> None:
    decision = decide(come, rules, Firm(people), Numbers(load, today), seed)

    if decision.owner is None:
        return
    one = next(person for person in people if person.userid == decision.owner)
    rule = rules.by_name[str(decision.rule)]
    needed = {*rule.licences, *(["fund"] if "基金" in come.tags else [])}
    held = {
        licence.kind
        for licence in one.licences
        if (licence.valid_from or DAY) <= DAY <= (licence.valid_to or DAY)
    }
    assert needed <= held
    assert one.unfit == ""
    there = [period.kind for period in one.availability if period.start <= NOON < period.end]
    assert LEAVE not in there
    assert OFF not in there
    if any(period.kind == DUTY for period in one.availability):
        assert DUTY in there
    assert one.capacity is None or load.get(one.userid, 0) < one.capacity
    assert one.daily_quota is None or today.get(one.userid, 0) < one.daily_quota
    assert one.userid not in come.disputed
    assert (
        not rule.userids
        or one.userid in rule.userids
        or set(rule.departments) & set(one.departments)
    )
    assert decision.transfer == (one.userid != come.added_userid)
    assert not decision.transfer or rule.transfers


@settings(max_examples=120, deadline=None)
@given(arrivals, rule_sets, staff, counts, seeds)
def test_the_same_facts_and_seed_give_the_same_answer(
    come: Arrival, rules: Rules, people: list[Person], load: dict[str, int], seed: int
) -> None:
    numbers = Numbers(load)

    one = decide(come, rules, Firm(people), numbers, seed)
    again = decide(come, rules, Firm(people[::-1]), Numbers(dict(load)), seed)
    lean = decide(come, rules, Firm(people), numbers, seed, explain=False)

    assert one == again
    assert replace(one, candidates=()) == lean
    assert numbers == Numbers(load)


def test_whoever_met_the_customer_first_and_may_own_customers_is_the_first_contact() -> None:
    people = [Person("left", unfit="leaving"), Person("full", capacity=0), Person("zhangsan")]
    rule = Rule("everybody")

    first = chosen(rule, people, contacts_before=("left", "nobody", "full"))

    assert (first.owner, first.code) == ("full", made.FIRST_CONTACT)
    assert chosen(rule, people, contacts_before=("left",)).code == made.ADDED_FITS
    fund: dict[str, Any] = {"contacts_before": ("full",), "tags": frozenset({"基金"})}
    assert chosen(rule, people, **fund).owner is None


def test_an_owner_in_contact_keeps_the_customer_and_of_several_members_a_person_decides() -> None:
    people = [Person("zhangsan"), Person("lihua")]

    assert chosen(Rule("r"), people, owner="lihua").code == made.HAS_OWNER
    assert chosen(Rule("r"), people, is_under_review=True).owner is None
