"""A member leaves, however WeCom lets us know, and all that was theirs finds somebody."""

from collections import Counter
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from bot import clock
from tests.stack import Stack, until

DAY = 86_401


def big_leaver(stack: Stack, leaver: str, department: int) -> list[str]:
    """250 customers and three heirs, of whom one has room for ten."""
    heirs = [f"{leaver}_{letter}" for letter in "abc"]
    stack.hire(leaver, *heirs, department=department)
    stack.hire(heirs[2], department=department, customer_limit=10)
    stack.customers(leaver, [f"wm_{leaver}_{n}" for n in range(250)])
    stack.command("sync")
    return heirs


def refuse(stack: Stack, customers: list[str]) -> None:
    for one in customers:
        stack.sandbox.post(f"/sandbox/customers/{one}/refuse_transfer")
    stack.settled()


def play_to_the_end(stack: Stack, leaver: str) -> dict[str, Any]:
    """Five refuse and two of them again; all others are taken over."""
    until(lambda: stack.case(leaver, "running")["counts"] == {"waiting": 250}, 60)
    refusing = [f"wm_{leaver}_{n}" for n in range(5)]
    # A round of planning takes up what it finds: who counts calls must know the rounds.
    with stack.clock_asleep():
        refuse(stack, refusing)
    stack.transferred(leaver, 255)
    with stack.clock_asleep():
        refuse(stack, refusing[:2])
        stack.pass_time(DAY)
    return stack.case(leaver, "done_with_exceptions")


def check_the_end(
    stack: Stack, case: dict[str, Any], endpoint: str, full: str, leaver: str
) -> None:
    items = stack.items(case)
    assert case["counts"] == {"done": 248, "refused": 2}
    assert Counter(len(item["attempts"]) for item in items)[3] <= 5
    assert all(item["reason"] for item in items if item["state"] == "refused")
    assert {item["external_userid"] for item in items if item["state"] == "refused"} == {
        f"wm_{leaver}_0",
        f"wm_{leaver}_1",
    }
    taken = Counter(item["takeover_userid"] for item in items if item["state"] == "done")
    assert taken[full] <= 10
    statuses = Counter(one["status"] for item in items for one in item["attempts"])
    assert statuses["refused"] == 5 + 2
    assert statuses["limit"] == sum(
        one["errcode"] == 40099 for item in items for one in item["attempts"]
    )
    # 84, 83 and 83 are one call each; the 73 whom one heir cannot take go to the two others in
    # one call each; so do the five who refuse, if both get some.
    after_refusal = {
        later["takeover_userid"]
        for item in items
        for first, later in pairwise(item["attempts"])
        if first["status"] == "refused"
    }
    calls = [call for call in stack.calls(f"externalcontact/{endpoint}") if call["errcode"] == 0]
    assert len(calls) == 3 + 2 + len(after_refusal)
    done = [item for item in items if item["state"] == "done"]
    for item in done[5::49]:
        assert stack.owner(item["external_userid"]) == item["takeover_userid"]


def test_two_hundred_and_fifty_customers_in_service(stack: Stack) -> None:
    heirs = big_leaver(stack, "qian", 41)
    stack.offboard("qian", heirs, mode="approve")
    case = stack.case("qian", "awaiting_approval")
    assert stack.executed("transfer_started") == []

    stack.api.post(f"/offboardings/{case['id']}/approve")

    case = play_to_the_end(stack, "qian")
    check_the_end(stack, case, "transfer_customer", heirs[2], "qian")


def test_two_hundred_and_fifty_customers_of_an_account_that_is_gone(stack: Stack) -> None:
    heirs = big_leaver(stack, "wei", 42)

    stack.sandbox.post("/sandbox/staff/wei/leave")

    case = play_to_the_end(stack, "wei")
    check_the_end(stack, case, "resigned/transfer_customer", heirs[2], "wei")
    assert stack.calls("externalcontact/transfer_customer") == []


def test_without_room_anywhere_the_rest_is_an_exception_with_its_reason(stack: Stack) -> None:
    stack.hire("feng", department=43)
    stack.hire("feng_a", department=43, customer_limit=1)
    stack.customers("feng", ["wm_feng_0", "wm_feng_1", "wm_feng_2"])

    stack.offboard("feng", ["feng_a"])
    until(lambda: stack.case("feng", "running")["counts"] == {"waiting": 1, "limit": 2})
    stack.pass_time(DAY)

    items = stack.items(stack.case("feng", "done_with_exceptions"))
    left = [item for item in items if item["state"] == "limit"]
    assert [item["attempts"][0]["errcode"] for item in left] == [40099, 40099]
    assert all("full" in item["reason"] for item in left)


