"""The notice, the customer's agreement, and every way in which WeCom may be in between."""

from typing import Any

import pytest

from tests.stack import Stack


def notice_of(stack: Stack, customer: str) -> dict[str, Any]:
    """Return the only notice of a customer."""
    stack.settled()
    [notice] = stack.timeline(customer, "notice")
    return notice


@pytest.mark.parametrize("door", ["archive", "customer", "both"])
def test_who_must_agree_first_is_told_after_agreeing(stack: Stack, door: str) -> None:
    stack.sandbox.patch("/sandbox/switches", audit_door=door)
    customer = f"wm_agrees_{door}"
    stack.meet("zhangsan", customer, must_agree=True)
    waiting = notice_of(stack, customer)
    assert (waiting["state"], waiting["errcode"]) == ("awaiting_consent", 41053)

    stack.sandbox.post(f"/sandbox/customers/{customer}/agree", userid="zhangsan")

    assert {event["state"] for event in stack.settled()} == {"done"}
    assert len(stack.executed("welcome_sent")) == 1
    states = [notice["state"] for notice in stack.timeline(customer, "notice")]
    assert states[0] == "awaiting_consent"
    assert set(states[1:]) == {"delivered"}
    [agreed] = stack.api.get(f"/customers/{customer}")["consent"]["platform"]
    assert (agreed["userid"], agreed["state"]) == ("zhangsan", "agreed")
    assert len(stack.timeline(customer, "consent")) == 1


def test_another_app_that_lets_go_of_the_code(stack: Stack) -> None:
    made = stack.meet("zhangsan", "wm_other_app", deliver={"delay_seconds": 0.5})
    other = f"/sandbox/welcome_codes/{made['welcome_code']}/other_app"
    stack.sandbox.post(other, busy_seconds=2, succeeds=False)

    assert notice_of(stack, "wm_other_app")["state"] == "delivered"
    codes = {call["errcode"] for call in stack.calls("externalcontact/send_welcome_msg")}
    assert 41096 in codes


def test_another_app_that_used_the_code(stack: Stack) -> None:
    made = stack.meet("zhangsan", "wm_used", deliver={"delay_seconds": 0.5})
    other = f"/sandbox/welcome_codes/{made['welcome_code']}/other_app"
    stack.sandbox.post(other, busy_seconds=1, succeeds=True)

    notice = notice_of(stack, "wm_used")

    assert (notice["state"], notice["errcode"]) == ("refused", 41051)
    assert stack.executed("welcome_sent") == []


def test_who_chats_already_cannot_be_welcomed(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_chats", deliver={"delay_seconds": 0.5})
    stack.sandbox.post("/sandbox/customers/wm_chats/chat", userid="zhangsan")

    notice = notice_of(stack, "wm_chats")

    assert (notice["state"], notice["errcode"]) == ("refused", 41051)


def test_a_code_that_comes_too_late_is_recorded_at_once(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_too_late", deliver={"delay_seconds": 0.5})
    stack.pass_time(21)

    notice = notice_of(stack, "wm_too_late")

    assert (notice["state"], notice["errcode"]) == ("refused", 41050)
    assert stack.owner("wm_too_late") == "zhangsan"


def test_a_half_contact_is_welcomed_once_and_becomes_a_whole_one(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_half", half=True)
    assert notice_of(stack, "wm_half")["state"] == "delivered"
    [relation] = stack.api.get("/customers/wm_half")["relations"]
    assert relation["state"] == "half"

    stack.sandbox.post("/sandbox/customers/wm_half/accept_half", userid="zhangsan")

    stack.settled()
    [relation] = stack.api.get("/customers/wm_half")["relations"]
    assert relation["state"] == "active"
    assert len(stack.executed("welcome_sent")) == 1
    assert stack.owner("wm_half") == "zhangsan"


def test_without_a_code_the_notice_is_missing_with_its_reason(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_codeless", with_code=False)

    notice = notice_of(stack, "wm_codeless")

    assert notice["state"] == "no_code"
    assert notice["reason"]
    assert stack.owner("wm_codeless") == "zhangsan"


def test_a_member_for_whom_no_code_ever_comes_is_one_alarm(stack: Stack) -> None:
    stack.hire("silent", department=61)
    stack.command("sync")
    for n in range(6):
        stack.meet("silent", f"wm_silent_{n}", with_code=False)
    stack.settled()

    stack.run_job("alarms", "look_for_silent_members")
    stack.run_job("alarms", "look_for_silent_members")

    alarms = stack.api.every("/alarms", state="open")
    [alarm] = [one for one in alarms if one["kind"] == "no_welcome_codes"]
    assert "silent" in alarm["text"]
