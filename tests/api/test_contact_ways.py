"""QR codes are made, changed and deleted in WeCom and here."""

from typing import Any

import pytest

from bot.models import ContactWay
from bot.wecom import Refused
from tests.api.conftest import Call, FakeWeCom, problem

pytestmark = pytest.mark.usefixtures("firm")
WAY = {"userids": ["zhangsan", "lihua"], "state": "expo", "remark": "展会", "channel": "展会渠道"}


def test_a_way_is_made_in_wecom_and_kept(call: Call, wecom: FakeWeCom) -> None:
    response = call("POST", "/contact-ways", WAY)

    body = response.get_json()
    assert response.status_code == 201
    assert wecom.calls == [("add_contact_way", ["zhangsan", "lihua"], "expo", "展会")]
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == {
        "id": 1,
        "config_id": "config-1",
        "qr_code": "https://wework.example/qr",
        **WAY,
    }
    assert call("GET", "/contact-ways/1").get_json()["config_id"] == "config-1"


def test_ways_are_listed_the_latest_first(call: Call) -> None:
    for state in ("a", "b"):
        call("POST", "/contact-ways", {**WAY, "state": state})

    items = call("GET", "/contact-ways").get_json()["items"]
    assert [one["state"] for one in items] == ["b", "a"]
    assert len(call("GET", "/contact-ways?state=a").get_json()["items"]) == 1
    assert call("GET", "/contact-ways?channel=x").get_json()["items"] == []


def test_a_way_is_changed_in_wecom_first(call: Call, wecom: FakeWeCom) -> None:
    call("POST", "/contact-ways", WAY)

    body = call("PATCH", "/contact-ways/1", {"userids": ["wangwu"]}).get_json()

    assert (body["userids"], body["remark"]) == (["wangwu"], "展会")
    assert wecom.calls[-1] == ("update_contact_way", "config-1", ["wangwu"], None)


def test_an_empty_change_asks_nobody(call: Call, wecom: FakeWeCom) -> None:
    call("POST", "/contact-ways", WAY)

    assert call("PATCH", "/contact-ways/1", {}).get_json()["userids"] == WAY["userids"]
    problem(call("PATCH", "/contact-ways/1", {"remark": None}), 422)
    problem(call("PATCH", "/contact-ways/1", {"userids": []}), 422)
    assert len(wecom.calls) == 1


def test_a_deleted_way_is_gone_in_wecom_and_here(call: Call, wecom: FakeWeCom) -> None:
    call("POST", "/contact-ways", WAY)

    response = call("DELETE", "/contact-ways/1")

    assert (response.status_code, response.data) == (204, b"")
    assert wecom.calls[-1] == ("delete_contact_way", "config-1")
    problem(call("GET", "/contact-ways/1"), 404)


def test_what_wecom_refuses_is_not_remembered(call: Call, wecom: FakeWeCom) -> None:
    call("POST", "/contact-ways", WAY)
    wecom.error = Refused("x", 40058, "invalid")

    problem(call("POST", "/contact-ways", WAY), 422)
    problem(call("PATCH", "/contact-ways/1", {"remark": "新"}), 422)
    problem(call("DELETE", "/contact-ways/1"), 422)

    assert ContactWay.get().remark == "展会"


@pytest.mark.parametrize(
    "changes",
    [
        {"userids": []},
        {"userids": [f"u{number}" for number in range(101)]},
        {"userids": [""]},
        {"state": "s" * 31},
        {"remark": "r" * 31},
        {"colour": "red"},
    ],
)
def test_what_wecom_would_not_take_is_refused_without_asking(
    call: Call, wecom: FakeWeCom, changes: dict[str, Any]
) -> None:
    problem(call("POST", "/contact-ways", {**WAY, **changes}), 422)

    assert wecom.calls == []
