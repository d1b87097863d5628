"""Somebody leaves: opened, changed, approved, cancelled, followed."""

from typing import Any

import pytest

from bot import clock
from bot.api.auth import create_token
from bot.audit.log import Who
from bot.handover import handovers
from bot.kegui import Kegui
from bot.models import Handover, HandoverItem, HandWork, TransferAttempt
from bot.queue import Lane
from bot.reason import Reason
from tests.api.conftest import Call, at, in_days, problem

pytestmark = pytest.mark.usefixtures("firm")


def leave(userid: str = "zhangsan", **changes: Any) -> dict[str, Any]:
    return {"userid": userid, "last_day": in_days(10), **changes}


def test_an_offboarding_is_opened_and_a_worker_is_woken(call: Call, kegui: Kegui) -> None:
    response = call("POST", "/offboardings", leave(reason="家里有事", successors=["lihua"]))

    body = response.get_json()
    assert response.status_code == 201
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == {
        "id": 1,
        "kind": "offboarding",
        "userid": "zhangsan",
        "last_day": in_days(10),
        "mode": "approve",
        "state": "planned",
        "counts": {},
        "successors": ["lihua"],
        "reason": "家里有事",
        "source": "api",
        "hand_work": [],
        "is_done": False,
        "without_successor": 0,
        "left_behind": 0,
        "waits_for": None,
        "allocation_id": None,
    }
    assert kegui.queue.take(Lane.WORK) == ["handover:1"]


def test_times_are_utc_with_a_z(call: Call) -> None:
    call("POST", "/offboardings", leave())
    Handover.update(created_at=at(0)).execute()

    assert call("GET", "/offboardings/1").get_json()["created_at"] == "2026-11-24T02:00:00Z"


def test_a_member_who_leaves_already_gets_the_existing_case_unchanged(call: Call) -> None:
    first = call("POST", "/offboardings", leave())
    second = call("POST", "/offboardings", leave(last_day=in_days(20), successors=["nobody"]))

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.get_json() == first.get_json()


def test_a_member_whom_nobody_knows_cannot_leave(call: Call) -> None:
    assert "nobody" in problem(call("POST", "/offboardings", leave("nobody")), 404)["detail"]


@pytest.mark.parametrize(
    ("successor", "reason", "chinese", "english"),
    [
        ("nobody", "unknown_member", "未知成员", "Unknown member"),
        ("zhaoliu", "not_active", "不是在职成员", "Not an active member"),
        (
            "zhangsan",
            "hands_over_and_takes_over",
            "正是要交接的成员",
            "is the member who hands over",
        ),
    ],
)
def test_an_unfit_successor_is_refused_with_the_reason_in_the_callers_language(
    call: Call, successor: str, reason: str, chinese: str, english: str
) -> None:
    asked = leave(successors=["lihua", successor])

    body = problem(call("POST", "/offboardings", asked), 422)
    assert (body["userid"], body["reason"]) == (successor, reason)
    assert body["detail"] == f"成员 {successor} 不能接替（{chinese}），请另选他人"
    body = problem(call("POST", "/offboardings", asked, Accept_Language="en"), 422)
    assert body["detail"] == f"{successor} cannot take over ({english}): name somebody else"
    assert Handover.select().count() == 0


@pytest.mark.parametrize(
    "last_day",
    ["2026-02-30", "30.11.2026", 1798675200, "20261130", "", None, "2026-11-30T00:00:00"],
)
def test_a_last_day_is_a_real_day(call: Call, last_day: Any) -> None:
    body = problem(call("POST", "/offboardings", leave(last_day=last_day)), 422)

    assert body["errors"][0]["field"] == "last_day"


@pytest.mark.parametrize("days", [-368, 402])
def test_a_last_day_too_far_from_today_is_refused(call: Call, days: int) -> None:
    body = problem(call("POST", "/offboardings", leave(last_day=in_days(days))), 422)

    assert body["errors"][0]["field"] == "last_day"


