"""Who logged in, the addresses that lead there, and signatures of pages."""

import json
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import responses

from bot.wecom import (
    Identity,
    Paused,
    Refused,
    Ticket,
    Transient,
    WeComError,
    jsapi_signature,
    oauth_url,
    qr_url,
)
from bot.wecom.transport import CallRecord
from tests.wecom.speaking import CORP_ID, answer, asked, give_token, refuse, sample, speak, url

CODE = "the-code-of-the-login"
USERINFO = "auth/getuserinfo"
AGENT_ID = 1000014
BACK = "https://kegui.test:8443/login/back?next=%2Fcustomers&x=1"
VECTOR = json.loads(
    (Path(__file__).parent.parent / "data" / "wecom" / "jssdk_signature.json").read_text()
)


@pytest.fixture(autouse=True)
def token(network: responses.RequestsMock) -> None:
    give_token(network)


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("auth.getuserinfo", Identity("zhangsan", None, None)),
        ("auth.getuserinfo.private", Identity("zhangsan", None, None)),
        (
            "auth.getuserinfo.non_member",
            Identity(None, "wmFAKECust01AAAAAAAAAAAAAAAAAAAA", "FAKE_OPENID"),
        ),
    ],
)
def test_a_code_tells_who_it_is(
    network: responses.RequestsMock, name: str, identity: Identity
) -> None:
    answer(network, USERINFO, sample(f"{name}.response"), method="GET")

    assert speak().logins.identity_of(CODE) == identity

    [call] = asked(network, USERINFO)
    query = dict(parse_qsl(urlsplit(str(call.request.url)).query))
    assert query == {"access_token": "token-1", "code": CODE}


def test_who_is_no_customer_has_an_openid_only(network: responses.RequestsMock) -> None:
    answer(network, USERINFO, {"errcode": 0, "errmsg": "ok", "openid": "o1"}, method="GET")

    assert speak().logins.identity_of(CODE) == Identity(None, None, "o1")


@pytest.mark.parametrize("errcode", [40029, 50001])
def test_a_code_that_is_refused_is_asked_for_once_and_pauses_nobody(
    network: responses.RequestsMock, errcode: int
) -> None:
    refuse(network, USERINFO, errcode, method="GET")
    answer(network, USERINFO, sample("auth.getuserinfo.response"), method="GET")
    wecom = speak()

    with pytest.raises(Refused) as raised:
        wecom.logins.identity_of(CODE)

    assert raised.value.errcode == errcode
    assert len(asked(network, USERINFO)) == 1
    assert wecom.logins.identity_of("another").userid == "zhangsan"


@pytest.mark.parametrize("code", ["", "x" * 513, "码" * 171])
def test_what_can_be_no_code_is_not_asked_about(network: responses.RequestsMock, code: str) -> None:
    with pytest.raises(Refused) as raised:
        speak().logins.identity_of(code)

    assert raised.value.errcode == 40029
    assert not network.calls


LOST: list[dict[str, Any]] = [
    {"status": 502, "body": "<html>Bad Gateway</html>"},
    {"body": requests.ReadTimeout(f"https://x/?code={CODE}")},
    {"body": requests.ConnectionError(f"reset by peer: {CODE}")},
    {"body": ""},
]


@pytest.mark.parametrize("lost", LOST)
def test_a_code_is_not_sent_again_when_the_answer_was_lost(
    network: responses.RequestsMock, lost: dict[str, Any]
) -> None:
    network.get(url(USERINFO), **lost)

    with pytest.raises(Transient) as raised:
        speak().logins.identity_of(CODE)

    assert raised.value.maybe_executed
    assert len(asked(network, USERINFO)) == 1


@pytest.mark.parametrize("errcode", [40014, 42001, -1])
def test_a_code_that_was_not_looked_at_is_sent_again(
    network: responses.RequestsMock, errcode: int
) -> None:
    refuse(network, USERINFO, errcode, method="GET")
    answer(network, USERINFO, sample("auth.getuserinfo.response"), method="GET")

    assert speak().logins.identity_of(CODE).userid == "zhangsan"
    assert len(asked(network, USERINFO)) == 2


