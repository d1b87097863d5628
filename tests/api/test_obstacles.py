"""What stands in the way of a handover is said in one language at a time, whatever it is."""

import pytest

from bot.language import ENGLISH
from tests.api.conftest import Call, problem


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
    assert english == "too late: The handover was cancelled"
