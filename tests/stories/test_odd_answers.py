"""One odd record in WeCom's answers, and everybody else is served all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Stack, running_stack, until
from tests.stories.conftest import QUICK, empty_redis, own_database

CONTROL, HALF, NUL = "陈\x14", "赵\ud83d", "钱\x00"
WELCOME = "externalcontact/send_welcome_msg"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A firm that was never read, with everything odd in it; only its doors are open."""
    with own_database(request.param, tmp_path) as url:
        queue_url = url if request.param == "sqlite" else empty_redis()
        with running_stack(tmp_path, url, queue_url, **QUICK) as stack:
            yield stack


@pytest.mark.parametrize("characters", ["escaped", "raw"])
def test_odd_names_are_shown_with_a_mark_and_every_add_has_its_owner(
    stack: Stack, characters: str
) -> None:
    stack.sandbox.patch("/sandbox/switches", odd_characters=characters)
    names = {
        f"wm_{characters}_control": (CONTROL, "陈�"),
        f"wm_{characters}_half": (HALF, "赵�"),
        f"wm_{characters}_nul": (NUL, "钱�"),
        f"wm_{characters}_plain": ("孙静", "孙静"),
    }

    for customer, (name, _) in names.items():
        stack.meet("zhangsan", customer, name=name)

    assert {event["state"] for event in stack.settled()} == {"done"}
    for customer, (_, shown) in names.items():
        assert stack.owner(customer) == "zhangsan"
        assert stack.api.get(f"/customers/{customer}")["name"] == shown
        assert len(stack.executed("welcome_sent", external_userid=customer)) == 1
    assert stack.api.get("/pauses")["items"] == []
    assert "wecom_answer_mended" in stack.logs()


@pytest.mark.parametrize("characters", ["escaped", "raw"])
def test_the_nightly_reading_ends_though_names_are_odd_and_lists_null(
    stack: Stack, characters: str
) -> None:
    stack.sandbox.patch("/sandbox/switches", odd_characters=characters, empty_lists="null")
    odd = [f"wm_night_{characters}_{number}" for number in range(3)]
    stack.hire("nightly", department=71)
    for customer, name in zip(odd, (CONTROL, HALF, NUL), strict=True):
        row = {"userid": "nightly", "external_userid": customer, "name": name}
        stack.sandbox.post("/sandbox/customers", **row, silent=True)

    stack.command("sync")

    assert [stack.owner(customer) for customer in odd] == ["nightly"] * 3
    shown = [stack.api.get(f"/customers/{customer}")["name"] for customer in odd]
    assert shown == ["陈�", "赵�", "钱�"]
    assert stack.api.get("/pauses")["items"] == []


@pytest.mark.parametrize("errcode", [60011, 60021, 50002, 60111])
def test_a_member_of_whom_nothing_is_said_keeps_no_other_waiting(
    stack: Stack, errcode: int
) -> None:
    hidden, leaver = f"hidden{errcode}", f"leaver{errcode}"
    stack.hire(hidden, leaver, department=72)
    stack.customers(hidden, [f"wm_hidden_{errcode}"])
    stack.customers(leaver, [f"wm_leaver_{errcode}"])
    stack.command("sync")
    stack.sandbox.patch(f"/sandbox/staff/{hidden}", errcode=errcode)
    stack.sandbox.post(f"/sandbox/staff/{leaver}/leave", announce=False, unsubscribe=False)

    stack.command("sync")

    # The reading went to its end, and found the leaver behind the hidden member.
    cases = {one["userid"] for one in stack.api.every("/offboardings")}
    assert leaver in cases
    assert hidden not in cases
    assert stack.owner(f"wm_hidden_{errcode}") == hidden
    assert stack.api.get("/pauses")["items"] == []
    drift = stack.api.get("/sync-runs", limit=1)["items"][0]
    assert drift["finished_at"] is not None
    stack.sandbox.patch(f"/sandbox/staff/{hidden}", errcode=0)


def test_a_member_whose_answer_nobody_can_read_keeps_no_other_waiting(stack: Stack) -> None:
    stack.hire("garbled", "behind", department=73)
    for endpoint, name, value in (
        ("user/get", "userid", "garbled"),
        ("externalcontact/batch/get_by_user", "userid_list", ["garbled"]),
    ):
        stack.sandbox.post(
            "/sandbox/faults", endpoint=endpoint, body='{"errcode":0,"x', match={name: value}
        )
    stack.customers("garbled", ["wm_garbled"])
    stack.customers("behind", ["wm_behind"])

    stack.command("sync")

    assert stack.owner("wm_behind") == "behind"
    assert stack.api.get("/pauses")["items"] == []
    stack.sandbox.delete("/sandbox/faults")
    stack.command("sync")
    assert stack.owner("wm_garbled") == "garbled"