@pytest.mark.parametrize("body", [{}, {"userid": ""}, {"userid": 1, "openid": None}])
def test_an_answer_about_nobody_is_no_login(
    network: responses.RequestsMock, body: dict[str, Any]
) -> None:
    answer(network, USERINFO, {"errcode": 0, "errmsg": "ok", **body}, method="GET")

    with pytest.raises(Transient):
        speak().logins.identity_of(CODE)

    assert len(asked(network, USERINFO)) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        *LOST,
        {"json": {"errcode": 40029, "errmsg": f"invalid code {CODE}, hint: [1_28_{CODE}]"}},
        {"json": {"errcode": 45009, "errmsg": f"freq of {CODE}"}},
        {"json": {"errcode": 48002, "errmsg": f"forbidden {CODE}"}},
        {"json": {"errcode": 0, "errmsg": CODE}},
    ],
)
def test_no_error_no_log_line_and_no_metric_tells_the_code(
    network: responses.RequestsMock,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    trouble: dict[str, Any],
) -> None:
    caplog.set_level("DEBUG")
    network.get(url(USERINFO), **trouble)
    records: list[CallRecord] = []
    wecom = speak(on_call=records.append)

    with pytest.raises(WeComError) as raised:
        wecom.logins.identity_of(CODE)
    # Where the endpoint is paused now, the reason is told to whoever calls next.
    with pytest.raises(WeComError) as told:
        wecom.logins.identity_of(CODE)

    texts = [*traceback.format_exception(raised.value), repr(vars(raised.value)), repr(records)]
    texts += [*traceback.format_exception(told.value), repr(vars(told.value))]
    assert raised.value.__context__ is None
    assert CODE not in "".join(texts) + caplog.text + "".join(capsys.readouterr())


def test_tickets_are_read_and_never_shown(network: responses.RequestsMock) -> None:
    answer(network, "get_jsapi_ticket", sample("jsapi_ticket.response"), method="GET")
    answer(network, "ticket/get", sample("jsapi_ticket.response"), method="GET")
    wecom = speak()

    tickets = [wecom.logins.jsapi_ticket(), wecom.logins.agent_ticket()]

    assert tickets == [Ticket("FAKE_TICKET", 7200)] * 2
    assert "FAKE_TICKET" not in repr(tickets)
    assert "type=agent_config" in str(asked(network, "ticket/get")[0].request.url)


@pytest.mark.parametrize("body", [{}, {"ticket": ""}, {"ticket": "t", "expires_in": "7200"}])
def test_an_answer_without_a_ticket_is_no_ticket(
    network: responses.RequestsMock, body: dict[str, Any]
) -> None:
    answer(network, "get_jsapi_ticket", {"errcode": 0, "errmsg": "ok", **body}, method="GET")

    with pytest.raises(Transient):
        speak().logins.jsapi_ticket()


def test_too_many_tickets_make_everybody_wait(network: responses.RequestsMock) -> None:
    refuse(network, "ticket/get", 45009, method="GET")
    wecom = speak()

    with pytest.raises(WeComError):
        wecom.logins.agent_ticket()
    with pytest.raises(Paused):
        wecom.logins.agent_ticket()


def test_the_address_of_the_page_inside_the_client() -> None:
    address = oauth_url("https://open.weixin.qq.com", CORP_ID, AGENT_ID, BACK, "Abc123")

    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://open.weixin.qq.com/connect/oauth2/authorize"
    )
    assert parts.fragment == "wechat_redirect"
    assert parse_qsl(parts.query) == [
        ("appid", CORP_ID),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "snsapi_base"),
        ("state", "Abc123"),
        ("agentid", str(AGENT_ID)),
    ]
    assert "redirect_uri=https%3A%2F%2Fkegui.test%3A8443%2Flogin%2Fback%3Fnext%3D%252F" in address


@pytest.mark.parametrize(
    ("language", "lang"), [("zh", "zh"), ("en", "en"), ("zh_Hans_CN", "zh"), ("fr", "zh")]
)
def test_the_address_of_the_page_with_the_qr_code(language: str, lang: str) -> None:
    base = "https://login.work.weixin.qq.com/"

    address = qr_url(base, CORP_ID, AGENT_ID, BACK, "Abc123", language)

    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{base}wwlogin/sso/login"
    assert parse_qsl(parts.query) == [
        ("login_type", "CorpApp"),
        ("appid", CORP_ID),
        ("agentid", str(AGENT_ID)),
        ("redirect_uri", BACK),
        ("state", "Abc123"),
        ("lang", lang),
    ]


@pytest.mark.parametrize("state", ["", "a.b", "a-b", "a_b", "状态", "s" * 129, "s\n"])
def test_a_state_that_would_not_come_back_is_a_mistake(state: str) -> None:
    for make in (oauth_url, qr_url):
        with pytest.raises(ValueError, match="letters and digits"):
            make("https://open.weixin.qq.com", CORP_ID, AGENT_ID, BACK, state)


@pytest.mark.parametrize("fragment", ["", "#part", "#a#b"])
def test_a_page_is_signed_as_in_wecoms_example(fragment: str) -> None:
    signature = jsapi_signature(
        VECTOR["jsapi_ticket"], VECTOR["noncestr"], VECTOR["timestamp"], VECTOR["url"] + fragment
    )

    assert signature == VECTOR["expect_signature"]
