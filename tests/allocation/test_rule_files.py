"""A rule set is read whole, or not at all: each fault names its line."""

from textwrap import dedent
from typing import Any

import pytest

from bot.allocation import work_calendar
from bot.allocation.fault_words import FAULTS, texts_of
from bot.allocation.rule_files import Fault, check_members, products_from, read
from bot.allocation.rules import Person
from bot.staff.duty import Licence
from config import table

PRODUCTS = products_from(table("products"))
WHOLE = """
version = "2026-12-1"

[[rule]]
name = "基金"
channels = ["fund-*", "expo"]
product = "fund"
licences = ["fund"]
strategy = "weighted"
hours = "work"
weights = { zhangsan = 2, lihua = 1 }
userids = ["zhangsan", "lihua"]
otherwise = "其他"

[[rule]]
name = "老客户"
returning = true
strategy = "former_owner"

[[rule]]
name = "其他"
departments = [2, 3]
strategy = "least_loaded"
by_department = true
region = "上海"
tags = ["VIP"]
types = ["wechat"]
"""


def faults_of(text: str) -> list[tuple[int, str]]:
    rules, faults = read(dedent(text).lstrip("\n"), PRODUCTS)
    assert (rules is None) is bool(faults)
    for fault in faults:
        assert fault.code in FAULTS
        assert "{" not in "".join(texts_of(fault))
    return [(fault.line, fault.code) for fault in faults]


def test_every_key_is_read() -> None:
    rules, faults = read(WHOLE, PRODUCTS)

    assert faults == []
    assert rules is not None
    assert [rule.name for rule in rules.rules] == ["基金", "老客户", "其他"]
    assert rules.rules[0].weights == (("zhangsan", 2), ("lihua", 1))
    assert rules.rules[0].transfers
    assert rules.licences_for(rules.rules[0], frozenset()) == ("fund",)


def test_the_shipped_table_is_a_rule_set() -> None:
    from config import text

    rules, faults = read(text("allocation"), PRODUCTS)

    assert faults == []
    assert rules is not None
    assert rules.version == table("allocation")["version"]


def rule(*lines: str) -> str:
    return "\n".join(['version = "1"', "[[rule]]", 'name = "a"', *lines])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('version = "1"\n[[rule]\nname = "a"', (2, "not_toml")),
        ('version = 1\n[[rule]]\nname = "a"', (1, "no_version")),
        ('version = "1"', (1, "no_rules")),
        ('version = "1"\nrules = 3\n[[rule]]\nname = "a"', (2, "unknown_key")),
        (rule('stratgey = "first"'), (4, "unknown_key")),
        (rule('strategy = "best"'), (4, "unknown_strategy")),
        (rule('hours = "night"'), (4, "unknown_hours")),
        (rule('types = ["qq"]'), (4, "unknown_type")),
        (rule("licences = 1"), (4, "bad_texts")),
        (rule("departments = [0]"), (4, "bad_numbers")),
        (rule('transfer = "yes"'), (4, "bad_flag")),
        (rule("product = 7"), (4, "bad_text")),
        (rule('product = "fnud"'), (4, "unknown_product")),
        (rule("userids = []"), (4, "empty_list")),
        (rule('strategy = "weighted"', "[rule.weights]", "zhangsan = -1"), (5, "bad_weights")),
        (rule("weights = { a = 1 }"), (4, "weights_unused")),
        (rule('strategy = "weighted"', "weights = { a = 0 }"), (5, "weights_zero")),
        (
            rule('userids = ["a"]', 'strategy = "weighted"', "[rule.weights]", "a = 1", "b = 1"),
            (8, "weight_of_nobody"),
        ),
        (rule("by_department = true"), (4, "no_departments")),
        (rule('otherwise = "b"'), (4, "unknown_rule")),
        (rule('otherwise = "a"'), (4, "loop")),
        (rule("[[rule]]", 'name = "b"'), (4, "never_reached")),
        (rule('channels = ["x"]', "[[rule]]", 'name = "a"'), (6, "name_twice")),
        ('version = "1"\n[[rule]]\nchannels = ["x"]', (2, "no_name")),
    ],
)
def test_what_is_wrong_names_its_line(text: str, found: tuple[int, str]) -> None:
    assert faults_of(text) == [found]


def test_a_circle_of_rules_is_found() -> None:
    text = """
        version = "1"
        [[rule]]
        name = "a"
        channels = ["a"]
        otherwise = "b"
        [[rule]]
        name = "b"
        channels = ["b"]
        otherwise = "a"
        """

    assert faults_of(text) == [(9, "loop")]


def test_lines_are_counted_past_texts_of_many_lines() -> None:
    text = '''
        version = "1"
        [[rule]]
        name = """a"""
        region = """
        strategy = 1
        [[rule]]
        """
        hours = "x"
        '''

    # A text with line ends in it is none of ours either.
    assert faults_of(text) == [(4, "bad_text"), (8, "unknown_hours")]


PEOPLE = [
    Person("zhangsan", (2,), licences=(Licence("fund", "1"),)),
    Person("lihua", (3,), skills=frozenset({"英语"})),
]
KNOWN = {"zhangsan": True, "lihua": True, "zhaoliu": False}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (['userids = ["lihua",', '  "nobody",', "]"],
         [Fault(5, "unknown_member", {"rule": "a", "userid": "nobody"})]),
        (['userids = ["zhaoliu"]'], [Fault(4, "member_left", {"rule": "a", "userid": "zhaoliu"})]),
        (["departments = [2, 77]"], [Fault(4, "unknown_department", {"rule": "a", "id": 77})]),
        (['skills = ["日语"]'], [Fault(4, "nobody_allowed", {"rule": "a"})]),
        (['userids = ["lihua"]', 'licences = ["fund"]'],
         [Fault(5, "nobody_licensed", {"rule": "a", "licences": ["fund"]})]),
        (['userids = ["zhangsan"]', 'licences = ["fund"]'], []),
    ],
)  # fmt: skip
def test_a_rule_set_is_held_against_the_members(lines: list[str], found: list[Fault]) -> None:
    text = rule(*lines)
    rules, faults = read(text, PRODUCTS)
    assert rules is not None, faults

    assert check_members(rules, text, PEOPLE, KNOWN, [2, 3]) == found


def calendar(**changes: Any) -> dict[str, Any]:
    year = {"published": True, "holidays": [["2026-01-01", "2026-01-03"]], "workdays": []}
    return {**table("work_calendar"), "year": {"2026": year | changes}}


def test_the_shipped_calendar_is_whole_and_knows_what_it_does_not_know() -> None:
    assert list(work_calendar.faults(table("work_calendar"))) == []
    assert work_calendar.read(table("work_calendar")).years == {2025, 2026}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"holidays": [["2026-01-01", "2026-01-03"], ["2026-01-03", "2026-01-04"]]},
            "two holidays",
        ),
        ({"workdays": ["2026-01-02"]}, "a holiday and a workday"),
        ({"holidays": [["2027-01-01", "2027-01-01"]]}, "another year"),
        ({"holidays": [["2026-01-03", "2026-01-01"]]}, "no holiday is from"),
        ({"published": False}, "is not published"),
        ({"holidays": [["tomorrow", "2026-01-01"]]}, "cannot be read"),
    ],
)
def test_a_calendar_that_overlaps_is_refused(changes: dict[str, Any], said: str) -> None:
    assert any(said in text for _place, text in work_calendar.faults(calendar(**changes)))