@pytest.mark.parametrize("days", [-365, 399])
def test_a_last_day_within_a_year_is_taken(call: Call, days: int) -> None:
    assert call("POST", "/offboardings", leave(last_day=in_days(days))).status_code == 201


@pytest.mark.parametrize(
    "extra", [{"mode": "fast"}, {"colour": "red"}, {"successors": "lihua"}, {"reason": None}]
)
def test_a_field_that_is_wrong_or_unknown_is_refused(call: Call, extra: dict[str, Any]) -> None:
    body = problem(call("POST", "/offboardings", leave(**extra)), 422)

    assert body["errors"][0]["field"] == next(iter(extra))


def test_cases_are_listed_by_state_and_member_the_latest_first(call: Call) -> None:
    for userid in ("zhangsan", "lihua", "wangwu"):
        call("POST", "/offboardings", leave(userid))
    call("POST", "/offboardings/2/cancel")

    def listed(query: str) -> list[int]:
        return [one["id"] for one in call("GET", f"/offboardings?{query}").get_json()["items"]]

    assert listed("") == [3, 2, 1]
    assert listed("state=planned") == [3, 1]
    assert listed("userid=lihua") == [2]
    assert listed("state=done") == []
    problem(call("GET", "/offboardings?state=over"), 422)


def test_the_day_and_the_successors_can_be_changed(call: Call) -> None:
    call("POST", "/offboardings", leave())

    body = call(
        "PATCH", "/offboardings/1", {"last_day": in_days(5), "successors": ["wangwu", "wangwu"]}
    ).get_json()

    assert (body["last_day"], body["successors"]) == (in_days(5), ["wangwu"])


