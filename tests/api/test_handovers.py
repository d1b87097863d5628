"""A manager moves customers of a member in service."""

from typing import Any

import pytest

from bot.kegui import Kegui
from bot.models import Handover
from bot.queue import Lane
from tests.api.conftest import Call, in_days, problem

pytestmark = pytest.mark.usefixtures("firm")
ON_BOTH_DATABASES = True


def move(**changes: Any) -> dict[str, Any]:
    wanted = {
        "handover_userid": "zhangsan",
        "external_userids": ["wm_chen"],
        "takeover_userid": "lihua",
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not ...}


def test_customers_are_moved_to_a_named_member(call: Call, kegui: Kegui) -> None:
    response = call("POST", "/handovers", move(transfer_success_msg="以后由李华为您服务"))

    body = response.get_json()
    assert response.status_code == 201
    assert (body["kind"], body["userid"], body["handover_userid"]) == (
        "handover",
        "zhangsan",
        "zhangsan",
    )
    assert body["counts"] == {"planned": 1}
    assert body["successors"] == ["lihua"]
    assert body["last_day"] is None
    assert body["transfer_success_msg"] == "以后由李华为您服务"
    assert kegui.queue.take(Lane.WORK) == ["handover:1"]
    items = call("GET", "/handovers/1/items").get_json()["items"]
    assert [one["external_userid"] for one in items] == ["wm_chen"]


def test_all_customers_can_be_moved_by_rule(call: Call) -> None:
    body = move(external_userids="all", takeover_userid=..., by_rule=True)

    assert call("POST", "/handovers", body).status_code == 201

    case = Handover.get()
    assert (case.scope, case.successors) == (None, [])


def test_a_customer_named_twice_is_moved_once(call: Call) -> None:
    call("POST", "/handovers", move(external_userids=["wm_chen", "wm_chen"]))

    assert Handover.get().scope == ["wm_chen"]


@pytest.mark.parametrize(
    "changes",
    [
        {"by_rule": True},
        {"takeover_userid": ...},
        {"takeover_userid": ..., "by_rule": False},
        {"takeover_userid": ..., "by_rule": "yes"},
        {"external_userids": []},
        {"external_userids": "some"},
        {"external_userids": ...},
        {"transfer_success_msg": "啊" * 201},
        {"handover_userid": ""},
        {"last_day": "2026-11-30"},
    ],
)
def test_a_request_that_is_not_clear_is_refused(call: Call, changes: dict[str, Any]) -> None:
    body = problem(call("POST", "/handovers", move(**changes)), 422)

    assert body["errors"]
    assert Handover.select().count() == 0


def test_a_list_of_customers_has_an_end(call: Call) -> None:
    customers = [f"wm_{number}" for number in range(5001)]

    body = problem(call("POST", "/handovers", move(external_userids=customers)), 422)

    assert any(one["message"] == "至多 5000 项" for one in body["errors"])
    assert call("POST", "/handovers", move(external_userids=customers[:20])).status_code != 500


def test_a_message_of_two_hundred_characters_is_taken(call: Call) -> None:
    assert call("POST", "/handovers", move(transfer_success_msg="啊" * 200)).status_code == 201


def test_unknown_members_and_unfit_ones_are_told_apart(call: Call) -> None:
    problem(call("POST", "/handovers", move(handover_userid="nobody")), 404)

    body = problem(call("POST", "/handovers", move(takeover_userid="zhaoliu")), 422)
    assert body["reason"] == "not_active"


def test_a_handover_is_listed_approved_changed_and_cancelled(call: Call) -> None:
    call("POST", "/handovers", move())

    assert call("POST", "/handovers/1/approve").status_code == 200
    changed = call("PATCH", "/handovers/1", {"successors": ["wangwu"]}).get_json()
    assert changed["successors"] == ["wangwu"]
    assert call("GET", "/handovers?userid=zhangsan").get_json()["items"][0]["id"] == 1
    assert call("POST", "/handovers/1/cancel").get_json()["counts"] == {"cancelled": 1}
    assert call("GET", "/handovers/1").get_json()["state"] == "cancelled"


def test_handovers_and_offboardings_are_not_mixed_up(call: Call) -> None:
    call("POST", "/handovers", move())
    call("POST", "/offboardings", {"userid": "zhangsan", "last_day": in_days(1)})

    problem(call("GET", "/offboardings/1"), 404)
    problem(call("GET", "/handovers/2"), 404)
    problem(call("POST", "/offboardings/1/cancel"), 404)
    assert [one["id"] for one in call("GET", "/handovers").get_json()["items"]] == [1]
    assert [one["id"] for one in call("GET", "/offboardings").get_json()["items"]] == [2]
