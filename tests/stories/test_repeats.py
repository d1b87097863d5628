"""WeCom says things twice; nothing is done twice."""

from typing import Any

from tests.stack import Stack
from tests.stories.letters import add_event, post_at_once, sealed


def test_an_event_delivered_three_times_is_one_event_and_one_notice(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_thrice", deliver={"times": 3})

    stack.settled()

    [event] = stack.api.every("/events", external_userid="wm_thrice")
    assert event["state"] == "done"
    assert len(stack.sandbox.get("/sandbox/deliveries")["deliveries"]) == 3
    assert len(stack.executed("welcome_sent")) == 1


def test_nodes_in_another_order_are_the_same_event(stack: Stack) -> None:
    nodes = add_event(stack, "zhangsan", "wm_reordered")

    assert post_at_once([sealed(stack, nodes), sealed(stack, nodes[::-1])]) == [200, 200]

    stack.settled()
    assert len(stack.api.every("/events", external_userid="wm_reordered")) == 1
    assert len(stack.executed("welcome_sent")) == 1


def test_fifty_at_once_of_which_one_comes_again_and_again(stack: Stack) -> None:
    letters = [sealed(stack, add_event(stack, "zhangsan", f"wm_{n}_of_50")) for n in range(49)]
    repeated = add_event(stack, "zhangsan", "wm_again")
    same_envelope = sealed(stack, repeated)
    letters += [same_envelope, same_envelope, *(sealed(stack, repeated) for _ in range(4))]

    assert post_at_once(letters) == [200] * 55

    stack.settled()
    assert len(stack.api.every("/events", external_userid="wm_again")) == 1
    told = [row["external_userid"] for row in stack.executed("welcome_sent")]
    assert sorted(told) == sorted([*(f"wm_{n}_of_50" for n in range(49)), "wm_again"])
    refused = {call["errcode"] for call in stack.calls("externalcontact/send_welcome_msg")}
    assert refused <= {0, 40014}


def test_a_repeated_conflict_is_told_once(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_twice_told", name="沈女士")
    stack.settled()
    stack.meet("lisi", "wm_twice_told", deliver={"times": 3})

    stack.settled()

    assert len(stack.api.every("/conflicts", external_userid="wm_twice_told")) == 1
    assert sorted(stack.told_of_conflicts("沈女士")) == ["lisi", "manager", "zhangsan"]


def test_a_leave_reported_three_times_is_one_case_with_one_transfer(stack: Stack) -> None:
    stack.hire("zhouqi", "zhouqi_a", department=21)
    stack.customers("zhouqi", ["wm_of_zhouqi"])
    stack.command("sync")

    stack.sandbox.post("/sandbox/staff/zhouqi/leave", deliver={"times": 3})

    stack.settled()
    stack.transferred("zhouqi", 1)
    assert len(stack.api.every("/offboardings", userid="zhouqi")) == 1
    stack.pass_time(86_401)
    stack.case("zhouqi", "done")
    assert len(stack.executed("transfer_started")) == 1
    assert len(stack.executed("transfer_completed")) == 1


def test_a_replay_repeats_the_reading_and_no_effect(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_replayed", name="傅女士")
    stack.settled()
    stack.meet("lisi", "wm_replayed")
    stack.settled()
    before, sent = of_this_story(stack, "傅女士"), messages_about(stack, "傅女士")
    assert ([row["effect"] for row in before].count("app_message"), sent) == (3, 3)

    for event in stack.api.every("/events", external_userid="wm_replayed"):
        stack.api.post(f"/events/{event['id']}/replay")

    assert {event["state"] for event in stack.settled()} == {"done"}
    assert of_this_story(stack, "傅女士") == before
    assert messages_about(stack, "傅女士") == sent
    assert stack.api.get("/customers/wm_replayed")["owner"]["userid"] == "zhangsan"
    [conflict] = stack.api.every("/conflicts", external_userid="wm_replayed")
    assert conflict["contenders"] == ["lisi"]


def of_this_story(stack: Stack, customer: str) -> list[dict[str, Any]]:
    """Return what the platform carried out; of the app messages only those about a customer.

    The digests of what earlier stories left come when they like.
    """
    rows = stack.sandbox.get("/sandbox/executed")["executed"]
    return [
        row for row in rows if row["effect"] != "app_message" or customer in str(row["content"])
    ]


def messages_about(stack: Stack, customer: str) -> int:
    """Count the calls with such a message, also those that WeCom dropped as repeated."""
    return sum(customer in str(call["parameters"]) for call in stack.calls("message/send"))
