"""Groups, contact ways and app messages."""

from typing import Any

import pytest

from tests.sandbox.stage import AGENT_ID, CHEN, DAY, Stage


def found(stage: Stage, owner: str = "zhangsan", **more: Any) -> str:
    return str(stage.control("groups", owner=owner, members=[CHEN], **more)["chat_id"])


def move(stage: Stage, chat_id: str, new_owner: str = "lisi", resigned: bool = False) -> int:
    path = f"externalcontact/groupchat/{'transfer' if resigned else 'onjob_transfer'}"
    answer = stage.post(path, chat_id_list=[chat_id], new_owner=new_owner)
    failed = answer["failed_chat_list"]
    return int(failed[0]["errcode"]) if failed else 0


def listed(stage: Stage, owner: str = "", status: int = 0) -> dict[str, int]:
    body: dict[str, Any] = {"limit": 100, "status_filter": status}
    if owner:
        body["owner_filter"] = {"userid_list": [owner]}
    rows = stage.post("externalcontact/groupchat/list", **body)["group_chat_list"]
    return {row["chat_id"]: row["status"] for row in rows}


def test_a_leavers_groups_are_listed_by_owner_and_can_be_inherited_once(stage: Stage) -> None:
    chat = found(stage)
    assert move(stage, chat, resigned=True) == 90500
    stage.control("staff/zhangsan/leave")

    assert listed(stage) == {}
    assert listed(stage, "zhangsan", 1) == {chat: 1}
    assert move(stage, chat) == 90502
    assert move(stage, chat, resigned=True) == 0
    assert listed(stage, "lisi") == {chat: 3}
    assert move(stage, chat, "wangwu", resigned=True) == 90508


def test_an_inheritance_may_take_its_time(stage: Stage) -> None:
    stage.turn(group_transfer_seconds=60)
    chat = found(stage)
    stage.control("staff/zhangsan/leave")

    assert move(stage, chat, resigned=True) == 0
    assert move(stage, chat, resigned=True) == 90507
    assert listed(stage, "zhangsan", 2) == {chat: 2}
    stage.advance(61)
    assert listed(stage, "lisi", 3) == {chat: 3}


def test_groups_that_cannot_move_have_their_codes(stage: Stage) -> None:
    gone, internal = found(stage), found(stage, is_internal=True)
    stage.control(f"groups/{gone}/dismiss")

    assert move(stage, gone) == 49008
    assert move(stage, internal) == 90501
    assert move(stage, "wr_unknown") == 40050
    assert move(stage, found(stage), "zhangsan") == 90504


def test_a_group_moves_twice_in_ninety_days(stage: Stage) -> None:
    chat = found(stage)

    codes = [move(stage, chat, who) for who in ("lisi", "wangwu", "zhangsan")]

    assert codes == [0, 0, 40128]
    stage.advance(91 * DAY)
    assert move(stage, chat, "zhangsan") == 0


def test_an_owner_takes_three_hundred_groups_a_day(stage: Stage) -> None:
    chats = [found(stage, silent=True) for _ in range(301)]
    codes = []
    for start in range(0, 301, 100):
        body = {"chat_id_list": chats[start : start + 100], "new_owner": "lisi"}
        failed = stage.post("externalcontact/groupchat/onjob_transfer", **body)
        codes += [row["errcode"] for row in failed["failed_chat_list"]]

    assert codes == [45009]
    assert move(stage, chats[300], "wangwu") == 0


def test_an_unfit_new_owner_fails_the_whole_call(stage: Stage) -> None:
    stage.control("staff/lisi", "PATCH", verified=False)
    body = {"chat_id_list": [found(stage)], "new_owner": "lisi"}

    assert stage.post("externalcontact/groupchat/onjob_transfer", **body)["errcode"] == 40098


def test_more_than_a_thousand_people_need_an_owner_filter(stage: Stage) -> None:
    stage.control("staff", staff=[{"userid": f"m{number}"} for number in range(998)])

    assert stage.post("externalcontact/groupchat/list", limit=10)["errcode"] == 81017


def test_owners_change_in_the_client_with_an_event_and_by_api_without(stage: Stage) -> None:
    chat = found(stage)
    move(stage, chat)
    stage.control(f"groups/{chat}/change_owner", owner="wangwu")

    changes = [row["change_type"] for row in stage.look("events")]
    assert changes == ["create", "update"]
    assert stage.look("events")[1]["fields"]["UpdateDetail"] == "change_owner"
    answer = stage.post("externalcontact/groupchat/get", chat_id=chat, need_name=1)
    assert answer["group_chat"]["owner"] == "wangwu"


def test_leavers_groups_without_a_filter_and_events_of_the_api_are_switches(stage: Stage) -> None:
    stage.turn(resigned_groups_without_filter=True, group_transfer_events=True)
    chat = found(stage, silent=True)
    stage.control("staff/zhangsan/leave", announce=False)

    assert listed(stage) == {chat: 1}
    assert move(stage, chat, resigned=True) == 0
    assert [row["change_type"] for row in stage.look("events")] == ["update"]