def test_a_message_taken_for_spam_stops_no_other(stack: Stack) -> None:
    stack.sandbox.patch("/sandbox/switches", spam_words=["大奖"])
    stack.meet("zhangsan", "wm_spam", name="大奖在此")
    stack.meet("zhangsan", "wm_honest", name="郑重")
    stack.settled()

    stack.meet("lisi", "wm_spam")
    stack.settled()
    stack.meet("lisi", "wm_honest")
    stack.settled()

    until(lambda: stack.executed("app_message", recipient="zhangsan"))
    told = " ".join(row["content"] for row in stack.executed("app_message"))
    assert "郑重" in told
    assert "大奖" not in told
    assert stack.api.get("/pauses")["items"] == []


def test_the_first_import_ends_and_gives_owners_though_records_are_odd(fresh: Stack) -> None:
    fresh.reset(odd_characters="raw", empty_lists="null")
    for number, name in enumerate((CONTROL, HALF, NUL, "孙静")):
        row = {"userid": "zhangsan", "external_userid": f"wm_{number}", "name": name}
        fresh.sandbox.post("/sandbox/customers", **row, silent=True)
    fresh.customers("lisi", ["wm_of_lisi"])
    fresh.sandbox.patch("/sandbox/staff/wangwu", errcode=60011)

    until(lambda: fresh.try_command("sync"))

    assert [fresh.owner(f"wm_{number}") for number in range(4)] == ["zhangsan"] * 4
    assert fresh.owner("wm_of_lisi") == "lisi"
    [run] = fresh.api.get("/sync-runs", limit=1)["items"]
    assert run["finished_at"] is not None
    assert fresh.api.get("/pauses")["items"] == []


def test_an_endpoint_that_refuses_everybody_is_an_alarm_until_it_serves_somebody(
    stack: Stack,
) -> None:
    stack.sandbox.post("/sandbox/faults", endpoint=WELCOME, errcode=40058)
    for number in range(5):
        stack.meet("zhangsan", f"wm_refused_{number}")
    stack.settled()

    until(lambda: "wecom_refuses_everybody" in alarms(stack), 40)
    said = alarms(stack)["wecom_refuses_everybody"]
    assert WELCOME in said
    assert "5" in said
    assert "40058" in said
    assert stack.api.get("/pauses")["items"] == []
    assert not stack.try_command("status")

    stack.sandbox.delete("/sandbox/faults")
    stack.meet("zhangsan", "wm_served")
    stack.settled()

    until(lambda: "wecom_refuses_everybody" not in alarms(stack), 40)


def test_what_is_said_of_each_customer_is_no_alarm(stack: Stack) -> None:
    stack.sandbox.post("/sandbox/faults", endpoint=WELCOME, errcode=41051)
    for number in range(6):
        stack.meet("zhangsan", f"wm_chatting_{number}")
    stack.settled()

    stack.run_job("alarms", "look_for_refusals_of_everybody")

    assert "wecom_refuses_everybody" not in alarms(stack)
    stack.sandbox.delete("/sandbox/faults")


def alarms(stack: Stack) -> dict[str, str]:
    rows = stack.api.every("/alarms", state="open")
    return {str(row["kind"]): str(row["text"]) for row in rows}


@pytest.mark.parametrize("how", [{"body": "<html>"}, {"http_status": 502}, {"errcode": 48002}])
def test_welcomes_go_out_again_within_seconds_of_odd_answers(
    stack: Stack, how: dict[str, object]
) -> None:
    name = "_".join(map(str, how.values())).strip("<>")
    stack.sandbox.post("/sandbox/faults", endpoint=WELCOME, **how)
    for number in range(5):
        stack.meet("zhangsan", f"wm_odd_{name}_{number}")
    until(lambda: len(stack.calls(WELCOME)) >= 4)
    until(lambda: stack.api.get("/pauses")["items"])
    stack.sandbox.delete("/sandbox/faults")

    after = [f"wm_well_{name}_{number}" for number in range(4)]
    for customer in after:
        stack.meet("lisi", customer)
    stack.settled(60)

    told = {str(row["external_userid"]) for row in stack.executed("welcome_sent")}
    assert set(after) <= told
