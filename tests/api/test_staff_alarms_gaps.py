"""The members and what managers set; alarms, gaps and explanations."""

from datetime import timedelta
from typing import Any

import pytest

from bot import clock
from bot.models import Alarm, Ownership, Relation, Staff
from bot.reason import Reason
from tests.api.conftest import Call, at, problem

pytestmark = pytest.mark.usefixtures("firm")


def test_a_member_is_shown_with_the_number_of_customers(call: Call) -> None:
    Ownership.claim("wm_chen", "lihua", at=at(0), reason=Reason("first"))

    assert call("GET", "/staff/lihua").get_json() == {
        "userid": "lihua",
        "name": "李华",
        "departments": [1],
        "main_department": None,
        "direct_leader": None,
        "status": 1,
        "serves": True,
        "left_at": None,
        "customers": 1,
        "licences": [],
        "skills": [],
        "availability": [],
        "capacity": None,
        "daily_quota": None,
        "on_duty": True,
        "on_leave": False,
    }
    userids = [one["userid"] for one in call("GET", "/staff").get_json()["items"]]
    assert userids == ["lihua", "wangwu", "zhangsan", "zhaoliu"]


FUND = {"kind": "基金", "number": "F1", "valid_from": "2026-01-01", "valid_to": None}


def test_what_managers_set_is_returned_and_kept(call: Call) -> None:
    wanted = {
        "licences": [FUND],
        "skills": ["英语"],
        "capacity": 0,
        "daily_quota": 3,
        "availability": [
            {"from": "2026-12-01", "to": "2026-12-24", "kind": "duty"},
            {"from": "2026-12-25T01:00:00Z", "to": "2026-12-26T01:00:00Z", "kind": "leave"},
        ],
        "on_duty": False,
        "on_leave": True,
    }

    body = call("PUT", "/staff/lihua", wanted).get_json()

    assert {name: body[name] for name in wanted} == wanted
    again = call("GET", "/staff/lihua").get_json()
    assert {name: again[name] for name in wanted} == wanted


def test_what_is_left_out_stays_and_a_null_capacity_is_the_default(call: Call) -> None:
    call("PUT", "/staff/lihua", {"capacity": 5, "licences": [FUND]})

    assert call("PUT", "/staff/lihua", {"on_leave": True}).get_json()["capacity"] == 5
    assert call("PUT", "/staff/lihua", {}).get_json()["licences"] == [FUND]
    assert call("PUT", "/staff/lihua", {"capacity": None}).get_json()["capacity"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"capacity": -1},
        {"capacity": "5"},
        {"capacity": 1.5},
        {"capacity": True},
        {"capacity": 2**70},
        {"on_duty": 1},
        {"on_duty": None},
        {"licences": "基金"},
        {"licences": ["基金"]},
        {"licences": [{"number": "1"}]},
        {"licences": [{"kind": ""}]},
        {"licences": [{"kind": "基金", "valid_to": "soon"}]},
        {"licences": [{"kind": "基金", "valid_from": "2026-12-02", "valid_to": "2026-12-01"}]},
        {"licences": None},
        {"daily_quota": -1},
        {"availability": [{"from": "2026-12-02", "to": "2026-12-01", "kind": "leave"}]},
        {"availability": [{"from": "2026-12-02", "to": "2026-12-03", "kind": "party"}]},
        {"availability": [{"from": "x", "to": "2026-12-03", "kind": "leave"}]},
        {
            "availability": [
                {"from": "2026-12-01", "to": "2026-12-31", "kind": "duty"},
                {"from": "2026-12-24", "to": "2026-12-26", "kind": "leave"},
            ]
        },
        {"name": "李"},
        {"userid": "x"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(call: Call, body: dict[str, Any]) -> None:
    problem(call("PUT", "/staff/lihua", body), 422)

    assert Staff.get_by_id("lihua").capacity is None


def test_an_unknown_member_cannot_be_set(call: Call) -> None:
    problem(call("PUT", "/staff/nobody", {"on_leave": True}), 404)


def test_alarms_say_what_to_do_until_they_are_over(call: Call) -> None:
    Alarm.create(kind="k", subject="old", reason_code="x", since=at(0), ended_at=at(1))
    Alarm.create(
        kind="of_tomorrow",
        subject="new",
        reason=Reason("of_tomorrow", {"errcode": 60020}),
        advice=Reason("do_trust_address"),
        since=at(2),
    )

    assert call("GET", "/alarms?state=open").get_json()["items"] == [
        {
            "id": 2,
            "kind": "of_tomorrow",
            "subject": "new",
            "since": "2026-11-24T02:02:00Z",
            "ended_at": None,
            "reason": "of_tomorrow",
            "text": "of_tomorrow",
            "what_to_do": "请在企业微信后台把本机出口 IP 加入该应用的“企业可信IP”",
        }
    ]
    assert [one["id"] for one in call("GET", "/alarms?state=ended").get_json()["items"]] == [1]
    assert len(call("GET", "/alarms").get_json()["items"]) == 2


def test_gaps_are_listed_by_member_and_paged(call: Call) -> None:
    Relation.update(last_add_at=clock.now() - timedelta(minutes=5)).execute()

    page = call("GET", "/gaps?limit=1").get_json()
    rest = call("GET", f"/gaps?limit=1&cursor={page['next_cursor']}").get_json()

    assert page["items"] == [
        {
            "userid": "lihua",
            "external_userid": "wm_chen",
            "added_at": "2026-11-24T02:01:00Z",
            "reason": "no_notice_tried",
            "reason_text": "尚未尝试发送告知",
            "errcode": None,
        }
    ]
    assert [one["userid"] for one in rest["items"]] == ["zhangsan"]
    assert rest["next_cursor"] is None
    assert len(call("GET", "/gaps?userid=zhangsan").get_json()["items"]) == 1
