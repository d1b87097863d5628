"""A busy day on which much goes wrong: whatever is logged, no secret is in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack, running_stack, until
from tests.stories.conftest import own_database
from tests.stories.letters import Letter, add_event, sealed

PHONE = "13812345678"
WORDS = "请把钱转到我的私人账户"
SECRET_SETTINGS = ("_SECRET", "_TOKEN", "_KEY")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def talkative(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """All of Kegui, logging as much as it can, with an operator; its database is its queue."""
    settings = {"LOG_LEVEL": "DEBUG", "OPERATORS": "manager", "WELCOME_PARALLEL": "16"}
    with (
        own_database(request.param, tmp_path) as url,
        running_stack(tmp_path, url, url, **settings) as stack,
    ):
        until(lambda: stack.try_command("sync"))
        stack.begin()
        yield stack


def test_no_log_line_holds_a_secret(talkative: Stack) -> None:
    stack = talkative
    secrets = {
        value
        for name, value in stack.place.environment.items()
        if name.endswith(SECRET_SETTINGS) and value
    }
    secrets |= {PHONE, WORDS}
    secrets.add(stack.command("token", "create", "--name", "reader", "--scope", "read"))

    secrets |= welcomes_that_fail(stack)
    secrets |= tokens_that_end(stack)
    letters_of_all_kinds(stack)
    secrets |= a_secret_that_is_refused(stack)

    for name in list(stack.processes):
        stack.processes[name].terminate()
        stack.processes.pop(name).wait(30)
    logged = stack.logs()
    assert "callback_rejected" in logged
    assert "alarm" in logged
    assert "send_welcome_msg" in logged
    assert [secret for secret in secrets if secret in logged] == []


def welcomes_that_fail(stack: Stack) -> set[str]:
    """No answer, no JSON, refused for now, refused for good: each with a code of its own."""
    faults: list[dict[str, Any]] = [
        {"errcode": -1},
        {"errcode": 40014},
        {"errcode": 42001},
        {"errcode": 45035},
        {"http_status": 500},
        {"body": "<html>busy</html>"},
        {"drop": True, "after_execute": True},
        {"hang": True, "hang_seconds": 2},
    ]
    codes = set()
    for number, fault in enumerate(faults):
        stack.fault("send_welcome_msg", times=1, **fault)
        codes.add(stack.meet("zhangsan", f"wm_failing_{number}")["welcome_code"])
    stack.fault("get", errcode=-1, times=2)
    codes.add(stack.meet("lisi", "wm_failing_0")["welcome_code"])
    stack.settled()
    return codes


def tokens_that_end(stack: Stack) -> set[str]:
    """Tokens end early, and a while there is none."""
    tokens = {token_now(stack)}
    seen = stack.sandbox.get("/sandbox/calls")["calls"][-1]["seq"]
    stack.sandbox.post("/sandbox/faults", endpoint="gettoken", http_status=503, times=1)
    stack.sandbox.post("/sandbox/tokens/revoke", kind="app")
    codes = {stack.meet("wangwu", "wm_revoked")["welcome_code"]}
    until(lambda: stack.sandbox.get("/sandbox/calls", after=seen, errcode=40014)["calls"])
    return tokens | codes | {token_now(stack)}


def token_now(stack: Stack) -> str:
    settings = stack.place.environment
    answer = stack.sandbox.get(
        "/cgi-bin/gettoken",
        corpid=settings["KEGUI_CORP_ID"],
        corpsecret=settings["KEGUI_APP_SECRET"],
    )
    return str(answer["access_token"])


def letters_of_all_kinds(stack: Stack) -> None:
    """Old contact events with phones, events nobody knows, events with holes, forged ones."""
    stack.sandbox.post(
        "/sandbox/callbacks/send",
        door="contacts",
        event="change_contact",
        nodes={"ChangeType": "update_user", "UserID": "zhangsan", "Mobile": PHONE},
    )
    stack.sandbox.post(
        "/sandbox/callbacks/send", event="nobody_knows", nodes={"Content": WORDS, "Mobile": PHONE}
    )
    for holes in ({}, {"UserID": "x" * 300, "ExternalUserID": PHONE * 40}):
        stack.sandbox.post(
            "/sandbox/callbacks/send",
            event="change_external_contact",
            nodes={"ChangeType": "add_external_contact", **holes},
        )
    letter = sealed(stack, add_event(stack, "zhangsan", "wm_forged"))
    forged = {**letter.query, "msg_signature": "0" * 40}
    assert Letter(letter.url, forged, letter.body).post() == 403
    assert Letter(letter.url, letter.query, letter.body[:-20]).post() == 400
    stack.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=30)


def a_secret_that_is_refused(stack: Stack) -> set[str]:
    """WeCom says that the secret is wrong: an operator must act, and everything pauses."""
    stack.fault("get", errcode=45009, times=1)
    codes = {stack.meet("lisi", "wm_throttled")["welcome_code"]}
    until(lambda: 45009 in [call["errcode"] for call in stack.calls("externalcontact/get")])
    stack.sandbox.post("/sandbox/faults", endpoint="gettoken", errcode=40001)
    stack.sandbox.post("/sandbox/tokens/revoke", kind="app")
    codes.add(stack.meet("lisi", "wm_no_token")["welcome_code"])
    until(lambda: stack.api.every("/alarms", state="open"))
    return codes
