"""From the callback over HTTP to the notice in WeCom and the owner in the API."""

from tests.stack import Stack, until


def test_a_new_customer_is_told_first_and_belongs_to_the_member_who_was_added(
    stack: Stack,
) -> None:
    stack.sandbox.post(
        "/sandbox/customers", userid="zhangsan", external_userid="wm_chen", name="陈女士"
    )

    assert [event["state"] for event in stack.settled()] == ["done"]
    [sent] = stack.executed("welcome_sent")
    assert sent["external_userid"] == "wm_chen"
    customer = until(lambda: stack.api.get("/customers/wm_chen"))
    assert customer["name"] == "陈女士"
    assert customer["owner"]["userid"] == "zhangsan"


def test_a_name_with_what_xml_forbids_costs_no_customer_the_notice(stack: Stack) -> None:
    for characters in ("control", "reference", "nul", "broken"):
        stack.sandbox.patch("/sandbox/switches", event_characters=characters)
        stack.meet("zhangsan", f"wm_odd_{characters}")

    stack.settled()

    answers = stack.sandbox.get("/sandbox/deliveries")["deliveries"]
    assert [row["status"] for row in answers] == [200] * 4
    told = [row["external_userid"] for row in stack.executed("welcome_sent")]
    assert sorted(told) == sorted(
        f"wm_odd_{characters}" for characters in ("control", "reference", "nul", "broken")
    )
    assert stack.owner("wm_odd_broken") == "zhangsan"


def test_the_platforms_clock_may_jump_and_its_events_arrive(stack: Stack) -> None:
    stack.pass_time(3 * 86_400)
    stack.meet("zhangsan", "wm_after_three_days")

    stack.settled()

    assert stack.owner("wm_after_three_days") == "zhangsan"