@pytest.mark.parametrize(
    "change",
    [
        {"last_day": "soon"},
        {"last_day": None},
        {"successors": ["zhaoliu"]},
        {"successors": None},
        {"userid": "lihua"},
        {"last_day": "1999-01-01"},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(call: Call, change: dict[str, Any]) -> None:
    call("POST", "/offboardings", leave())

    problem(call("PATCH", "/offboardings/1", change), 422)


def test_a_running_case_keeps_its_day(call: Call) -> None:
    call("POST", "/offboardings", leave())
    Handover.update(state="running").execute()

    problem(call("PATCH", "/offboardings/1", {"last_day": in_days(5)}), 409)
    assert call("PATCH", "/offboardings/1", {"successors": ["lihua"]}).status_code == 200


def test_approval_is_remembered_with_who_gave_it(call: Call) -> None:
    call("POST", "/offboardings", leave())
    Handover.update(state="awaiting_approval").execute()

    first = call("POST", "/offboardings/1/approve")
    second = call("POST", "/offboardings/1/approve")

    assert first.get_json()["state"] == second.get_json()["state"] == "scheduled"
    assert Handover.get().approved_by == "api:the tests"


OWN = [
    ("POST", "/offboardings/1/approve", None),
    ("PATCH", "/offboardings/1", {"last_day": in_days(50)}),
    ("POST", "/offboardings/1/cancel", None),
]


@pytest.mark.parametrize("act", OWN)
def test_nobody_does_to_their_own_leave_by_a_token_what_they_may_not_themselves(
    call: Call, act: Any
) -> None:
    call("POST", "/offboardings", leave())
    own = create_token("own", ["offboarding"], owner="zhangsan")
    another = create_token("another", ["offboarding"], owner="lihua")

    assert problem(call(*act, token=own), 403)["type"] == "urn:kegui:problem:same-person"
    case = Handover.get()
    assert (case.approved_at, str(case.last_day), case.state) == (None, in_days(10), "planned")
    assert call(*act, token=another).status_code == 200


def test_who_registered_a_leave_does_not_approve_it_by_a_token(call: Call, kegui: Kegui) -> None:
    handovers.open_offboarding(
        "zhangsan", clock.now().date(), mode="approve", source="x", by=Who("lihua"), kegui=kegui
    )
    own = create_token("own", ["offboarding"], owner="lihua")
    another = create_token("another", ["offboarding"], owner="wangwu")

    problem(call("POST", "/offboardings/1/approve", token=own), 403)
    assert Handover.get().approved_at is None
    assert call("POST", "/offboardings/1/approve", token=another).status_code == 200
    assert Handover.get().approved_by == "api:another"


def test_a_cancelled_case_cannot_be_approved_or_changed(call: Call) -> None:
    call("POST", "/offboardings", leave())

    assert call("POST", "/offboardings/1/cancel").get_json()["state"] == "cancelled"
    assert call("POST", "/offboardings/1/cancel").status_code == 200
    problem(call("POST", "/offboardings/1/approve"), 409)
    problem(call("PATCH", "/offboardings/1", {"successors": []}), 409)


def test_a_case_that_is_done_cannot_be_cancelled(call: Call) -> None:
    call("POST", "/offboardings", leave())
    Handover.update(state="done").execute()

    problem(call("POST", "/offboardings/1/cancel"), 409)


@pytest.fixture
def items(call: Call, firm: None) -> None:
    """One customer refused and waits now for a second successor; one group failed."""
    call("POST", "/offboardings", leave())
    customer = HandoverItem.create(
        handover=1,
        kind="customer",
        subject="wm_chen",
        state="waiting",
        takeover_userid="wangwu",
        reason=Reason("least_loaded_of_department"),
        updated_at=clock.now(),
    )
    HandoverItem.create(
        handover=1,
        kind="group",
        subject="wr_1",
        state="failed",
        reason=Reason("not_a_customer_group"),
        errcode=90501,
        updated_at=clock.now(),
    )
    for number, (takeover, status) in enumerate((("lihua", "refused"), ("wangwu", "accepted"))):
        TransferAttempt.create(
            item=customer,
            number=number + 1,
            takeover_userid=takeover,
            endpoint="externalcontact/transfer_customer",
            status=status,
            errcode=0,
            submitted_at=at(number),
        )
    reason = Reason("way_leads_to_nobody")
    HandWork.create(handover=1, kind="contact_way", subject="cfg", reason=reason)


@pytest.mark.usefixtures("items")
def test_items_show_where_each_stands_and_every_try(call: Call) -> None:
    customer, group = call("GET", "/offboardings/1/items").get_json()["items"]

    attempts = customer.pop("attempts")
    assert customer == {
        "id": 1,
        "kind": "customer",
        "external_userid": "wm_chen",
        "state": "waiting",
        "takeover_userid": "wangwu",
        "reason": "least_loaded_of_department",
        "reason_text": "同部门，客户最少",
        "errcode": None,
    }
    assert attempts[0] == {
        "takeover_userid": "lihua",
        "endpoint": "externalcontact/transfer_customer",
        "submitted_at": "2026-11-24T02:00:00Z",
        "status": "refused",
        "errcode": 0,
    }
    assert attempts[1]["takeover_userid"] == "wangwu"
    assert (group["kind"], group["chat_id"], group["errcode"]) == ("group", "wr_1", 90501)
    assert "external_userid" not in group


@pytest.mark.usefixtures("items")
def test_items_are_counted_filtered_and_paged(call: Call) -> None:
    body = call("GET", "/offboardings/1").get_json()
    assert body["counts"] == {"waiting": 1, "failed": 1}
    [work] = body["hand_work"]
    assert (work["kind"], work["subject"]) == ("contact_way", "cfg")
    assert (work["code"], work["text"]) == ("way_leads_to_nobody", "没有可接替的成员，请手工处理")
    assert (work["done_at"], work["done_by"]) == (None, None)

    failed = call("GET", "/offboardings/1/items?state=failed").get_json()
    assert [one["id"] for one in failed["items"]] == [2]
    page = call("GET", "/offboardings/1/items?limit=1").get_json()
    assert [one["id"] for one in page["items"]] == [1]
    rest = call("GET", f"/offboardings/1/items?limit=1&cursor={page['next_cursor']}").get_json()
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([2], None)
