"""A manager gives customers to another member; they are that member's when WeCom says so."""

from typing import Any

import pytest

from bot import clock
from tests.stack import Stack, until

DAY = 86_401


def meet_and_move(stack: Stack, customers: list[str], taking: str = "lisi") -> dict[str, Any]:
    """Zhangsan's customers are to be Lisi's, and WeCom has begun to move them."""
    for customer in customers:
        stack.meet("zhangsan", customer, name=customer)
    stack.settled()
    case = stack.api.post(
        "/handovers",
        handover_userid="zhangsan",
        external_userids=customers,
        takeover_userid=taking,
        transfer_success_msg="您好，今后由李四为您服务。",
    )
    until(lambda: stack.reached(case, "running")["counts"] == {"waiting": len(customers)})
    return dict(case)


def test_ownership_moves_only_when_wecom_is_done(stack: Stack) -> None:
    moved = ["wm_move_1", "wm_move_2", "wm_move_3"]
    stack.meet("zhangsan", "wm_stays")
    case = meet_and_move(stack, moved)
    assert {stack.owner(one) for one in moved} == {"zhangsan"}

    stack.pass_time(DAY)

    assert stack.reached(case, "done")["counts"] == {"done": 3}
    assert {stack.owner(one) for one in moved} == {"lisi"}
    assert stack.owner("wm_stays") == "zhangsan"
    [call] = stack.calls("externalcontact/transfer_customer")
    assert call["parameters"]["transfer_success_msg"] == "您好，今后由李四为您服务。"


def test_two_moves_of_one_member_both_come_to_their_end(stack: Stack) -> None:
    """WeCom wants one call at a time for a member: neither must wait for ever for its turn."""
    cases = [meet_and_move(stack, ["wm_first"]), meet_and_move(stack, ["wm_second"], "wangwu")]

    stack.pass_time(DAY)

    assert [stack.reached(case, "done")["counts"] for case in cases] == [{"done": 1}] * 2
    assert (stack.owner("wm_first"), stack.owner("wm_second")) == ("lisi", "wangwu")


@pytest.mark.parametrize("named", ["takeover", "handover"])
def test_who_refuses_stays(stack: Stack, named: str) -> None:
    stack.sandbox.patch("/sandbox/switches", transfer_fail_userid=named)
    refusing, willing = f"wm_refusing_{named}", f"wm_willing_{named}"
    case = meet_and_move(stack, [refusing, willing])

    stack.sandbox.post(f"/sandbox/customers/{refusing}/refuse_transfer")
    until(lambda: stack.reached(case, "running")["counts"] == {"waiting": 1, "refused": 1})
    stack.pass_time(DAY)

    items = stack.items(stack.reached(case, "done_with_exceptions"))
    assert {item["external_userid"]: item["state"] for item in items} == {
        refusing: "refused",
        willing: "done",
    }
    assert "refused" in items[0]["reason"]
    assert stack.owner(refusing) == "zhangsan"
    assert stack.owner(willing) == "lisi"


@pytest.mark.parametrize("with_code", [False, True])
@pytest.mark.parametrize("order", ["del add", "add del", "del", "add", ""])
def test_the_events_of_a_transfer_are_no_news(stack: Stack, order: str, with_code: bool) -> None:
    stack.sandbox.patch(
        "/sandbox/switches", transfer_events=order.split(), code_after_transfer=with_code
    )
    customer = f"wm_events_{order.replace(' ', '_')}_{with_code}"
    case = meet_and_move(stack, [customer])

    stack.pass_time(DAY)

    stack.reached(case, "done")
    stack.settled()
    check_nothing_new(stack, customer)


@pytest.mark.parametrize("order", ["reverse", "fifo"])
def test_events_that_come_after_the_case_is_closed_are_no_news(stack: Stack, order: str) -> None:
    stack.sandbox.patch("/sandbox/switches", code_after_transfer=True)
    customer = f"wm_late_{order}"
    case = meet_and_move(stack, [customer])
    stack.sandbox.post("/sandbox/callbacks/keep-back")

    stack.pass_time(DAY)
    stack.reached(case, "done")
    stack.sandbox.post("/sandbox/callbacks/release", order=order)

    assert len(stack.settled()) == 3
    check_nothing_new(stack, customer)


def test_events_that_come_before_the_poll_are_no_news(stack: Stack) -> None:
    stack.kill("clock")
    case = meet_and_move(stack, ["wm_early"])

    stack.pass_time(DAY)
    stack.settled()
    stack.start("clock")

    stack.reached(case, "done")
    check_nothing_new(stack, "wm_early")


def check_nothing_new(stack: Stack, customer: str) -> None:
    assert stack.owner(customer) == "lisi"
    assert stack.api.every("/conflicts", external_userid=customer) == []
    assert len(stack.executed("welcome_sent")) == 1
    assert stack.told_of_conflicts(customer) == []
    assert [notice["state"] for notice in stack.timeline(customer, "notice")] == ["delivered"]
    relations = stack.api.get(f"/customers/{customer}")["relations"]
    assert {one["userid"]: (one["state"], one["end"]) for one in relations} == {
        "zhangsan": ("ended", "transferred"),
        "lisi": ("active", None),
    }


def test_a_third_member_during_a_transfer_is_a_conflict(stack: Stack) -> None:
    case = meet_and_move(stack, ["wm_third"])

    stack.meet("wangwu", "wm_third")

    stack.settled()
    [conflict] = stack.api.every("/conflicts", external_userid="wm_third")
    assert (conflict["owner"], conflict["contenders"]) == ("zhangsan", ["wangwu"])
    stack.pass_time(DAY)
    stack.reached(case, "done")


def test_what_wecom_refuses_is_tried_once_a_pause_and_says_what_it_waits_for(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_refused")
    stack.settled()
    stack.fault("transfer_customer", errcode=48002, times=1)
    case = stack.api.post(
        "/handovers",
        handover_userid="zhangsan",
        external_userids=["wm_refused"],
        takeover_userid="lisi",
    )

    def waits_for() -> dict[str, Any]:
        return stack.api.get(f"/handovers/{case['id']}")["waits_for"] or {"errcode": None}

    waits = until(lambda: waits_for()["errcode"] == 48002 and waits_for())
    looked = len(stack.calls("user/get"))
    stack.has_called("user/get", looked + 5)

    assert waits["until"] > clock.now().isoformat()
    # Each poll records an attempt and, as the endpoint is paused, takes it back at once.
    with stack.clock_asleep():
        [item] = stack.items(case)
        assert (item["state"], item["errcode"]) == ("planned", 48002)
        attempts = [(one["status"], one["errcode"]) for one in item["attempts"]]
        assert attempts == [("not_sent", 48002)]
        assert len(stack.calls("externalcontact/transfer_customer")) == 1
    [pause] = [one for one in stack.api.get("/pauses")["items"] if one["errcode"] == 48002]
    stack.api.post(f"/pauses/{pause['name']}/lift")
    until(lambda: stack.reached(case, "running")["counts"] == {"waiting": 1})
    until(lambda: not waits_for()["errcode"])
