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
