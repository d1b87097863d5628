"""Another userid for a member, group details that lag, and answers and events that lack a field."""

from typing import Any

import pytest

from tests.sandbox.stage import CHEN, Stage


def group_of(stage: Stage, chat_id: str) -> dict[str, Any]:
    return dict(stage.post("externalcontact/groupchat/get", chat_id=chat_id)["group_chat"])


def test_a_member_with_another_userid_has_all_that_was_theirs(stage: Stage) -> None:
    stage.control("customers", userid="zhangsan", external_userid=CHEN)
    chat = str(stage.control("groups", owner="zhangsan", members=[CHEN])["chat_id"])
    made = stage.post("externalcontact/add_contact_way", type=1, scene=2, user=["zhangsan"])

    stage.control("staff/zhangsan/rename", new_userid="e1001")

    assert stage.get("user/get", userid="zhangsan")["errcode"] == 60111
    assert stage.get("user/get", userid="E1001")["userid"] == "e1001"
    page = stage.post("externalcontact/batch/get_by_user", userid_list=["e1001"])
    listed = page["external_contact_list"]
    assert [one["external_contact"]["external_userid"] for one in listed] == [CHEN]
    assert group_of(stage, chat)["owner"] == "e1001"
    way = stage.post("externalcontact/get_contact_way", config_id=made["config_id"])
    assert way["contact_way"]["user"] == ["e1001"]
    [event] = stage.look("events", change_type="update_user")
    names = ("UserID", "NewUserID")
    assert [event["fields"][name] for name in names] == ["zhangsan", "e1001"]


def test_nobody_gets_a_userid_that_another_has(stage: Stage) -> None:
    answer = stage.client.post("/sandbox/staff/zhangsan/rename", json={"new_userid": "LiSi"})

    assert answer.status_code == 400


def test_group_details_may_lag_behind_their_events(stage: Stage) -> None:
    stage.turn(group_lag_seconds=2)
    chat = str(stage.control("groups", owner="zhangsan", members=[CHEN])["chat_id"])
    stage.control(f"groups/{chat}/change_owner", owner="lisi")

    assert group_of(stage, chat)["owner"] == "zhangsan"
    stage.advance(3)
    assert group_of(stage, chat)["owner"] == "lisi"


@pytest.mark.parametrize("times", [None, 1])
def test_an_answer_may_lack_a_field(stage: Stage, times: int | None) -> None:
    chat = str(stage.control("groups", owner="zhangsan", members=[CHEN])["chat_id"])
    fault = {"endpoint": "externalcontact/groupchat/get", "without": ["group_chat.owner"]}
    stage.control("faults", **fault, times=times)

    assert "owner" not in group_of(stage, chat)
    assert ("owner" in group_of(stage, chat)) is (times == 1)


def test_an_event_may_lack_a_field(stage: Stage) -> None:
    stage.control(
        "customers",
        userid="zhangsan",
        external_userid=CHEN,
        deliver={"without": ["ExternalUserID"]},
    )

    [event] = stage.look("events", event="change_external_contact")
    assert "ExternalUserID" not in event["fields"]
