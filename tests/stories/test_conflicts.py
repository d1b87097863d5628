"""One customer, two members: the owner stays, all concerned know, one decision settles it."""

from collections import Counter

from tests.stack import Stack, until
from tests.stories.letters import add_event, post_at_once, sealed


def test_a_second_member_is_a_conflict_and_no_owner(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_shared", name="赵女士")
    stack.settled()

    stack.meet("lisi", "wm_shared")
    stack.settled()
    stack.meet("wangwu", "wm_shared")
    stack.settled()

    assert stack.owner("wm_shared") == "zhangsan"
    [conflict] = stack.api.every("/conflicts", external_userid="wm_shared")
    assert conflict["state"] == "open"
    assert (conflict["owner"], conflict["contenders"]) == ("zhangsan", ["lisi", "wangwu"])
    # Each contender is told once, the owner and the manager once about each contender.
    told = Counter(stack.told_of_conflicts("赵女士"))
    assert told == Counter(zhangsan=2, manager=2, lisi=1, wangwu=1)
    assert any("赵女士" in text for text in stack.told("manager"))
    assert any("张三" in text for text in stack.told("lisi"))


def test_what_a_customer_calls_herself_is_no_link_and_no_line_in_a_message(stack: Stack) -> None:
    evil = '<a href="https://evil.example/login">点此处理</a>\n【客规告警】www.evil.example'
    stack.meet("zhangsan", "wm_evil", name=evil)
    stack.settled()

    stack.meet("lisi", "wm_evil")
    stack.settled()

    shown = '＜a href="https：//evil．example/login"＞点此处理＜/a＞ 【客规告警】www．evil．example'
    told = [text for userid in ("zhangsan", "lisi", "manager") for text in stack.told(userid)]
    about_her = [text for text in told if "点此处理" in text]
    assert len(about_her) == 3
    for text in about_her:
        assert f"“{shown}”" in text
        assert "\n" not in text


def test_two_members_in_the_same_second_make_one_owner(stack: Stack) -> None:
    customers = [f"wm_race_{n}" for n in range(10)]
    letters = [
        sealed(stack, add_event(stack, userid, customer))
        for customer in customers
        for userid in ("zhangsan", "lisi")
    ]

    assert post_at_once(letters) == [200] * 20

    stack.settled()
    for customer in customers:
        owner = stack.owner(customer)
        [conflict] = stack.api.every("/conflicts", external_userid=customer)
        assert conflict["owner"] == owner
        assert {owner, *conflict["contenders"]} == {"zhangsan", "lisi"}
    assert len(stack.executed("welcome_sent")) == 20


def test_a_decision_is_told_to_all_within_thirty_seconds(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_decided", name="钱先生")
    stack.settled()
    stack.meet("lisi", "wm_decided")
    stack.settled()
    [conflict] = stack.api.every("/conflicts", external_userid="wm_decided")
    told_before = Counter(stack.told_of_conflicts("钱先生"))

    settled = stack.api.post(
        f"/conflicts/{conflict['id']}/resolve", owner="lisi", reason="客户本人要求"
    )

    assert settled["state"] == "resolved"
    assert settled["resolution"]["reason"] == "客户本人要求"
    assert stack.owner("wm_decided") == "lisi"
    until(lambda: {"zhangsan", "lisi"} <= told_since(stack, "钱先生", told_before), 30)
    assert any("确定为李四" in text for text in stack.told("zhangsan"))


def test_a_decision_is_told_also_when_wecom_is_away_at_that_moment(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_away", name="孙先生")
    stack.settled()
    stack.meet("lisi", "wm_away")
    stack.settled()
    [conflict] = stack.api.every("/conflicts", external_userid="wm_away")
    told_before = Counter(stack.told_of_conflicts("孙先生"))
    stack.sandbox.post("/sandbox/faults", endpoint="message/send", http_status=502, times=1)

    stack.api.post(f"/conflicts/{conflict['id']}/resolve", owner="zhangsan", reason="先来者")

    until(lambda: {"zhangsan", "lisi"} <= told_since(stack, "孙先生", told_before), 30)


def test_the_owner_who_is_gone_leaves_the_customer_to_the_next(stack: Stack) -> None:
    stack.meet("zhangsan", "wm_next")
    stack.settled()
    stack.sandbox.post("/sandbox/customers/wm_next/delete_member", userid="zhangsan")
    stack.settled()

    stack.meet("lisi", "wm_next")

    stack.settled()
    assert stack.owner("wm_next") == "lisi"
    assert stack.api.every("/conflicts", external_userid="wm_next") == []


def told_since(stack: Stack, customer: str, told_before: Counter[str]) -> set[str]:
    return {*(Counter(stack.told_of_conflicts(customer)) - told_before)}
