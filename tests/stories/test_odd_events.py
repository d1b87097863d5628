"""What WeCom's events do besides the usual: another userid, no id, the wrong order, too early."""

import pytest

from tests.stack import Stack, until


def test_a_member_with_another_userid_keeps_customers_and_hands_them_over(stack: Stack) -> None:
    stack.hire("WangFangAuto", department=61)
    stack.meet("WangFangAuto", "wm_rename_1")
    stack.meet("WangFangAuto", "wm_rename_2")
    stack.settled()
    stack.sandbox.post("/sandbox/staff/WangFangAuto/rename", new_userid="e2042")
    stack.meet("e2042", "wm_rename_3")
    stack.settled()
    customers = [f"wm_rename_{number}" for number in (1, 2, 3)]

    assert [stack.owner(one) for one in customers] == ["e2042"] * 3
    assert stack.told_of_conflicts("wm_rename") == []
    assert stack.api.get("/staff/WangFangAuto")["userid"] == "e2042"

    case = stack.offboard("e2042", ["lisi"])
    stack.transferred("e2042", 3)
    stack.pass_time(86_400)

    done = stack.reached(case, "done", "done_with_exceptions")
    assert (done["state"], done["counts"]) == ("done", {"done": 3})
    assert [stack.owner(one) for one in customers] == ["lisi"] * 3


def test_an_event_that_names_nobody_is_dead_and_shown(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_unnamed", deliver={"without": ["ExternalUserID"]})

    [event] = stack.settled()

    assert (event["state"], event["error_code"]) == ("dead", "event_lacks")
    assert "ExternalUserID" in event["error"]
    named = stack.api.get("/customers", q="wm_unnamed")["items"]
    assert named == []
    assert stack.executed("welcome_sent") == []


@pytest.mark.parametrize("act", ["delete_member", "delete_customer"])
def test_an_end_that_comes_before_its_beginning_stands(stack: Stack, act: str) -> None:
    customer = f"wm_early_{act}"
    stack.sandbox.post("/sandbox/callbacks/keep-back")
    stack.meet("zhangsan", customer, with_code=False)
    whose = "customers/" + customer if act == "delete_member" else "staff/zhangsan"
    stack.sandbox.post(f"/sandbox/{whose}/{act}", userid="zhangsan", external_userid=customer)
    stack.sandbox.post("/sandbox/callbacks/release", order="reverse")
    assert {event["state"] for event in stack.settled()} == {"done"}

    [relation] = stack.api.get(f"/customers/{customer}")["relations"]

    assert (relation["userid"], relation["state"]) == ("zhangsan", "ended")


def test_a_group_whose_details_lag_belongs_to_whom_wecom_says_in_the_end(stack: Stack) -> None:
    stack.sandbox.patch("/sandbox/switches", group_lag_seconds=2)
    stack.hire("groupowner", "groupheir", department=63)
    made = stack.sandbox.post("/sandbox/groups", owner="groupowner", name="群")
    chat_id = made["chat_id"]
    stack.settled()
    stack.sandbox.post(f"/sandbox/groups/{chat_id}/change_owner", owner="groupheir")
    stack.settled()

    # The former owner hands over nothing, and the new one the group.
    for userid, items in (("groupowner", []), ("groupheir", [("group", chat_id)])):
        case = stack.offboard(userid, ["lisi"])
        stack.reached(case, "done", "done_with_exceptions")
        assert [(one["kind"], one["chat_id"]) for one in stack.items(case)] == items


def test_a_new_userid_whose_event_was_lost_is_an_operators_question(stack: Stack) -> None:
    stack.hire("LiuYiAuto", department=62)
    stack.customers("LiuYiAuto", ["wm_lost_1", "wm_lost_2"])
    stack.command("sync")
    assert stack.owner("wm_lost_1") == "LiuYiAuto"
    stack.sandbox.post("/sandbox/staff/LiuYiAuto/rename", new_userid="e2043", announce=False)

    stack.command("sync")

    assert stack.owner("wm_lost_1") == "LiuYiAuto"
    alarms = stack.api.get("/alarms", state="open")["items"]
    [asked] = [one for one in alarms if one["kind"] == "member_maybe_renamed"]
    assert "kegui rename-member LiuYiAuto e2043" in asked["what_to_do"]
    assert stack.command("rename-member", "LiuYiAuto", "e2043") == "LiuYiAuto is e2043 now"
    assert stack.owner("wm_lost_1") == stack.owner("wm_lost_2") == "e2043"
    until(lambda: "member_maybe_renamed" not in kinds(stack))


def kinds(stack: Stack) -> set[str]:
    return {str(one["kind"]) for one in stack.api.get("/alarms", state="open")["items"]}
