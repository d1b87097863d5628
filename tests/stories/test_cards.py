"""A manager is asked by a card inside WeCom, and decides small cases by a click."""

from typing import Any

from tests.stack import Stack


def waiting_case(stack: Stack, leaver: str, department: int, customers: int) -> dict[str, Any]:
    """A member of a department that somebody leads is to leave, and the plan waits."""
    stack.hire(leaver, f"{leaver}_heir", f"{leaver}_boss", department=department)
    stack.sandbox.post(
        "/sandbox/departments", id=department, name="部门", department_leader=[f"{leaver}_boss"]
    )
    stack.customers(leaver, [f"wm_{leaver}_{n}" for n in range(customers)])
    stack.command("sync")
    stack.offboard(leaver, [f"{leaver}_heir"], mode="approve")
    return stack.case(leaver, "awaiting_approval")


def card_of(stack: Stack, userid: str) -> dict[str, Any]:
    """Wait for the only card of a member, and return what it says."""
    sent = {"msgtype": "template_card", "recipient": userid}
    stack.has_executed("app_message", 1, **sent)
    [row] = stack.executed("app_message", **sent)
    return dict(row["content"])


def forge_click(stack: Stack, userid: str, card: dict[str, Any], code: str) -> None:
    """Post what WeCom would post if this member had a button that agrees."""
    nodes = {
        "EventKey": "approve",
        "TaskId": card["task_id"],
        "CardType": "button_interaction",
        "ResponseCode": code,
        "AgentID": int(stack.place.environment["KEGUI_AGENT_ID"]),
    }
    stack.sandbox.post(
        "/sandbox/callbacks/send", event="template_card_event", sender=userid, nodes=nodes
    )


def trail(stack: Stack, case: dict[str, Any], act: str) -> list[tuple[str, str, str]]:
    """Who did something with a case, from where, and what came of it."""
    rows = stack.api.every("/audit", act=act)
    subject = f"offboarding {case['id']}"
    return [
        (row["actor"], row["origin"], row["details"].get("outcome", ""))
        for row in rows
        if row["subject"] == subject
    ]


def test_a_click_of_the_manager_approves_three_customers(stack: Stack) -> None:
    case = waiting_case(stack, "gu", 71, 3)
    card = card_of(stack, "gu_boss")
    assert [one["text"] for one in card["button_list"]] == ["同意", "查看详情"]
    assert card["button_list"][1]["url"].endswith(f"/offboardings/{case['id']}")
    assert stack.executed("transfer_started") == []

    forge_click(stack, "lisi", card, "stranger")
    stack.settled()
    stack.reached(case, "awaiting_approval")
    assert trail(stack, case, "card.refuse") == [("lisi", "template card", "no_right")]
    # The stranger has no such card: WeCom does not take the code, and nothing breaks.
    assert stack.executed("card_updated") == []

    stack.sandbox.post("/sandbox/staff/gu_boss/click_card", deliver={"times": 3})
    stack.transferred("gu", 3)
    stack.settled()

    stack.reached(case, "running")
    assert trail(stack, case, "offboarding.approve") == [("gu_boss", "template card", "")]
    [updated] = stack.executed("card_updated")
    assert (updated["recipient"], updated["replace_name"]) == ("gu_boss", "已同意")
    # The same click once more, sealed as another event.
    forge_click(stack, "gu_boss", card, "again")
    assert {event["state"] for event in stack.settled()} == {"done"}
    assert len(trail(stack, case, "offboarding.approve")) == 1
    assert len(trail(stack, case, "card.refuse")) == 1
    assert len(stack.calls("message/update_template_card")) == 2
    assert len(stack.executed("app_message", recipient="gu_boss")) == 1
    stack.api.post(f"/offboardings/{case['id']}/cancel")


def test_twenty_five_customers_are_not_approved_by_a_click(stack: Stack) -> None:
    case = waiting_case(stack, "xia", 72, 25)
    card = card_of(stack, "xia_boss")
    [button] = card["button_list"]
    assert (button["type"], button["text"]) == (1, "查看并审批")
    assert button["url"].endswith(f"/offboardings/{case['id']}")

    forge_click(stack, "xia_boss", card, "forged")
    stack.settled()

    stack.reached(case, "awaiting_approval")
    assert trail(stack, case, "card.refuse") == [("xia_boss", "template card", "too_many")]
    assert stack.executed("transfer_started") == []
    stack.api.post(f"/offboardings/{case['id']}/cancel")


def test_what_a_member_is_called_is_no_link_on_a_card(stack: Stack) -> None:
    stack.hire("kong", department=74, name="<a href='//a.example'>孔</a>")
    case = waiting_case(stack, "kong", 74, 1)

    card = card_of(stack, "kong_boss")

    rows = {row["keyname"]: row["value"] for row in card["horizontal_content_list"]}
    assert rows["离职成员"] == "＜a href='//a．example'＞孔＜/a＞"
    stack.api.post(f"/offboardings/{case['id']}/cancel")


def test_a_card_that_could_not_be_sent_is_sent_when_wecom_is_back(stack: Stack) -> None:
    """The plan waits for a person, and the person must hear of it, whatever went wrong."""
    match = {"touser": "lu_boss"}
    stack.sandbox.post("/sandbox/faults", endpoint="message/send", errcode=-1, times=4, match=match)

    case = waiting_case(stack, "lu", 73, 1)

    card_of(stack, "lu_boss")
    # What an earlier story left to be told comes when it likes.
    calls = [one for one in stack.calls("message/send") if "lu_boss" in str(one["parameters"])]
    assert [call["errcode"] for call in calls] == [-1, -1, -1, -1, 0]
    stack.api.post(f"/offboardings/{case['id']}/cancel")
