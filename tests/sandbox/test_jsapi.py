"""Tickets for the JS-SDK, and the stand-in that says whether a page signs rightly."""

from typing import Any

import pytest

from bot.wecom import jsapi_signature
from tests.sandbox.stage import AGENT_ID, CORP_ID, Stage

CORP, AGENT = "get_jsapi_ticket", "ticket/get"
PAGE = "http://kegui.test:8000/sidebar?sandbox_external_userid=wm_chen"


def ticket(stage: Stage, path: str = CORP) -> dict[str, Any]:
    return stage.get(path, **({"type": "agent_config"} if path == AGENT else {}))


def signed(value: str, url: str = PAGE) -> dict[str, Any]:
    signature = jsapi_signature(value, "nonce", 1414587457, url)
    return {"timestamp": 1414587457, "nonceStr": "nonce", "signature": signature}


def check(stage: Stage, **more: Any) -> tuple[str, str]:
    given = {
        "url": PAGE,
        "corpId": CORP_ID,
        "agentId": AGENT_ID,
        "config": signed(ticket(stage)["ticket"]),
        "agentConfig": signed(ticket(stage, AGENT)["ticket"]),
        **more,
    }
    answer = stage.control("jssdk/check", **given)
    return answer["config"], answer["agentConfig"]


@pytest.mark.parametrize("path", [CORP, AGENT])
def test_a_ticket_lives_two_hours_and_is_given_again_meanwhile(stage: Stage, path: str) -> None:
    first = ticket(stage, path)
    stage.advance(3600)
    second = ticket(stage, path)
    stage.advance(3601)
    third = ticket(stage, path)

    assert first["expires_in"] == 7200
    assert second["ticket"] == first["ticket"] != third["ticket"]
    assert 3590 <= second["expires_in"] <= 3600


def test_a_repeated_call_may_give_a_new_ticket_and_the_old_one_lives_on(stage: Stage) -> None:
    stage.turn(same_ticket=False)
    old, new = ticket(stage)["ticket"], ticket(stage)["ticket"]

    assert old != new
    assert check(stage, config=signed(old))[0] == check(stage, config=signed(new))[0] == "ok"


def test_the_corporations_ticket_and_the_apps_are_two(stage: Stage) -> None:
    assert ticket(stage, CORP)["ticket"] != ticket(stage, AGENT)["ticket"]
    assert stage.get(AGENT, type="jsapi")["errcode"] == 40058


@pytest.mark.parametrize("path", [CORP, AGENT])
def test_an_app_gets_a_hundred_tickets_an_hour_and_then_none_for_an_hour(
    stage: Stage, path: str
) -> None:
    codes = [ticket(stage, path)["errcode"] for _ in range(102)]

    assert codes == [0] * 100 + [45009] * 2
    stage.advance(3500)
    assert ticket(stage, path)["errcode"] == 45009
    stage.advance(101)
    assert ticket(stage, path)["errcode"] == 0


def test_all_apps_together_have_a_limit_too(stage: Stage) -> None:
    stage.turn(tickets_per_hour=3)

    assert [ticket(stage)["errcode"] for _ in range(4)] == [0, 0, 0, 45009]


def test_a_page_that_signs_rightly_is_told_so(stage: Stage) -> None:
    assert check(stage) == ("ok", "ok")

    [row] = stage.look("executed", effect="jssdk_checked")
    assert (row["config"], row["agentConfig"]) == ("ok", "ok")
    assert row["url"] == "http://kegui.test:8000/sidebar"


def test_a_wrong_signature_is_told_and_booked(stage: Stage) -> None:
    corp, agent = ticket(stage)["ticket"], ticket(stage, AGENT)["ticket"]
    wrong = "invalid signature"

    assert check(stage, config=signed(agent), agentConfig=signed(corp)) == (wrong, wrong)
    assert check(stage, config=signed(corp, f"{PAGE}&x=1"))[0] == wrong
    assert check(stage, config=signed("invented"))[0] == wrong
    assert check(stage, config="signature")[0] == wrong
    assert stage.look("executed", effect="jssdk_checked")[0]["config"] == wrong


def test_an_expired_ticket_signs_no_more(stage: Stage) -> None:
    old = ticket(stage)["ticket"]
    stage.advance(7201)

    assert check(stage, config=signed(old))[0] == "invalid signature"


def test_what_is_missing_or_of_others_is_named(stage: Stage) -> None:
    assert check(stage, agentConfig=None) == ("ok", "not given")
    assert check(stage, agentId=1) == ("ok", "wrong agentId")
    assert check(stage, corpId="ww_other") == ("wrong corpId", "wrong corpId")


@pytest.mark.parametrize(
    ("domain", "verdict"),
    [
        ("kegui.test:8000", "ok"),
        ("test:8000", "ok"),
        ("egui.test:8000", "url is not in the trusted domain"),
        ("elsewhere.test", "url is not in the trusted domain"),
    ],
)
def test_a_page_must_stand_in_the_trusted_domain(stage: Stage, domain: str, verdict: str) -> None:
    stage.control("apps/app", "PATCH", trusted_domain=domain)

    assert check(stage) == (verdict, verdict)


def test_any_page_may_ask_and_read_the_answer(stage: Stage) -> None:
    answer = stage.client.post("/sandbox/jssdk/check", data="{}", content_type="text/plain")

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.get_json() == {"config": "not given", "agentConfig": "not given"}


def test_the_script_is_there(stage: Stage) -> None:
    answer = stage.client.get("/jssdk.js")

    assert answer.mimetype in ("text/javascript", "application/javascript")
    assert b"window.ww" in answer.data
