"""The web login as WeCom plays it: two pages, a code, and who it stands for."""

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from bot.sandbox.place import make_place
from tests.sandbox.stage import AGENT_ID, CHEN, CORP_ID, REDIRECT, STAFF, Stage, code_in

USERINFO = "auth/getuserinfo"
DOMAIN = "kegui.test:8000"
NOT_VISIBLE = "不在应用可见范围内"


def who(stage: Stage, code: str) -> dict[str, Any]:
    return stage.get(USERINFO, code=code)


def said(answer: TestResponse) -> str:
    assert answer.status_code == 400
    return answer.get_data(as_text=True)


def trust(stage: Stage, domain: str) -> None:
    stage.control("apps/app", "PATCH", trusted_domain=domain)


def press(stage: Stage, page: TestResponse, name: str, value: str) -> TestResponse:
    """Press a button of a page, as a browser would."""
    text = page.get_data(as_text=True)
    assert f'name="{name}" value="{value}"' in text
    action = re.search(r'<form method="post" action="([^"]+)"', text)
    assert action is not None
    return stage.client.post(action[1].replace("&amp;", "&"), data={name: value})


@pytest.mark.parametrize("is_qr", [False, True])
def test_a_member_logs_in_by_a_button_and_the_code_tells_who(stage: Stage, is_qr: bool) -> None:
    page = stage.open_qr() if is_qr else stage.open_oauth()

    answer = press(stage, page, "sandbox_userid", "lisi")

    assert answer.headers["Location"] == f"{REDIRECT}?code={code_in(answer)}&state=s1"
    assert who(stage, code_in(answer)) == {"errcode": 0, "errmsg": "ok", "userid": "lisi"}


@pytest.mark.parametrize("is_qr", [False, True])
def test_a_machine_needs_no_page(stage: Stage, is_qr: bool) -> None:
    opened = stage.open_qr if is_qr else stage.open_oauth

    code = code_in(opened(sandbox_userid="ZhangSan"))

    assert len(code.encode()) <= 512
    assert who(stage, code)["userid"] == "zhangsan"


def test_code_and_state_are_added_to_what_the_address_has(stage: Stage) -> None:
    address = "http://kegui.test:8000/back?action=get#part"

    answer = stage.open_oauth(redirect_uri=address, sandbox_userid="lisi", state="")

    code = code_in(answer)
    expected = f"http://kegui.test:8000/back?action=get&code={code}&state=#part"
    assert answer.headers["Location"] == expected


def test_without_a_state_none_comes_back(stage: Stage) -> None:
    answer = stage.open_qr(state=None, sandbox_userid="lisi")

    assert answer.headers["Location"] == f"{REDIRECT}?code={code_in(answer)}"


@pytest.mark.parametrize("is_qr", [False, True])
def test_who_cancels_goes_back_without_a_code(stage: Stage, is_qr: bool) -> None:
    page = stage.open_qr() if is_qr else stage.open_oauth()

    answer = press(stage, page, "sandbox_cancel", "1")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{REDIRECT}?state=s1")


def test_the_pages_speak_chinese_or_english_and_no_script(stage: Stage) -> None:
    chinese = stage.open_qr().get_data(as_text=True)
    english = stage.open_qr(lang="en").get_data(as_text=True)

    assert '<html lang="zh">' in chinese
    assert "企业微信登录" in chinese
    assert '<html lang="en">' in english
    assert "WeCom login" in english
    assert "<script" not in chinese


def test_names_are_shown_as_text(stage: Stage) -> None:
    stage.control("staff", userid="mallory", name="<script>alert(1)</script>")

    page = stage.open_oauth(state=None).get_data(as_text=True)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page


def test_a_code_works_once(stage: Stage) -> None:
    code = stage.login(sandbox_userid="lisi")

    assert [who(stage, code)["errcode"] for _ in range(2)] == [0, 40029]


def test_a_code_ends_after_five_minutes(stage: Stage) -> None:
    first = stage.login(sandbox_userid="lisi")
    stage.advance(200)
    second = stage.login(sandbox_userid="lisi")
    stage.advance(200)

    assert who(stage, first)["errcode"] == 40029
    assert who(stage, second)["errcode"] == 0


@pytest.mark.parametrize("code", ["", "invented"])
def test_a_code_that_nobody_gave_is_invalid(stage: Stage, code: str) -> None:
    assert who(stage, code)["errcode"] == 40029


def test_only_an_app_may_ask_who_it_was(stage: Stage) -> None:
    code = stage.login(sandbox_userid="lisi")

    assert stage.get(USERINFO, "contacts", code=code)["errcode"] == 48002
    assert who(stage, code)["userid"] == "lisi"


def other_app(stage: Stage, **more: Any) -> None:
    """A second app beside ours, whose token the stage then uses for ``app``."""
    ours = {"kind": "app", "secret": "app-secret", "agent_id": AGENT_ID}
    other = {"kind": "app", "secret": "other-secret", "agent_id": 1, **more}
    stage.control("reset", corp_id=CORP_ID, apps=[other, ours])
    stage.control("staff", staff=STAFF)


