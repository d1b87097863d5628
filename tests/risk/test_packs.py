"""The shipped pack holds its own sentences, and a wrong file is told by file and line."""

from pathlib import Path

import pytest

from bot.risk import corpora, measure, packs
from bot.risk.expressions import BadExpression, read
from bot.risk.fault_words import FAULTS, texts_of
from bot.risk.lexicon import Lexicon
from bot.risk.packs import Pack
from config import RISK

RULE = """category: rebate
title: 返佣
title_en: Rebates
level: high
sender: staff
guards: [negation]
rules:
- id: rebate.01
  title: 返佣
  detection:
    expressions:
    - '返佣'
  examples:
    hit: [给您返佣]
    miss: [我们不返佣]
"""


def bodies(rule: str = RULE) -> dict[str, str]:
    found = {
        name: (RISK / name).read_text(encoding="utf-8") for name in ("pack.yaml", "disguises.yaml")
    }
    return {**found, "rebate.yaml": rule}


def test_every_sentence_of_every_rule_is_as_it_should_be(pack: Pack, lexicon: Lexicon) -> None:
    assert list(measure.examples(pack, lexicon)) == []


def test_there_are_the_categories_of_the_labelling_guide(pack: Pack) -> None:
    assert len(pack.categories) == 24
    assert {rule.category for rule in pack.rules} == set(pack.categories)


def test_no_sentence_of_a_corpus_stands_in_a_rule(pack: Pack) -> None:
    known = {
        line.text
        for path in (RISK / corpora.FOLDER).glob("*.jsonl")
        for line in corpora.read(path, pack.categories)[0]
    }

    assert len(known) > 8_000
    assert known.isdisjoint(one.text for rule in pack.rules for one in (*rule.hits, *rule.misses))


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("level: high", "level: huge", 4, "bad_choice"),
        ("guards: [negation]", "guards: [nagation]", 6, "unknown_guard"),
        ("- id: rebate.01", "- id: other.01", 8, "bad_id"),
        ("    - '返佣'", "    - '(返佣'", 12, "bad_expression"),
        ("    - '返佣'", "    - '返佣(?=x)'", 12, "bad_expression"),
        ("    - '返佣'", "    - '.{0,5}'", 12, "bad_expression"),
        ("    - '返佣'", "    - '返傭'", 12, "not_folded"),
        ("  title: 返佣\n", "  title: 返佣\n  titel: x\n", 10, "unknown_key"),
        ("    miss: [我们不返佣]\n", "", 13, "no_examples"),
        ("    hit: [给您返佣]", "    hit: [给您返佣", 15, "not_yaml"),
        ("title: 返佣\n", "title: 返佣\ntitle: 返佣\n", 3, "key_twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, code: str) -> None:
    assert old in RULE

    found, faults = packs.read(bodies(RULE.replace(old, new, 1)))

    assert found is None
    assert [(one.file, one.line, one.code) for one in faults] == [("rebate.yaml", line, code)]
    assert texts_of(faults[0]).english
    assert texts_of(faults[0]).chinese


def test_a_sentence_that_fails_is_told_with_its_line() -> None:
    found, faults = packs.read(bodies(RULE.replace("[我们不返佣]", "[返佣就返佣]")))

    assert faults == []
    assert found is not None
    [fault] = measure.examples(found, Lexicon(found))
    assert (fault.file, fault.line, fault.code) == ("rebate.yaml", 15, "example_hit")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a)b",
        "(?P<x>a)",
        r"(?:a)\1",
        "(?:a*)*",
        "(?:a{1,9}){9}",
        "a{2,}",
        "a??",
        "[[:x:]]",
        "",
        "a|",
    ],
)
def test_an_expression_that_could_halt_a_server_is_refused(pattern: str) -> None:
    with pytest.raises(BadExpression):
        read(pattern)


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        ("返(?:佣|现)(?:.{0,4})?您", {frozenset({"返佣", "返现"}), frozenset({"您"})}),
        ("(?:我)?转账", {frozenset({"转账", "我转账"}) - {"我转账"}}),
        (r"止损\d+", {frozenset({"止损"})}),
        ("[一二]成", {frozenset({"一成", "二成"})}),
    ],
)
def test_an_expression_tells_which_words_it_needs(pattern: str, needs: set[frozenset[str]]) -> None:
    assert set(read(pattern).needs) == needs


def test_the_words_for_faults_are_all_used() -> None:
    text = "".join(
        path.read_text(encoding="utf-8") for path in Path(packs.__file__).parent.glob("*.py")
    )
    text += (Path(packs.__file__).parents[1] / "commands" / "rules.py").read_text(encoding="utf-8")

    assert [code for code in FAULTS if text.count(f'"{code}"') < 2] == []
