"""Two members after one customer, settled by one decision."""

import pytest

from bot.api.auth import create_token
from bot.capabilities import CAPABILITIES
from bot.customers import conflicts
from bot.kegui import Kegui
from bot.models import Conflict, Ownership, Relation
from bot.queue import Lane
from bot.reason import Reason
from bot.router import Router
from bot.wecom import Transient
from bot.worker import Worker
from tests.api.conftest import Call, FakeWeCom, at, problem

pytestmark = pytest.mark.usefixtures("conflict")
ON_BOTH_DATABASES = True


@pytest.fixture
def conflict(firm: None) -> None:
    """Mrs Chen is Zhang San's, and Li Hua added her."""
    Ownership.claim("wm_chen", "zhangsan", at=at(0), reason=Reason("first"))
    Conflict.create(
        external_userid="wm_chen", owner="zhangsan", contenders=["lihua"], opened_at=at(5)
    )


DECISION = {"owner": "lihua", "reason": "客户要求"}


def test_a_conflict_is_shown_as_it_stands(call: Call) -> None:
    shown = {
        "id": 1,
        "external_userid": "wm_chen",
        "state": "open",
        "owner": "zhangsan",
        "contenders": ["lihua"],
        "opened_at": "2026-11-24T02:05:00Z",
        "resolved_at": None,
        "resolution": None,
    }

    assert call("GET", "/conflicts/1").get_json() == shown
    assert call("GET", "/conflicts?state=open").get_json()["items"] == [shown]
    assert call("GET", "/conflicts?external_userid=wm_chen").get_json()["items"] == [shown]
    assert call("GET", "/conflicts?state=resolved").get_json()["items"] == []


def test_the_decision_moves_the_customer_and_all_concerned_are_told(
    call: Call, wecom: FakeWeCom, kegui: Kegui
) -> None:
    body = call("POST", "/conflicts/1/resolve", DECISION).get_json()

    assert (body["state"], body["owner"]) == ("resolved", "lihua")
    assert body["resolution"] == {
        **DECISION,
        "reason_text": DECISION["reason"],
        "by": "api:the tests",
    }
    current = Ownership.current("wm_chen")
    assert current is not None
    assert current.userid == "lihua"
    assert kegui.queue.take(Lane.WORK) == ["conflict:1"]
    Worker(kegui, Router(), CAPABILITIES).work_on(Lane.WORK, "conflict:1")
    assert sorted(call[1] for call in wecom.calls) == ["lihua", "zhangsan"]


def test_a_settled_conflict_stays_settled(call: Call) -> None:
    call("POST", "/conflicts/1/resolve", DECISION)

    problem(call("POST", "/conflicts/1/resolve", {**DECISION, "owner": "zhangsan"}), 409)

    assert Conflict.get().owner == "lihua"


def test_the_owner_must_be_a_member_in_contact_with_the_customer(call: Call) -> None:
    for owner in ("nobody", "wangwu"):
        body = problem(call("POST", "/conflicts/1/resolve", {**DECISION, "owner": owner}), 422)
        assert body["errors"][0]["field"] == "owner"
    Relation.finish("wm_chen", "lihua", at=at(9), end="customer_left")
    problem(call("POST", "/conflicts/1/resolve", DECISION), 422)

    assert Conflict.get().state == "open"


def test_nobody_gets_a_customer_by_a_token_of_their_own(call: Call) -> None:
    own = create_token("own", ["allocation"], owner="lihua")
    another = create_token("another", ["allocation"], owner="wangwu")

    problem(call("POST", "/conflicts/1/resolve", DECISION, token=own), 422)
    assert Conflict.get().state == "open"
    assert call("POST", "/conflicts/1/resolve", DECISION, token=another).status_code == 200


@pytest.mark.parametrize("reason", ["", None, 5])
def test_a_decision_needs_a_reason(call: Call, reason: object) -> None:
    problem(call("POST", "/conflicts/1/resolve", {"owner": "lihua", "reason": reason}), 422)


def test_news_that_wecom_cannot_bring_now_is_brought_later(
    call: Call, wecom: FakeWeCom, kegui: Kegui
) -> None:
    wecom.error = Transient("message/send", None, "time-out")
    worker = Worker(kegui, Router(), CAPABILITIES)
    call("POST", "/conflicts/1/resolve", DECISION)
    worker.work_on(Lane.WORK, *kegui.queue.take(Lane.WORK))
    assert Conflict.get().state == "resolved"

    wecom.error = None
    conflicts.wake_untold(kegui)
    worker.work_on(Lane.WORK, *kegui.queue.take(Lane.WORK))
    conflicts.wake_untold(kegui)

    assert sorted(call[1] for call in wecom.calls) == ["lihua", "zhangsan"]
    assert kegui.queue.take(Lane.WORK) == []