def token_of(stage: Stage, secret: str) -> str:
    query = {"corpid": CORP_ID, "corpsecret": secret}
    answer = stage.client.get("/cgi-bin/gettoken", query_string=query).get_json()
    return str(answer["access_token"])


@pytest.mark.parametrize(("domain", "errcode"), [("", 40029), ("elsewhere.test", 50001)])
def test_a_code_belongs_to_the_app_it_was_made_for(stage: Stage, domain: str, errcode: int) -> None:
    other_app(stage, trusted_domain=domain)
    code = stage.login(sandbox_userid="lisi")

    refused = stage.get(USERINFO, code=code, access_token=token_of(stage, "other-secret"))
    told = stage.get(USERINFO, code=code, access_token=token_of(stage, "app-secret"))

    assert refused["errcode"] == errcode
    assert told["userid"] == "lisi"


def test_a_customer_is_told_by_external_userid_and_always_by_the_same_openid(
    stage: Stage,
) -> None:
    stage.add("zhangsan", CHEN)
    page = stage.open_oauth()

    code = code_in(press(stage, page, "sandbox_external_userid", CHEN))
    first, second = who(stage, code), who(stage, stage.login(sandbox_external_userid=CHEN))

    assert (first["external_userid"], "userid" in first) == (CHEN, False)
    assert first["openid"] == second["openid"]
    assert len(first["openid"]) <= 64


def test_whom_no_member_in_the_range_knows_has_an_openid_only(stage: Stage) -> None:
    stage.add("zhangsan", CHEN)
    stage.control("staff/zhangsan", "PATCH", visible=False)

    of_nobody_visible = who(stage, stage.login(sandbox_external_userid=CHEN))
    stranger = who(stage, stage.login(sandbox_external_userid="a_stranger"))

    assert set(of_nobody_visible) == set(stranger) == {"errcode", "errmsg", "openid"}
    assert of_nobody_visible["openid"] != stranger["openid"]


def test_a_customer_cannot_scan_the_code_for_members(stage: Stage) -> None:
    stage.add("zhangsan", CHEN)

    assert CHEN not in stage.open_qr().get_data(as_text=True)
    said(stage.open_qr(sandbox_external_userid=CHEN))


def test_outside_the_visible_range_the_qr_code_refuses_and_the_client_does_not(
    stage: Stage,
) -> None:
    stage.control("staff/lisi", "PATCH", visible=False)

    assert NOT_VISIBLE in said(stage.open_qr(sandbox_userid="lisi"))
    assert who(stage, stage.login(sandbox_userid="lisi"))["userid"] == "lisi"


@pytest.mark.parametrize("is_qr", [False, True])
@pytest.mark.parametrize("act", ["disable", "leave"])
def test_who_is_disabled_or_left_is_not_shown_and_cannot_log_in(
    stage: Stage, act: str, is_qr: bool
) -> None:
    stage.control(f"staff/lisi/{act}", status=2)
    opened = stage.open_qr if is_qr else stage.open_oauth

    page = opened().get_data(as_text=True)

    assert ("zhangsan" in page, "lisi" in page) == (True, False)
    said(opened(sandbox_userid="lisi"))
    said(opened(sandbox_userid="nobody"))


def test_a_ticket_for_more_comes_with_the_private_scope_only(stage: Stage) -> None:
    private = {"scope": "snsapi_privateinfo", "sandbox_userid": "lisi"}

    assert who(stage, stage.login(**private))["user_ticket"]
    assert "user_ticket" not in who(stage, stage.login(sandbox_userid="lisi"))
    assert "user_ticket" not in who(stage, code_in(stage.open_qr(**private)))
    assert "user_ticket" not in who(stage, stage.login(**private, agentid=None))


def test_the_private_scope_is_for_members_in_the_visible_range(stage: Stage) -> None:
    stage.control("staff/lisi", "PATCH", visible=False)

    assert NOT_VISIBLE in said(stage.open_oauth(scope="snsapi_privateinfo", sandbox_userid="lisi"))


def test_a_member_of_a_connected_corporation_has_its_id_before_the_userid(stage: Stage) -> None:
    stage.turn(partner_corp_id="ww_partner")

    code = stage.login(sandbox_userid="lisi", scope="snsapi_privateinfo")

    assert who(stage, code) == {"errcode": 0, "errmsg": "ok", "userid": "ww_partner/lisi"}


@pytest.mark.parametrize(
    ("domain", "is_right"),
    [
        ("mail.qq.com:8080", True),
        ("Mail.QQ.com:8080", True),
        ("email.qq.com", False),
        ("support.mail.qq.com", False),
        ("*.qq.com", False),
        ("mail.qq.com", False),
        ("http://mail.qq.com:8080", False),
    ],
)
def test_the_domain_must_be_the_trusted_one_with_its_port(
    stage: Stage, domain: str, is_right: bool
) -> None:
    trust(stage, domain)
    query = {
        "redirect_uri": "http://mail.qq.com:8080/cgi-bin/login",
        "sandbox_userid": "lisi",
    }

    oauth, qr = stage.open_oauth(**query), stage.open_qr(**query)

    if is_right:
        assert who(stage, code_in(oauth))["userid"] == who(stage, code_in(qr))["userid"]
    else:
        assert "50001" in said(oauth)
        assert "-31020" in said(qr)


