"""Template cards: sent once, clicked by whoever has them, changed once for each code."""

from typing import Any

import pytest

from tests.sandbox.stage import AGENT_ID, Stage

BUTTONS: list[dict[str, Any]] = [
    {"text": "同意", "type": 0, "style": 1, "key": "approve"},
    {"text": "查看详情", "type": 1, "url": "https://kegui.test/offboardings/1"},
]
CARD: dict[str, Any] = {
    "card_type": "button_interaction",
    "main_title": {"title": "待审批"},
    "task_id": "offboarding-1",
    "button_list": BUTTONS,
}


def send(stage: Stage, to: str = "lisi", /, **changes: Any) -> dict[str, Any]:
    body = {"touser": to, "msgtype": "template_card", "agentid": AGENT_ID}
    return stage.post("message/send", **body, template_card={**CARD, **changes})


def click(stage: Stage, userid: str = "lisi", **which: Any) -> dict[str, Any]:
    """Click, and return the fields of the event that comes of it."""
    stage.control(f"staff/{userid}/click_card", **which)
    return dict(stage.look("events")[-1]["fields"])


def cannot_click(stage: Stage, userid: str = "lisi", **which: Any) -> bool:
    answer = stage.client.post(f"/sandbox/staff/{userid}/click_card", json=which)
    return answer.status_code == 400


def update(stage: Stage, code: str, **changes: Any) -> dict[str, Any]:
    body = {"userids": ["lisi"], "agentid": AGENT_ID, "button": {"replace_name": "已同意"}}
    return stage.post("message/update_template_card", **{**body, "response_code": code, **changes})


def test_a_card_is_delivered_with_all_that_it_says(stage: Stage) -> None:
    assert send(stage)["errcode"] == 0

    [row] = stage.look("executed")
    assert (row["effect"], row["recipient"], row["msgtype"]) == (
        "app_message",
        "lisi",
        "template_card",
    )
    assert row["content"] == CARD


@pytest.mark.parametrize("task_id", ["", "offboarding 1", "离职", "x" * 129])
def test_a_card_needs_a_task_id_that_is_well_formed(stage: Stage, task_id: str) -> None:
    assert send(stage, task_id=task_id)["errcode"] == 42014
    assert stage.look("executed") == []


def test_a_task_id_is_taken_once(stage: Stage) -> None:
    assert send(stage)["errcode"] == 0
    assert send(stage)["errcode"] == 42014
    assert send(stage, "wangwu", main_title={"title": "另一个"})["errcode"] == 42014
    assert send(stage, task_id="offboarding-2")["errcode"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"card_type": "button"},
        {"main_title": {}},
        {"button_list": []},
        {"button_list": [{"text": str(n), "key": str(n)} for n in range(7)]},
        {"button_list": [{"text": "同意"}]},
        {"button_list": [{"key": "approve"}]},
        {"button_list": [{"text": "查看", "type": 1, "key": "look"}]},
        {"button_list": [BUTTONS[0], BUTTONS[0]]},
        {"button_list": [{"text": "同意", "key": "x" * 1025}]},
        {"horizontal_content_list": [{"keyname": str(n)} for n in range(7)]},
        {"horizontal_content_list": [{"value": "张三"}]},
    ],
)
def test_a_card_that_is_not_as_documented_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    assert send(stage, **wrong)["errcode"] == 42027
    assert stage.look("executed") == []


def test_a_click_comes_back_as_the_event_of_whoever_clicked(stage: Stage) -> None:
    first = send(stage)["response_code"]

    event = click(stage, task_id="offboarding-1", key="approve")

    assert (event["FromUserName"], event["Event"], event["AgentID"]) == (
        "lisi",
        "template_card_event",
        AGENT_ID,
    )
    assert (event["EventKey"], event["TaskId"]) == ("approve", "offboarding-1")
    assert event["CardType"] == "button_interaction"
    assert event["ResponseCode"] not in ("", first)


def test_who_names_no_card_clicks_the_latest_one(stage: Stage) -> None:
    send(stage)
    send(stage, task_id="offboarding-2")
    send(stage, "wangwu", task_id="offboarding-3")

    event = click(stage)

    assert (event["TaskId"], event["EventKey"]) == ("offboarding-2", "approve")


def test_nobody_clicks_what_is_not_there(stage: Stage) -> None:
    send(stage)
    send(stage, "wangwu", task_id="offboarding-2", button_list=[BUTTONS[1]])

    assert cannot_click(stage, "zhangsan")
    assert cannot_click(stage, "lisi", task_id="offboarding-2")
    assert cannot_click(stage, "lisi", key="reject")
    assert cannot_click(stage, "wangwu")
    assert stage.look("events") == []


def test_the_code_of_a_click_puts_a_text_in_the_place_of_the_buttons_once(stage: Stage) -> None:
    send(stage)
    code = click(stage)["ResponseCode"]

    assert update(stage, code) == {"errcode": 0, "errmsg": "ok", "invaliduser": []}

    row = stage.look("executed")[-1]
    assert (row["effect"], row["recipient"], row["task_id"], row["replace_name"]) == (
        "card_updated",
        "lisi",
        "offboarding-1",
        "已同意",
    )
    assert update(stage, code)["errcode"] == 60140
    assert cannot_click(stage)


def test_the_code_of_the_sending_changes_the_card_as_well(stage: Stage) -> None:
    assert update(stage, send(stage)["response_code"])["errcode"] == 0


def test_a_code_lives_seventy_two_hours(stage: Stage) -> None:
    send(stage)
    early, late = click(stage)["ResponseCode"], click(stage)["ResponseCode"]

    stage.advance(72 * 3600 - 60)
    assert update(stage, early)["errcode"] == 0
    stage.advance(61)

    assert update(stage, late)["errcode"] == 60140
    assert update(stage, "never given")["errcode"] == 60140


def test_only_who_has_the_card_sees_it_change(stage: Stage) -> None:
    code = send(stage, "lisi|wangwu")["response_code"]

    assert update(stage, code, userids=[])["errcode"] == 82101
    assert update(stage, code, userids=["zhangsan"])["errcode"] == 82102
    assert update(stage, code, agentid=1)["errcode"] == 42015
    assert update(stage, code, userids=["LiSi", "ZhangSan"])["invaliduser"] == ["zhangsan"]
    assert [row["recipient"] for row in stage.look("executed")[2:]] == ["lisi"]
    assert not cannot_click(stage, "wangwu")


def test_another_card_may_take_its_place(stage: Stage) -> None:
    code = send(stage)["response_code"]
    body = {"agentid": AGENT_ID, "atall": 1, "response_code": code}

    def to(card: dict[str, Any]) -> int:
        answer = stage.post("message/update_template_card", **body, template_card=card)
        return int(answer["errcode"])

    assert to({"card_type": "letter"}) == 42027
    assert to({"card_type": "text_notice", "main_title": {"title": "已处理"}}) == 0
    assert stage.look("executed")[-1]["replace_name"] == "已处理"


def test_the_state_shows_the_cards_and_no_code(stage: Stage) -> None:
    code = send(stage)["response_code"]

    state = stage.look("state")

    assert [card["task_id"] for card in state["cards"]] == ["offboarding-1"]
    assert code not in str(state)