@pytest.mark.parametrize("pending", ["continue", "drop"])
def test_the_account_goes_while_transfers_wait(stack: Stack, pending: str) -> None:
    stack.sandbox.patch("/sandbox/switches", pending_on_leave=pending)
    leaver, heir = f"chu_{pending}", f"chu_{pending}_a"
    customers = [f"wm_chu_{pending}_{n}" for n in range(4)]
    stack.hire(leaver, heir, department=44 if pending == "drop" else 45)
    stack.customers(leaver, customers)
    stack.offboard(leaver, [heir])
    until(lambda: stack.case(leaver, "running")["counts"] == {"waiting": 4})

    stack.sandbox.post(f"/sandbox/staff/{leaver}/leave")

    if pending == "drop":
        until(lambda: len(stack.executed("transfer_started", resigned="True")) == 4)
    stack.settled()
    stack.pass_time(DAY)
    case = stack.case(leaver, "done")
    assert case["counts"] == {"done": 4}
    completed = Counter(row["external_userid"] for row in stack.executed("transfer_completed"))
    assert completed == Counter(customers)
    assert len(stack.executed("transfer_started")) == (8 if pending == "drop" else 4)


def by_unsubscribe(stack: Stack, userid: str) -> None:
    stack.sandbox.post(f"/sandbox/staff/{userid}/leave", announce=False, unsubscribe=True)


def by_status(stack: Stack, userid: str) -> None:
    stack.sandbox.post(f"/sandbox/staff/{userid}/disable", status=5, unsubscribe=True)


def by_the_hourly_list(stack: Stack, userid: str) -> None:
    stack.sandbox.post(f"/sandbox/staff/{userid}/leave", announce=False)
    stack.run_job("readings", "unassigned")


def by_the_nightly_reading(stack: Stack, userid: str) -> None:
    stack.sandbox.post(f"/sandbox/staff/{userid}/disable", status=5, unsubscribe=False)
    stack.run_job("readings", "everything")


@pytest.mark.parametrize(
    "leave", [by_unsubscribe, by_status, by_the_hourly_list, by_the_nightly_reading]
)
def test_every_hint_of_a_leave_moves_also_customers_nobody_spoke_of(
    stack: Stack, leave: Any
) -> None:
    leaver = f"jiang_{leave.__name__}"
    stack.hire(leaver, f"{leaver}_a", department=46)
    stack.customers(leaver, [f"wm_{leaver}_read"])
    stack.command("sync")
    stack.customers(leaver, [f"wm_{leaver}_unread"])

    leave(stack, leaver)

    stack.transferred(leaver, 2)
    stack.pass_time(DAY)
    assert stack.case(leaver, "done")["counts"] == {"done": 2}
    started = stack.executed("transfer_started")
    assert [row["resigned"] for row in started] == [True, True]
    for row in started:
        assert stack.owner(row["external_userid"]) == row["takeover"]


def test_a_barred_member_is_no_leaver(stack: Stack) -> None:
    stack.hire("shen", department=47)

    stack.sandbox.post("/sandbox/staff/shen/disable", status=2, unsubscribe=True)

    assert [event["state"] for event in stack.settled()] == ["done"]
    assert stack.api.every("/offboardings", userid="shen") == []


def waits_for_wecom(stack: Stack, leaver: str) -> bool:
    return bool(stack.case(leaver, "running")["counts"] == {"waiting": 1})


def test_a_customer_of_two_leavers_leaves_both(stack: Stack) -> None:
    stack.hire("jiang", "tao", "jt_a", "jt_b", department=58)
    for leaver in ("jiang", "tao"):
        stack.customers(leaver, ["wm_of_both"])
    stack.command("sync")
    # Both plans are made before either begins: neither leaver is the other's heir.
    for leaver, heir in (("jiang", "jt_a"), ("tao", "jt_b")):
        stack.offboard(leaver, [heir], mode="approve")
    for leaver in ("jiang", "tao"):
        case = stack.case(leaver, "awaiting_approval")
        stack.api.post(f"/offboardings/{case['id']}/approve")
        # WeCom moves one contact of a customer at a time, and says so (40100).
        until(partial(waits_for_wecom, stack, leaver))

    stack.pass_time(DAY)
    stack.case("jiang", "done")
    until(lambda: len(stack.executed("transfer_started", handover="tao")) == 1, 60)
    stack.pass_time(DAY)
    stack.case("tao", "done")

    contacts = {
        relation["userid"]
        for customer in stack.sandbox.get("/sandbox/state")["customers"]
        if customer["external_userid"] == "wm_of_both"
        for relation in customer["relations"]
        if relation["status"] == "full"
    }
    assert contacts.isdisjoint({"jiang", "tao"})
    assert stack.owner("wm_of_both") in contacts


