"""Callbacks over real HTTP: sealed, repeated, held back; and the limits of parallel calls."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.receiver import Receiver
from tests.sandbox.stage import APPS, CHEN, CORP_ID, SECRETS, STAFF

Control = Callable[..., Any]


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def control(sandbox_url: str, http: requests.Session, receiver: Receiver) -> Control:
    """The control API of a running sandbox whose three doors are one receiver."""

    def control(path: str, **body: Any) -> Any:
        method = body.pop("method", "POST")
        answer = http.request(method, f"{sandbox_url}/sandbox/{path}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    doors = dict.fromkeys(("customer", "contacts", "archive"), receiver.door())
    switches = {"retry_interval_seconds": 0.05, "delivery_timeout_seconds": 2}
    control("reset", corp_id=CORP_ID, apps=APPS, callbacks=doors, switches=switches)
    control("staff", staff=STAFF)
    return control


def test_the_url_is_verified_as_the_platform_does(control: Control, receiver: Receiver) -> None:
    assert control("callbacks/verify", door="customer")["ok"]

    receiver.seal.token = "another"
    answer = control("callbacks/verify", door="customer")

    assert not answer["ok"]


def test_an_event_arrives_sealed_and_readable(control: Control, receiver: Receiver) -> None:
    made = control("customers", userid="zhangsan", external_userid=CHEN, state="海报]]>")

    (event,) = receiver.wait_for(1)

    assert event["FromUserName"] == "sys"
    assert event["ChangeType"] == "add_external_contact"
    assert (event["UserID"], event["ExternalUserID"]) == ("zhangsan", CHEN)
    assert (event["State"], event["WelcomeCode"]) == ("海报]]>", made["welcome_code"])
    assert CHEN.encode() not in receiver.envelopes[0]
    assert b"AgentID" not in receiver.envelopes[0]


def test_an_event_may_hold_what_xml_forbids(control: Control, receiver: Receiver) -> None:
    odd = {
        "control": "陈\x10\x1d".encode(),
        "reference": "陈&#16;&#x1d;".encode(),
        "nul": "陈\0".encode(),
        "broken": "陈".encode() + b"\xf0\x9f\x98",
    }
    for number, characters in enumerate(odd, 1):
        control("switches", method="PATCH", event_characters=characters)
        control("customers", userid="zhangsan", external_userid=f"wm_{characters}")

        assert odd[characters] in receiver.wait_for_plain(number)[-1]


def test_a_callback_is_signed_in_real_time_or_so_far_from_it(
    control: Control, receiver: Receiver
) -> None:
    control("clock", advance_seconds=86_400)
    control("switches", method="PATCH", event_time="real")
    for offset in (0, -172_800):
        control("switches", method="PATCH", timestamp_offset_seconds=offset)
        control("customers", userid="zhangsan", external_userid=f"wm_{offset}")
        assert control("callbacks/wait", timeout_seconds=10)["idle"]

        assert receiver.timestamps[-1] == pytest.approx(time.time() + offset, abs=30)


def test_a_hung_up_connection_is_tried_three_times_in_all(
    control: Control, receiver: Receiver
) -> None:
    receiver.failures = 2
    control("customers", userid="zhangsan", external_userid=CHEN)

    receiver.wait_for(1)

    assert control("callbacks/wait", timeout_seconds=10)["idle"]
    rows = control("deliveries", method="GET")["deliveries"]
    assert [(row["attempt"], row["status"]) for row in rows] == [(1, 0), (2, 0), (3, 200)]
    assert len(set(receiver.envelopes)) == 3


def test_a_repeated_event_may_have_its_nodes_in_another_order(
    control: Control, receiver: Receiver
) -> None:
    control("switches", method="PATCH", retry_plaintext="reordered")
    receiver.failures = 1
    control("customers", userid="zhangsan", external_userid=CHEN)

    (event,) = receiver.wait_for(1)

    assert list(event)[5:] == ["WelcomeCode", "ExternalUserID", "UserID", "ChangeType"]


def test_the_envelope_may_carry_the_agentid(control: Control, receiver: Receiver) -> None:
    control("switches", method="PATCH", envelope_agent_id=True)
    control("customers", userid="zhangsan", external_userid=CHEN)

    receiver.wait_for(1)

    assert b"AgentID" in receiver.envelopes[0]


def test_after_the_third_failure_the_event_is_lost(control: Control, receiver: Receiver) -> None:
    receiver.failures = 3
    control("customers", userid="zhangsan", external_userid=CHEN)

    assert control("callbacks/wait", timeout_seconds=10)["idle"]
    assert (len(receiver.attempts), receiver.events) == (3, [])


@pytest.mark.parametrize(("retried", "deliveries"), [(False, 1), (True, 3)])
def test_whether_another_status_is_retried_is_a_switch(
    control: Control, receiver: Receiver, retried: bool, deliveries: int
) -> None:
    receiver.status = 500
    control("switches", method="PATCH", retry_non_200=retried)
    control("customers", userid="zhangsan", external_userid=CHEN)

    assert control("callbacks/wait", timeout_seconds=10)["idle"]
    assert len(receiver.events) == deliveries


def test_events_can_be_repeated_delayed_and_dropped(control: Control, receiver: Receiver) -> None:
    repeated = {"times": 3, "create_time": 1795397400}
    control("customers", userid="zhangsan", external_userid="wm_1", deliver=repeated)
    control("customers", userid="zhangsan", external_userid="wm_2", deliver={"drop": True})
    late = {"delay_seconds": 0.2}
    control("customers", userid="zhangsan", external_userid="wm_3", deliver=late)

    events = receiver.wait_for(4)

    assert [one["ExternalUserID"] for one in events] == ["wm_1"] * 3 + ["wm_3"]
    assert {one["CreateTime"] for one in events[:3]} == {"1795397400"}


def test_events_can_be_held_and_released_in_reverse(control: Control, receiver: Receiver) -> None:
    control("callbacks/keep-back")
    control("customers", userid="zhangsan", external_userid=CHEN)
    control(f"customers/{CHEN}/delete_member", userid="zhangsan")

    control("callbacks/release", order="reverse")

    changes = [one["ChangeType"] for one in receiver.wait_for(2)]
    assert changes == ["del_follow_user", "add_external_contact"]


def test_a_leave_is_told_to_the_contacts_door_and_the_app(
    control: Control, receiver: Receiver
) -> None:
    control("staff/zhangsan/leave")

    assert control("callbacks/wait", timeout_seconds=10)["idle"]
    told = {(one["Event"], one["FromUserName"]) for one in receiver.events}
    assert told == {("change_contact", "sys"), ("unsubscribe", "zhangsan")}
    doors = {row["door"] for row in control("deliveries", method="GET")["deliveries"]}
    assert doors == {"contacts", "customer"}


def test_any_event_can_be_sent(control: Control, receiver: Receiver) -> None:
    control("callbacks/send", door="archive", event="msgaudit_notify", nodes={"AgentID": 2000004})

    assert receiver.wait_for(1)[0]["AgentID"] == "2000004"


def test_the_jump_of_the_clock_sends_what_has_become_due(
    control: Control, receiver: Receiver, sandbox_url: str, http: requests.Session
) -> None:
    control("customers", userid="zhangsan", external_userid=CHEN, silent=True)
    body = {"handover_userid": "zhangsan", "takeover_userid": "lisi", "external_userid": [CHEN]}
    url = f"{sandbox_url}/cgi-bin/externalcontact/transfer_customer"
    answer = http.post(url, params=token(http, sandbox_url), json=body, timeout=10).json()
    assert answer["customer"] == [{"external_userid": CHEN, "errcode": 0}]

    control("clock", advance_seconds=86_401)

    sources = {one["ChangeType"]: one.get("Source") for one in receiver.wait_for(2)}
    assert sources == {"del_external_contact": "DELETE_BY_TRANSFER", "add_external_contact": None}


def test_what_is_due_also_happens_by_itself(
    control: Control, receiver: Receiver, sandbox_url: str, http: requests.Session
) -> None:
    control("switches", method="PATCH", takeover_seconds=0.01)
    control("customers", userid="zhangsan", external_userid=CHEN, silent=True)
    body = {"handover_userid": "zhangsan", "takeover_userid": "lisi", "external_userid": [CHEN]}
    url = f"{sandbox_url}/cgi-bin/externalcontact/transfer_customer"
    http.post(url, params=token(http, sandbox_url), json=body, timeout=10)

    assert len(receiver.wait_for(2)) == 2


def token(http: requests.Session, url: str) -> dict[str, str]:
    query = {"corpid": CORP_ID, "corpsecret": SECRETS["app"]}
    answer = http.get(f"{url}/cgi-bin/gettoken", params=query, timeout=10)
    return {"access_token": answer.json()["access_token"]}


def codes_of(url: str, query: dict[str, str], bodies: list[dict[str, Any]]) -> list[int]:
    """Post all at the same time."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = pool.map(
            lambda body: requests.post(url, params=query, json=body, timeout=20), bodies
        )
        return sorted(answer.json()["errcode"] for answer in answers)


