"""A userid in other letters names the same member: WeCom does not tell upper from lower case."""

from typing import Any

import pytest

from bot.models import Conflict, Handover, InboxEvent, Ownership, Staff
from bot.reason import Reason
from tests.api.conftest import MORNING, Call, FakeWeCom, at, in_days

pytestmark = pytest.mark.usefixtures("firm")
ON_BOTH_DATABASES = True


def test_a_member_is_found_and_changed_in_any_spelling(call: Call) -> None:
    Ownership.claim("wm_chen", "lihua", at=at(0), reason=Reason("first"))

    body = call("PUT", "/staff/LiHua", {"capacity": 7}).get_json()

    assert (body["userid"], body["customers"], body["capacity"]) == ("lihua", 1, 7)
    assert call("GET", "/staff/LIHUA").get_json() == body
    assert Staff.select().count() == 4


def test_where_two_differ_in_their_letters_the_exact_one_is_meant(call: Call) -> None:
    Staff.create(userid="LiHua", name="李骅", serves=True, seen_at=MORNING)

    assert call("GET", "/staff/LiHua").get_json()["name"] == "李骅"
    assert call("GET", "/staff/lihua").get_json()["name"] == "李华"


def test_a_conflict_is_decided_for_a_member_in_another_spelling(call: Call) -> None:
    Ownership.claim("wm_chen", "zhangsan", at=at(0), reason=Reason("first"))
    Conflict.create(
        external_userid="wm_chen", owner="zhangsan", contenders=["lihua"], opened_at=at(5)
    )

    body = call("POST", "/conflicts/1/resolve", {"owner": "LiHua", "reason": "约定"}).get_json()

    assert body["owner"] == "lihua"
    current = Ownership.current("wm_chen")
    assert current is not None
    assert current.userid == "lihua"


def test_a_handover_knows_giver_and_taker_in_another_spelling(call: Call) -> None:
    asked = {
        "handover_userid": "ZhangSan",
        "external_userids": ["wm_chen"],
        "takeover_userid": "LIHUA",
    }

    body = call("POST", "/handovers", asked).get_json()

    assert (body["handover_userid"], body["successors"]) == ("zhangsan", ["lihua"])
    changed = call("PATCH", "/handovers/1", {"successors": ["WangWu", "wangwu"]}).get_json()
    assert changed["successors"] == ["wangwu"]
    assert len(call("GET", "/handovers?userid=ZHANGSAN").get_json()["items"]) == 1


def test_a_customers_id_is_opaque_and_stays_as_it_is(call: Call) -> None:
    asked = {
        "handover_userid": "zhangsan",
        "external_userids": ["WM_Chen"],
        "takeover_userid": "lihua",
    }

    call("POST", "/handovers", asked)

    [item] = call("GET", "/handovers/1/items").get_json()["items"]
    assert item["external_userid"] == "WM_Chen"


def test_one_leaver_in_two_spellings_is_one_case(call: Call) -> None:
    asked: dict[str, Any] = {"last_day": in_days(3), "successors": ["LiHua", "lihua"]}

    first = call("POST", "/offboardings", {"userid": "ZhangSan", **asked})
    again = call("POST", "/offboardings", {"userid": "zhangsan", **asked})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json()["successors"] == ["lihua"]
    assert [case.userid for case in Handover.select()] == ["zhangsan"]


def test_a_code_leads_to_members_as_they_are_written_here(call: Call, wecom: FakeWeCom) -> None:
    asked = {"userids": ["LiHua", "lihua", "WANGWU"], "state": "fair"}

    body = call("POST", "/contact-ways", asked).get_json()

    assert body["userids"] == ["lihua", "wangwu"]
    assert wecom.calls == [("add_contact_way", ["lihua", "wangwu"], "fair", "")]


def test_lists_are_filtered_in_any_spelling(call: Call) -> None:
    Ownership.claim("wm_chen", "zhangsan", at=at(0), reason=Reason("first"))
    InboxEvent.create(
        key="1",
        source="customer",
        event="change_external_contact",
        change_type="add_external_contact",
        userid="zhangsan",
        lane="work",
        payload=b"",
        received_at=at(0),
        due_at=at(0),
    )

    for path in ("/customers?owner=ZhangSan", "/events?userid=ZhangSan"):
        assert len(call("GET", path).get_json()["items"]) == 1, path
    for path in ("/customers?owner=lihua", "/events?userid=lihua"):
        assert call("GET", path).get_json()["items"] == [], path