def test_groups_move_in_service_and_after(stack: Stack) -> None:
    stack.hire("han", "han_a", "yang", department=48)
    stack.command("sync")
    for owner in ("han", "yang"):
        for n in range(2):
            stack.sandbox.post("/sandbox/groups", owner=owner, chat_id=f"wr_{owner}_{n}")
    stack.settled()

    stack.offboard("han", ["han_a"])
    stack.case("han", "done")
    stack.sandbox.post("/sandbox/staff/yang/leave")
    stack.case("yang", "done")

    moved = {row["chat_id"]: row["resigned"] for row in stack.executed("group_transferred")}
    assert moved == {"wr_han_0": False, "wr_han_1": False, "wr_yang_0": True, "wr_yang_1": True}
    # Who leaves takes over nothing.
    assert {row["takeover"] for row in stack.executed("group_transferred")} == {"han_a"}
    assert len(stack.calls("externalcontact/groupchat/onjob_transfer")) == 1
    assert len(stack.calls("externalcontact/groupchat/transfer")) == 1


def test_of_320_groups_for_one_owner_twenty_wait_for_tomorrow(stack: Stack) -> None:
    stack.hire("zhu", "zhu_a", department=49)
    for n in range(320):
        stack.sandbox.post("/sandbox/groups", owner="zhu", chat_id=f"wr_zhu_{n}", silent=True)

    stack.offboard("zhu", ["zhu_a"])

    until(lambda: stack.case("zhu", "running")["counts"] == {"done": 300, "planned": 20}, 60)
    case = stack.case("zhu", "running")
    waiting = [item for item in stack.items(case) if item["state"] == "planned"]
    assert all("tomorrow" in item["reason"] for item in waiting)
    assert len(stack.executed("group_transferred")) == 300
    assert len(stack.calls("externalcontact/groupchat/onjob_transfer")) == 3
    stack.api.post(f"/offboardings/{case['id']}/cancel")


def test_contact_ways_of_ours_are_mended_and_others_are_left_to_a_person(stack: Stack) -> None:
    stack.hire("qin", "qin_a", "qin_b", department=50)
    stack.customers("qin", ["wm_qin"])
    shared = stack.api.post("/contact-ways", userids=["qin", "qin_b"], state="qin_shared")
    alone = stack.api.post("/contact-ways", userids=["qin"], state="qin_alone")
    foreign = stack.call_as_app(
        "externalcontact/add_contact_way", type=2, scene=2, user=["qin"], remark="老海报"
    )

    stack.offboard("qin", ["qin_a"])
    until(lambda: stack.case("qin", "running")["counts"] == {"waiting": 1})
    stack.pass_time(DAY)

    case = stack.case("qin", "done")
    leads_to = {
        way["config_id"]: way["settings"]["user"]
        for way in stack.sandbox.get("/sandbox/state")["contact_ways"]
    }
    assert leads_to[shared["config_id"]] == ["qin_b"]
    assert leads_to[alone["config_id"]] == ["qin_a"]
    assert leads_to[foreign["config_id"]] == ["qin"]
    [by_hand] = case["hand_work"]
    assert by_hand["subject"] == foreign["config_id"]
    assert "老海报" in by_hand["text"]


def test_old_posters_of_other_tools_are_left_to_a_person_too(stack: Stack) -> None:
    stack.hire("shi", "shi_a", department=57)
    old = [
        stack.sandbox.post(
            "/sandbox/contact_ways", user=["shi"], remark="旧海报", days_ago=days, listed=True
        )["config_id"]
        for days in (89, 91, 400, 1_800)
    ]
    stack.sandbox.post("/sandbox/contact_ways", user=["shi_a"], days_ago=400, listed=True)

    stack.offboard("shi", ["shi_a"])

    case = stack.case("shi", "done")
    assert sorted(work["subject"] for work in case["hand_work"]) == sorted(old)


def test_who_knows_an_heir_already_is_not_transferred(stack: Stack) -> None:
    stack.hire("you", "you_a", department=51)
    stack.meet("you", "wm_you")
    stack.settled()
    stack.meet("you_a", "wm_you")
    stack.settled()

    stack.offboard("you", ["you_a"])

    [item] = stack.items(stack.case("you", "done"))
    assert (item["state"], item["reason"]) == ("done", "already_contact")
    assert stack.calls("externalcontact/transfer_customer") == []
    assert stack.owner("wm_you") == "you_a"