@pytest.mark.parametrize(
    "address",
    [
        "http://kegui.test:8000@evil.test/",
        "http://evil.test/#@kegui.test:8000",
        "http://evil.test\\@kegui.test:8000/",
        "//kegui.test:8000/",
        "javascript:alert(1)//kegui.test:8000",
    ],
)
def test_an_address_that_only_looks_trusted_is_refused(stage: Stage, address: str) -> None:
    trust(stage, DOMAIN)

    said(stage.open_oauth(redirect_uri=address, sandbox_userid="lisi"))
    assert "-31020" in said(stage.open_qr(redirect_uri=address, sandbox_userid="lisi"))


def test_a_domain_changed_after_the_login_refuses_the_code(stage: Stage) -> None:
    trust(stage, DOMAIN)
    code = stage.login(sandbox_userid="lisi")

    trust(stage, "elsewhere.test")
    assert who(stage, code)["errcode"] == 50001
    trust(stage, DOMAIN)
    assert who(stage, code)["errcode"] == 0


def test_without_a_trusted_domain_a_switch_refuses_every_address(stage: Stage) -> None:
    assert stage.open_oauth().status_code == 200

    stage.turn(domain_needed=True)

    assert "50001" in said(stage.open_oauth())
    assert "-31020" in said(stage.open_qr())
    trust(stage, DOMAIN)
    assert stage.open_oauth().status_code == 200


def test_the_place_of_a_story_trusts_kegui_and_nobody_else(stage: Stage, tmp_path: Any) -> None:
    place = make_place(tmp_path, web_port=8123)
    corporation = place.corporation()
    stage.control("reset", **corporation)
    query = {"appid": corporation["corp_id"], "agentid": corporation["apps"][0]["agent_id"]}

    right = stage.open_oauth(**query, redirect_uri="http://127.0.0.1:8123/login")
    wrong = stage.open_oauth(**query, redirect_uri="http://127.0.0.1:8124/login")

    assert right.status_code == 200
    assert "50001" in said(wrong)


@pytest.mark.parametrize(
    ("wrong", "number"),
    [
        ({"appid": "ww_other"}, "40013"),
        ({"appid": None}, "40013"),
        ({"agentid": 1}, "40056"),
        ({"agentid": "x"}, "40056"),
        ({"redirect_uri": None}, "40058"),
        ({"response_type": "token"}, "40058"),
        ({"response_type": None}, "40058"),
        ({"scope": "snsapi_userinfo"}, "40058"),
        ({"scope": None}, "40058"),
        ({"state": "a.b"}, "40058"),
        ({"state": "a-b"}, "40058"),
        ({"state": "状"}, "40058"),
        ({"state": "s\n"}, "40058"),
        ({"state": "s" * 129}, "40058"),
    ],
)
def test_the_page_in_the_client_checks_its_parameters(
    stage: Stage, wrong: dict[str, Any], number: str
) -> None:
    assert number in said(stage.open_oauth(sandbox_userid="lisi", **wrong))


def test_a_state_may_have_128_letters_and_digits(stage: Stage) -> None:
    assert stage.login(sandbox_userid="lisi", state="Ab1" * 42 + "ab")


@pytest.mark.parametrize(
    ("wrong", "number"),
    [
        ({"login_type": None}, "-31040"),
        ({"login_type": "Other"}, "-31040"),
        ({"login_type": "ServiceApp"}, "-31034"),
        ({"appid": "ww_other"}, "-31027"),
        ({"agentid": None}, "-31028"),
        ({"agentid": 1}, "-31028"),
        ({"agentid": 0}, "-31028"),
        ({"redirect_uri": None}, "-31035"),
    ],
)
def test_the_page_with_the_qr_code_checks_its_parameters(
    stage: Stage, wrong: dict[str, Any], number: str
) -> None:
    assert number in said(stage.open_qr(sandbox_userid="lisi", **wrong))


def test_a_button_is_checked_like_the_page(stage: Stage) -> None:
    page = stage.open_oauth()
    trust(stage, "elsewhere.test")

    assert "50001" in said(press(stage, page, "sandbox_userid", "lisi"))


def test_the_books_know_the_login_and_not_its_code(stage: Stage) -> None:
    code = stage.login(sandbox_userid="lisi")
    who(stage, code)

    executed = [(row["effect"], row["userid"]) for row in stage.look("executed")]
    assert executed == [("login_confirmed", "lisi"), ("login_told", "lisi")]
    assert code not in str(stage.look("calls")) + str(stage.look("executed"))
    assert code not in str(stage.look("state"))


def test_an_answer_can_be_lost_after_the_code_was_used(stage: Stage) -> None:
    stage.control("faults", endpoint=USERINFO, after_execute=True, times=1)
    code = stage.login(sandbox_userid="lisi")
    query = {"access_token": stage.token(), "code": code}

    lost = stage.client.get(f"/cgi-bin/{USERINFO}", query_string=query)

    assert lost.status_code == 599
    assert who(stage, code)["errcode"] == 40029
