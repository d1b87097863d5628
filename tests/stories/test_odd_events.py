"""What WeCom's events do besides the usual: another userid, no id, the wrong order, too early."""

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

    assert (event["state"], event["error"]) == ("dead", "without ExternalUserID")
    named = stack.api.get("/customers", q="wm_unnamed")["items"]
    assert named == []
    assert stack.executed("welcome_sent") == []


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