def test_what_is_not_due_waits_and_can_be_cancelled(stack: Stack) -> None:
    stack.hire("xu", "xu_a", department=52)
    stack.customers("xu", ["wm_xu"])
    in_half_a_year = (clock.now() + timedelta(days=180)).date()
    case = stack.offboard("xu", ["xu_a"], last_day=str(in_half_a_year))

    stack.case("xu", "scheduled")
    cancelled = stack.api.post(f"/offboardings/{case['id']}/cancel")

    assert cancelled["counts"] == {"cancelled": 1}
    assert stack.executed("transfer_started") == []


def test_a_successor_who_left_in_silence_is_passed_over(stack: Stack) -> None:
    stack.hire("silent", "silent_gone", "silent_heir", department=47)
    stack.customers("silent", ["wm_of_silent"])
    stack.command("sync")
    stack.sandbox.post("/sandbox/staff/silent_gone/leave", announce=False)

    case = stack.offboard("silent", ["silent_gone", "silent_heir"])

    stack.transferred("silent", 1)
    stack.pass_time(86_401)
    stack.reached(case, "done")
    [item] = stack.items(case)
    assert item["takeover_userid"] == "silent_heir"
    assert [one["errcode"] for one in item["attempts"]].count(40003) <= 2


def go_on_leave(stack: Stack, userid: str) -> None:
    stack.api.put(f"/staff/{userid}", on_leave=True)


def go_off_duty(stack: Stack, userid: str) -> None:
    stack.api.put(f"/staff/{userid}", on_duty=False)


def begin_to_leave(stack: Stack, userid: str) -> None:
    stack.offboard(userid, mode="approve")


def planned_for(stack: Stack, case: dict[str, Any]) -> Counter[str | None]:
    return Counter(item["takeover_userid"] for item in stack.items(case))


@pytest.mark.parametrize("go", [go_on_leave, go_off_duty, begin_to_leave])
@pytest.mark.parametrize("named", [True, False])
def test_who_goes_while_the_plan_waits_gets_nobody(stack: Stack, named: bool, go: Any) -> None:
    leaver = f"lu_{go.__name__}_{named}"
    heir, other = f"{leaver}_a", f"{leaver}_b"
    department = 80 + 3 * named + [go_on_leave, go_off_duty, begin_to_leave].index(go)
    stack.hire(leaver, heir, other, department=department)
    stack.customers(leaver, [f"wm_{leaver}_{n}" for n in range(4)])
    stack.command("sync")
    stack.offboard(leaver, [heir, other] if named else [], mode="approve")
    case = stack.case(leaver, "awaiting_approval")
    assert planned_for(stack, case) == {heir: 2, other: 2}

    go(stack, heir)

    until(lambda: planned_for(stack, case) == {other: 4})
    stack.api.post(f"/offboardings/{case['id']}/approve")
    stack.transferred(leaver, 4)
    assert {row["takeover"] for row in stack.executed("transfer_started")} == {other}


def test_who_goes_after_the_approval_gets_nobody_and_the_approval_stands(stack: Stack) -> None:
    stack.hire("meng", "meng_a", "meng_b", department=86)
    stack.customers("meng", ["wm_meng_0", "wm_meng_1"])
    stack.command("sync")
    in_half_a_year = str((clock.now() + timedelta(days=180)).date())
    case = stack.offboard("meng", [], mode="approve", last_day=in_half_a_year)
    stack.case("meng", "awaiting_approval")
    stack.api.post(f"/offboardings/{case['id']}/approve")
    stack.case("meng", "scheduled")

    go_on_leave(stack, "meng_a")

    until(lambda: planned_for(stack, case) == {"meng_b": 2})
    assert stack.case("meng", "scheduled", "awaiting_approval")["state"] == "scheduled"


def test_where_nobody_is_left_to_take_over_the_items_say_so(stack: Stack) -> None:
    stack.hire("kang", "kang_a", department=87)
    stack.customers("kang", ["wm_kang_0", "wm_kang_1"])
    stack.command("sync")
    stack.offboard("kang", ["kang_a"], mode="approve")
    case = stack.case("kang", "awaiting_approval")

    go_on_leave(stack, "kang_a")

    nobody = (None, "everybody_full_or_unfit")
    until(
        lambda: {(one["takeover_userid"], one["reason"]) for one in stack.items(case)} == {nobody}
    )
    stack.api.post(f"/offboardings/{case['id']}/approve")
    stack.case("kang", "done_with_exceptions")
    assert stack.executed("transfer_started") == []
