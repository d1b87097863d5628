"""What stands in the way of a handover is said in one language at a time, whatever it is."""

import re
from pathlib import Path

import pytest

from bot.api.obstacles import TOO_LATE, UNFIT, Texts
from bot.handover import handovers
from bot.language import ENGLISH
from bot.staff import staff
from tests.api.conftest import Call, problem

LATIN, HAN = re.compile("[A-Za-z]"), re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("texts", [*UNFIT.values(), *TOO_LATE.values()])
def test_no_sentence_mixes_the_languages(texts: Texts) -> None:
    assert not LATIN.search(texts.chinese)
    assert not HAN.search(texts.english)


def test_every_reason_that_is_given_has_its_sentence() -> None:
    """As they stand in the code: one that is new there must not be told as another."""
    given = Path(handovers.__file__).read_text() + Path(staff.__file__).read_text()
    reasons = set(re.findall(r'UnfitSuccessor\(successor, "(.+?)"\)', given))
    reasons |= set(re.findall(r'^        return "(.+?)"$', given.split("def _unfit")[1], re.M))

    assert {"unknown member", "is leaving"} < reasons <= set(UNFIT)
    said = set(re.findall(r'raise NotPossible\("(.+?)"\)', given))
    assert said
    assert said <= set(TOO_LATE)


@pytest.mark.usefixtures("firm")
def test_a_decision_that_comes_too_late_is_told_so(call: Call) -> None:
    moved = {
        "handover_userid": "zhangsan",
        "external_userids": ["wm_chen"],
        "takeover_userid": "lihua",
    }
    assert call("POST", "/handovers", moved).status_code == 201
    call("POST", "/handovers/1/cancel")

    chinese = problem(call("POST", "/handovers/1/approve"), 409)["detail"]
    english = problem(call("POST", "/handovers/1/approve", Accept_Language=ENGLISH), 409)["detail"]

    assert chinese == "该交接的状态不允许此操作（交接已取消）"
    assert english == "too late: it is cancelled"