WAY = {"type": 1, "scene": 2, "user": ["zhangsan"]}


def test_a_contact_way_is_made_changed_and_deleted(stage: Stage) -> None:
    config = {"config_id": stage.post("externalcontact/add_contact_way", **WAY)["config_id"]}
    path = "externalcontact/update_contact_way"

    assert stage.post(path, **config, user=["lisi"], state="new")["errcode"] == 0
    way = stage.post("externalcontact/get_contact_way", **config)["contact_way"]
    assert (way["user"], way["state"], way["skip_verify"]) == (["lisi"], "new", True)
    assert stage.post("externalcontact/list_contact_way")["contact_way"] == [config]
    assert stage.post("externalcontact/del_contact_way", **config)["errcode"] == 0
    assert stage.post("externalcontact/get_contact_way", **config)["errcode"] == 41044


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": 3}, 41037),
        ({"scene": 3}, 41038),
        ({"user": ["zhangsan", "lisi"]}, 41042),
        ({"user": []}, 41042),
        ({"user": "zhangsan"}, 40035),
        ({"user": ["nobody"]}, 40003),
        ({"user": ["wangwu"]}, 41054),
        ({"state": "x" * 31}, 40058),
        ({"type": 2, "user": [], "party": [1]}, 41041),
        ({"type": 2, "user": [], "party": [9]}, 40066),
    ],
)
def test_a_contact_way_of_a_wrong_form_is_refused(
    stage: Stage, change: dict[str, Any], code: int
) -> None:
    stage.control("staff/wangwu", "PATCH", follow=False)
    stage.control("staff", staff=[{"userid": f"m{number}"} for number in range(101)])

    assert stage.post("externalcontact/add_contact_way", **WAY | change)["errcode"] == code


def test_somebody_elses_contact_way_is_invisible_and_the_cap_holds(stage: Stage) -> None:
    stage.turn(contact_way_cap=1)
    foreign = stage.control("contact_ways", user=["zhangsan"])["config_id"]

    assert stage.post("externalcontact/list_contact_way")["contact_way"] == []
    path = "externalcontact/get_contact_way"
    assert stage.post(path, config_id=foreign)["errcode"] == 41044
    assert stage.post("externalcontact/add_contact_way", **WAY)["errcode"] == 41045


def say(stage: Stage, touser: str = "zhangsan", text: str = "x", **more: Any) -> dict[str, Any]:
    body = {"touser": touser, "msgtype": "text", "agentid": AGENT_ID, "text": {"content": text}}
    return stage.post("message/send", **body, **more)


def heard(stage: Stage) -> list[str]:
    return [row["recipient"] for row in stage.look("executed", effect="app_message")]


def test_unknown_recipients_are_named_in_lower_case(stage: Stage) -> None:
    answer = say(stage, "ZhangSan|Nobody")

    assert (answer["errcode"], answer["invaliduser"]) == (0, "nobody")
    assert heard(stage) == ["zhangsan"]
    assert say(stage, "nobody")["errcode"] == 81013
    assert say(stage, "")["errcode"] == 81012
    assert say(stage, "|".join(f"m{number}" for number in range(1001)))["errcode"] == 40035


def test_departments_and_everybody_can_be_told(stage: Stage) -> None:
    stage.control("staff/lisi", "PATCH", departments=[2])

    say(stage, "", toparty="2")
    say(stage, "@all")

    assert heard(stage) == ["lisi", "zhangsan", "lisi", "wangwu"]


def test_the_same_message_is_dropped_within_the_interval_when_asked(stage: Stage) -> None:
    check: dict[str, Any] = {"enable_duplicate_check": 1, "duplicate_check_interval": 600}
    for _ in range(2):
        assert say(stage, **check)["errcode"] == 0
    assert heard(stage) == ["zhangsan"]

    stage.advance(601)
    say(stage, **check)

    assert len(heard(stage)) == 2


def test_above_thirty_in_a_minute_messages_are_dropped_without_a_word(stage: Stage) -> None:
    codes = {say(stage, text=str(number))["errcode"] for number in range(32)}

    assert codes == {0}
    assert len(heard(stage)) == 30
    stage.advance(61)
    say(stage)
    assert len(heard(stage)) == 31


def test_a_long_text_is_cut_and_a_long_markdown_refused(stage: Stage) -> None:
    say(stage, text="好" * 1000)
    body = {"touser": "lisi", "msgtype": "markdown", "agentid": AGENT_ID}

    assert len(stage.look("executed")[0]["content"]) == 682
    assert stage.post("message/send", **body, markdown={"content": "x" * 2049})["errcode"] == 45002
    assert stage.post("message/send", **body, markdown={"content": ""})["errcode"] == 44004