def test_too_many_parallel_calls_are_refused(
    control: Control, sandbox_url: str, http: requests.Session
) -> None:
    control("switches", method="PATCH", latency_seconds=1, concurrency=2)
    query = token(http, sandbox_url)
    url = f"{sandbox_url}/cgi-bin/externalcontact/get_unassigned_list"

    assert codes_of(url, query, [{}] * 3) == [0, 0, 45033]


def test_two_resigned_transfers_of_one_member_collide(
    control: Control, sandbox_url: str, http: requests.Session
) -> None:
    control("staff/zhangsan/leave", announce=False)
    control("staff/lisi/leave", announce=False)
    control("switches", method="PATCH", latency_seconds=1)
    query = token(http, sandbox_url)
    url = f"{sandbox_url}/cgi-bin/externalcontact/resigned/transfer_customer"
    bodies = [
        {"handover_userid": one, "takeover_userid": "wangwu", "external_userid": [CHEN]}
        for one in ("zhangsan", "ZhangSan", "lisi")
    ]

    assert codes_of(url, query, bodies) == [0, 0, 45035]


def test_a_lost_answer_is_a_closed_connection(
    control: Control, sandbox_url: str, http: requests.Session
) -> None:
    control("faults", endpoint="getcallbackip", after_execute=True, times=1)
    query = token(http, sandbox_url)

    with pytest.raises(requests.ConnectionError):
        http.get(f"{sandbox_url}/cgi-bin/getcallbackip", params=query, timeout=10)

    assert control("counts", method="GET")["getcallbackip"] == {"0": 1}


def test_a_hanging_answer_runs_into_the_callers_timeout(
    control: Control, sandbox_url: str, http: requests.Session
) -> None:
    control("faults", endpoint="getcallbackip", hang=True, hang_seconds=1, times=1)
    query = token(http, sandbox_url)

    with pytest.raises(requests.Timeout):
        http.get(f"{sandbox_url}/cgi-bin/getcallbackip", params=query, timeout=0.3)


def test_hundreds_of_events_arrive_within_seconds(control: Control, receiver: Receiver) -> None:
    control("callbacks/send", event="subscribe", sender="lisi", deliver={"times": 450})

    assert len(receiver.wait_for(450)) == 450
    assert receiver.attempts[-1] - receiver.attempts[0] < 3
