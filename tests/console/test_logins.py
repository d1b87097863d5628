"""The ways in: who comes back from WeCom, who knows a password, and where either leads."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pyotp
import pytest
from apiflask import APIFlask
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from bot import clock, db, migrations
from bot.audit.log import Who
from bot.console import gate
from bot.identity import local_users, second_factors
from bot.models import TABLES, Alarm, AuditEntry, Login, Staff
from bot.reason import in_words
from bot.rights import Role
from bot.wecom import Refused, Transient
from bot.wecom.errors import classify
from bot.wecom.logins import Identity
from tests.console.conftest import MORNING, add_person
from tests.console.test_sessions import Clock, is_in
from tests.console.two_departments import PUBLIC_URL, come_in, open_house, send, token_of
from tests.wecom.one_for_all import OneForAll

PHONE = {"User-Agent": "Mozilla/5.0 (iPhone) wxwork/4.1.0 MicroMessenger/7.0"}
NAME, PASSWORD = "ops", "a long password of the tests"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
WRONG = "姓名、密码或动态码不正确。"
INVALID_CODE = 40029


@dataclass
class WeComOfLogins(OneForAll):
    """Says whom a code stands for, once."""

    codes: dict[str, Identity | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def logins_identity_of(self, code: str) -> Identity:
        self.asked.append(code)
        found = self.codes.pop(code, Refused("auth/getuserinfo", INVALID_CODE, "invalid code"))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def wecom() -> WeComOfLogins:
    return WeComOfLogins({"code-of-anna": Identity("anna", None, None)})


@pytest.fixture
def app(sqlite_url: str, wecom: WeComOfLogins) -> Iterator[APIFlask]:
    made = open_house(sqlite_url)
    made.extensions["console"] = replace(made.extensions["console"], wecom=cast(Any, wecom))
    with db.connection():
        add_person("anna", "安娜", Role.AUDITOR)
        add_person("bert", "贝特", Role.AUDITOR)
        Staff.create(userid="left", name="离职", left_at=MORNING, status=5, seen_at=MORNING)
        Staff.create(userid="disabled", name="停用", status=2, seen_at=MORNING)
    yield made
    cast(Any, db.database.obj).close_all()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "now", made.now)
    return made


def entries(*acts: str) -> list[AuditEntry]:
    with db.connection():
        return list(AuditEntry.select().where(AuditEntry.act.in_(acts)).order_by(AuditEntry.id))


# ------------------------------------------------------------------------ through WeCom


def sent_away(client: FlaskClient, path: str = "/login/wecom", **headers: str) -> str:
    """Go to WeCom; the state that the browser takes along."""
    response = client.get(path, headers=headers)
    assert response.status_code == 302
    [state] = parse_qs(urlsplit(response.location).query)["state"]
    return state


def come_back(client: FlaskClient, state: str | None, code: str | None) -> TestResponse:
    query = {"state": state, "code": code}
    sent = {name: value for name, value in query.items() if value is not None}
    return client.get("/login/wecom/done", query_string=sent)


def refused(client: FlaskClient, response: TestResponse, sentence: str) -> None:
    """The answer is a page that says why not and what to do, and nobody is in."""
    text = response.get_data(as_text=True)
    assert response.status_code == 403
    assert sentence in text
    assert 'href="/login/wecom?next=' in text
    assert not is_in(client)
    with db.connection():
        assert Login.select().count() == 0
    assert entries("login.begin") == []


def test_a_login_on_a_full_disk_says_so(
    app: APIFlask, client: FlaskClient, wecom: WeComOfLogins
) -> None:
    with db.connection():
        db.database.execute_sql("PRAGMA max_page_count = 1")

    def answers() -> Iterator[TestResponse]:
        # The pages that the file has already still have room for some.
        for number in range(1000):
            wecom.codes[str(number)] = Identity("anna", None, None)
            other = app.test_client()
            yield come_back(other, sent_away(other, "/login/wecom?lang=en"), str(number))

    refusal = next(answer for answer in answers() if answer.status_code != 302)

    assert refusal.status_code == 503
    # Which of the two rows had no room left is chance: the login's, or its entry's.
    said = refusal.get_data(as_text=True)
    assert "disk is full" in said or "audit log cannot be written" in said


def test_a_member_scans_and_is_where_they_wanted_to_go(client: FlaskClient) -> None:
    first = client.get("/audit?page=2")
    assert first.location == "/login?next=/audit?page%3D2"
    away = client.get("/login/wecom?next=/audit?page%3D2").location
    [state] = parse_qs(urlsplit(away).query)["state"]

    response = come_back(client, state, "code-of-anna")

    assert response.location == "/audit?page=2"
    assert is_in(client)
    with db.connection():
        login = Login.get()
        assert (login.actor, login.method) == ("anna", "qr")
        assert login.stepped_up_at is not None
    [entry] = entries("login.begin")
    assert (entry.actor, entry.details["method"]) == ("anna", "qr")
    assert parse_qs(urlsplit(away).query)["redirect_uri"] == [f"{PUBLIC_URL}/login/wecom/done"]


def test_inside_wecom_nobody_is_asked_and_nothing_is_proved_by_that(client: FlaskClient) -> None:
    asked = client.get("/login?next=/audit", headers=PHONE)
    assert asked.location == "/login/wecom?next=/audit"
    state = sent_away(client, asked.location, **PHONE)

    come_back(client, state, "code-of-anna")

    assert is_in(client)
    with db.connection():
        login = Login.get()
        assert (login.method, login.stepped_up_at) == ("oauth", None)


@pytest.mark.parametrize("state", [None, "", "f" * 64, "0" * 500, "é", "' OR 1=1"])
def test_a_state_that_was_not_sent_is_refused(
    client: FlaskClient, wecom: WeComOfLogins, state: str | None
) -> None:
    sent_away(client)

    refused(client, come_back(client, state, "code-of-anna"), "已失效或不是从本页面发起")

    assert wecom.asked == []


def test_a_state_counts_once(client: FlaskClient, wecom: WeComOfLogins) -> None:
    state = sent_away(client)
    wecom.codes["no"] = Transient("auth/getuserinfo", None, "timeout")
    come_back(client, state, "no")

    refused(client, come_back(client, state, "code-of-anna"), "已失效")


def test_a_kept_cookie_lets_in_nobody_whom_wecom_does_not_name_anew(
    client: FlaskClient, wecom: WeComOfLogins
) -> None:
    state = sent_away(client)
    kept = client.get_cookie("kegui")
    assert kept is not None
    wecom.codes["no"] = Transient("auth/getuserinfo", None, "timeout")
    come_back(client, state, "no")
    client.set_cookie("kegui", kept.value)

    refused(client, come_back(client, state, "no"), "凭证无效或已使用过")


def test_a_state_of_another_browser_is_refused(
    app: APIFlask, client: FlaskClient, wecom: WeComOfLogins
) -> None:
    attackers = app.test_client()
    state = sent_away(attackers)
    sent_away(client)

    refused(client, come_back(client, state, "code-of-anna"), "已失效")

    assert wecom.asked == []


def test_a_cookie_that_was_written_by_hand_brings_no_state_back(
    app: APIFlask, client: FlaskClient, wecom: WeComOfLogins
) -> None:
    state = sent_away(client)
    kept = client.get_cookie("kegui")
    assert kept is not None
    payload, rest = kept.value.rsplit(".", 2)[0], kept.value.rsplit(".", 2)[1]
    for forged in (f"{payload}.{rest}.{'A' * 27}", f"{payload[:-2]}xx.{rest}"):
        client.set_cookie("kegui", forged)
        refused(client, come_back(client, state, "code-of-anna"), "已失效")

    assert wecom.asked == []


def test_who_nobody_knows_writes_no_row_by_asking_for_pages(app: APIFlask) -> None:
    def rows() -> dict[str, int]:
        with db.connection():
            return {table.__name__: table.select().count() for table in TABLES}

    before = rows()
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        path = re.sub("<[^>]+>", "1", rule.rule)
        for query in ("", "?next=/audit&state=x&code=y&again=1&lang=en&echostr=x"):
            stranger = app.test_client()
            stranger.get(path + query)
            stranger.get(path + query, headers=PHONE)

    assert rows() == before


def test_a_long_way_back_is_forgotten_and_not_the_login(client: FlaskClient) -> None:
    state = sent_away(client, "/login/wecom?next=/customers?q%3D" + "%E5%8C%97" * 900)

    assert come_back(client, state, "code-of-anna").location == "/"
    assert is_in(client)


def test_a_state_of_over_ten_minutes_ago_is_refused(client: FlaskClient, time: Clock) -> None:
    state = sent_away(client)
    time.passes(minutes=10, seconds=1)

    refused(client, come_back(client, state, "code-of-anna"), "已失效")


def test_somebody_who_shut_wecoms_page_is_told_so(client: FlaskClient) -> None:
    refused(client, come_back(client, sent_away(client), None), "登录未完成")


def test_a_code_that_was_used_is_refused(client: FlaskClient, wecom: WeComOfLogins) -> None:
    wecom.codes.clear()

    refused(client, come_back(client, sent_away(client), "code-of-anna"), "凭证无效或已使用过")


@pytest.mark.parametrize(
    "error",
    [
        Transient("auth/getuserinfo", None, "timeout"),
        Transient("auth/getuserinfo", -1, "system busy"),
        Refused("auth/getuserinfo", 50001, "redirect_uri"),
        classify("auth/getuserinfo", 60020, "not allow to access from your ip"),
    ],
)
def test_nobody_is_let_in_while_wecom_is_away(
    client: FlaskClient, wecom: WeComOfLogins, error: Exception
) -> None:
    wecom.codes["c"] = error

    response = come_back(client, sent_away(client), "c")

    refused(client, response, "企业微信暂时无法确认您的身份")
    assert 'href="/login/local' in response.get_data(as_text=True)


def test_a_login_that_only_an_operator_can_mend_raises_one_alarm(
    client: FlaskClient, wecom: WeComOfLogins
) -> None:
    for code in ("c", "d"):
        wecom.codes[code] = classify("auth/getuserinfo", 60020, "not allow to access")
        come_back(client, sent_away(client), code)
    wecom.codes["e"] = Transient("auth/getuserinfo", None, "timeout")
    come_back(client, sent_away(client), "e")

    with db.connection():
        [alarm] = Alarm.select()
    assert alarm.subject == "auth/getuserinfo 60020"
    assert "企业可信IP" in in_words(alarm.advice)


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        (Identity(None, "wm_customer", "openid"), "wm_customer"),
        (Identity("ww_other/anna", None, None), "ww_other/anna"),
        (Identity(None, None, "openid"), None),
    ],
)
def test_who_is_no_member_is_refused(
    client: FlaskClient, wecom: WeComOfLogins, identity: Identity, named: str | None
) -> None:
    wecom.codes["c"] = identity

    refused(client, come_back(client, sent_away(client), "c"), "客规只对本企业成员开放")

    assert [entry.actor for entry in entries("login.refuse")] == ([named] if named else [])


@pytest.mark.parametrize("userid", ["stranger", "left", "disabled", "local:ops", "api:core"])
def test_a_member_who_is_unknown_or_has_left_is_refused_and_written_down(
    client: FlaskClient, wecom: WeComOfLogins, userid: str
) -> None:
    wecom.codes["c"] = Identity(userid, None, None)

    refused(client, come_back(client, sent_away(client), "c"), f"系统中无此成员（{userid}）")

    [entry] = entries("login.refuse")
    assert (entry.actor, entry.details["why"]) == (userid, "unknown_or_has_left")


def test_wecom_does_not_let_in_a_local_administrator(
    client: FlaskClient, wecom: WeComOfLogins, app: APIFlask
) -> None:
    with db.connection():
        local_users.create_admin(NAME, PASSWORD, Who("cli"), app.extensions["console"])
    wecom.codes["c"] = Identity(f"local:{NAME}", None, None)

    refused(client, come_back(client, sent_away(client), "c"), "系统中无此成员")


@pytest.mark.parametrize("code", ["code-of-anna", "stale-code", "broken-code"])
def test_neither_code_nor_state_is_ever_logged(
    client: FlaskClient, wecom: WeComOfLogins, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    wecom.codes["broken-code"] = Transient("auth/getuserinfo", None, "timeout")
    caplog.set_level(logging.DEBUG)

    with capture_logs() as lines:
        state = sent_away(client)
        come_back(client, state, code)
        come_back(client, state, code)

    written = f"{lines}{caplog.text}"
    assert state not in written
    assert code not in written
    with db.connection():
        kept = repr(list(AuditEntry.select().dicts()))
    assert state not in kept
    assert code not in kept


def test_a_scan_by_somebody_else_proves_nothing(app: APIFlask, wecom: WeComOfLogins) -> None:
    client = come_in(app, "anna", stepped_up=False)
    wecom.codes["c"] = Identity("bert", None, None)
    state = sent_away(client, "/step-up/scan?next=/account/second-factor")

    response = come_back(client, state, "c")

    assert response.location == "/step-up?next=/account/second-factor"
    assert client.get("/account/second-factor").status_code == 302
    assert entries("login.step_up", "login.begin") == []
    with db.connection():
        refused = AuditEntry.get(AuditEntry.act == "login.refuse")
        assert (refused.actor, refused.details["why"]) == ("bert", "step-up of anna")
    with db.connection():
        assert {login.actor for login in Login.select()} == {"anna"}


def test_the_own_scan_is_the_second_factor(app: APIFlask) -> None:
    client = come_in(app, "anna", stepped_up=False)
    state = sent_away(client, "/step-up/scan?next=/account/second-factor")

    response = come_back(client, state, "code-of-anna")

    assert response.location == "/account/second-factor"
    assert client.get("/account/second-factor").status_code == 200
    assert [entry.actor for entry in entries("login.step_up")] == ["anna"]


@pytest.mark.usefixtures("client")
def test_a_member_whom_wecom_spells_otherwise_is_the_same_person(
    app: APIFlask, wecom: WeComOfLogins
) -> None:
    wecom.codes |= {"in": Identity("Anna", None, None), "again": Identity("ANNA", None, None)}
    client = app.test_client()
    come_back(client, sent_away(client), "in")
    assert is_in(client)

    state = sent_away(client, "/step-up/scan?next=/account/second-factor")
    come_back(client, state, "again")

    assert client.get("/account/second-factor").status_code == 200
    assert {entry.actor for entry in entries("login.begin", "login.step_up")} == {"anna"}


def test_a_second_factor_needs_the_scan_even_inside_wecom(app: APIFlask) -> None:
    client = come_in(app, "anna", stepped_up=False)

    away = client.get("/step-up/scan", headers=PHONE).location

    assert "wwlogin/sso/login" in away


def test_a_step_up_without_a_login_lets_nobody_in(app: APIFlask) -> None:
    client = come_in(app, "anna", stepped_up=False)
    state = sent_away(client, "/step-up/scan")
    with db.connection():
        Login.delete().execute()

    refused(client, come_back(client, state, "code-of-anna"), "已失效")


# ------------------------------------------------------------------- by name and password


@pytest.fixture
def app_code(app: APIFlask, time: Clock, monkeypatch: pytest.MonkeyPatch) -> pyotp.TOTP:
    """A local administrator, and the app on their phone."""
    monkeypatch.setattr(local_users, "_hasher", CHEAP)
    monkeypatch.setattr(local_users, "_NOBODY", CHEAP.hash("nobody"))
    kegui, by = app.extensions["console"], Who("cli")
    with db.connection():
        secret = local_users.create_admin(NAME, PASSWORD, by, kegui)
        made = pyotp.TOTP(secret)
        assert second_factors.confirm(f"local:{NAME}", now(made), by, kegui)
    time.passes(seconds=30)
    return made


def now(phone: pyotp.TOTP) -> str:
    return phone.at(int(clock.now().timestamp()))


def log_in_as(
    client: FlaskClient, name: str = NAME, password: str = PASSWORD, code: str = "", **more: str
) -> TestResponse:
    address = more.pop("address", "192.0.2.1")
    return client.post(
        "/login/local",
        data={
            "csrf_token": token_of(client),
            "name": name,
            "password": password,
            "code": code,
            **more,
        },
        environ_overrides={"REMOTE_ADDR": address},
    )


def test_name_password_and_code_let_a_local_administrator_in(
    client: FlaskClient, app_code: pyotp.TOTP
) -> None:
    response = log_in_as(client, code=now(app_code), next="/operation")

    assert response.location == "/operation"
    assert client.get("/operation").status_code == 200
    with db.connection():
        login = Login.get()
        assert (login.actor, login.method) == (f"local:{NAME}", "local")
        assert login.stepped_up_at is not None


def test_every_wrong_part_gets_the_same_answer(client: FlaskClient, app_code: pyotp.TOTP) -> None:
    tries = {
        "password": {"password": "wrong", "code": now(app_code)},
        "code": {"code": "000000"},
        "no code": {"code": ""},
        "name": {"name": "nobody", "code": now(app_code)},
        "long name": {"name": "n" * 500, "code": "1"},
    }
    answers = set()
    for number, given_in in enumerate(tries.values()):
        # Each from an address of its own, and under no name four times.
        answer = log_in_as(client, address=f"192.0.2.{number}", **given_in)
        assert answer.status_code == 403
        text = answer.get_data(as_text=True)
        assert WRONG in text
        name = given_in.get("name", NAME)
        answers.add(re.sub(r'name="csrf_token"[^>]*>', "", text).replace(f'value="{name}"', ""))

    assert len(answers) == 1
    assert not is_in(client)
    assert len(entries("login.fail")) == len(tries)
    assert all(PASSWORD not in repr(entry.__data__) for entry in entries("login.fail"))
    # Somebody may have typed a password where the name belongs.
    assert {entry.actor for entry in entries("login.fail")} == {f"local:{NAME}", "local:?"}
    assert "nnnn" not in repr([entry.__data__ for entry in entries("login.fail")])


@pytest.mark.parametrize("name", [NAME, "nobody"])
def test_an_unknown_name_takes_as_much_work_as_a_known_one(
    client: FlaskClient, app_code: pyotp.TOTP, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[str] = []

    class Counting:
        def verify(self, kept: str, password: str) -> bool:
            worked.append(kept.split("$")[3])
            return CHEAP.verify(kept, password)

    monkeypatch.setattr(local_users, "_hasher", Counting())

    log_in_as(client, name=name, password="wrong")

    assert worked == ["m=8,t=1,p=1"]


def test_nobodys_hash_costs_what_a_new_one_costs() -> None:
    assert not local_users._hasher.check_needs_rehash(local_users._NOBODY)


def test_a_disabled_administrator_is_like_nobody(
    client: FlaskClient, app: APIFlask, app_code: pyotp.TOTP
) -> None:
    with db.connection():
        local_users.disable(NAME, Who("cli"), app.extensions["console"])

    response = log_in_as(client, code=now(app_code))

    assert response.status_code == 403
    assert WRONG in response.get_data(as_text=True)


def test_a_code_lets_in_once(app: APIFlask, app_code: pyotp.TOTP) -> None:
    code = now(app_code)
    assert log_in_as(app.test_client(), code=code).status_code == 302

    assert log_in_as(app.test_client(), code=code).status_code == 403


def test_a_wrong_password_uses_up_no_code(client: FlaskClient, app_code: pyotp.TOTP) -> None:
    code = now(app_code)
    log_in_as(client, password="wrong", code=code)

    assert log_in_as(client, code=code).status_code == 302


def test_a_code_of_minutes_ago_is_refused(
    client: FlaskClient, app_code: pyotp.TOTP, time: Clock
) -> None:
    code = now(app_code)
    time.passes(minutes=2)

    assert log_in_as(client, code=code).status_code == 403


def test_who_never_confirmed_the_app_is_not_let_in(
    client: FlaskClient, app: APIFlask, app_code: pyotp.TOTP
) -> None:
    with db.connection():
        secret = local_users.create_admin("new", PASSWORD, Who("cli"), app.extensions["console"])

    assert log_in_as(client, name="new", code=now(pyotp.TOTP(secret))).status_code == 403


def guess(client: FlaskClient, times: int, **given_in: str) -> None:
    for _ in range(times):
        assert log_in_as(client, password="wrong", **given_in).status_code == 403


def test_who_guesses_a_name_waits_wherever_they_guess_from(
    client: FlaskClient, app_code: pyotp.TOTP, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        guess(client, 1, address=f"192.0.2.{number}")

    waiting = log_in_as(client, code=now(app_code), address="192.0.2.99")

    assert (waiting.status_code, waiting.headers["Retry-After"]) == (429, "2")
    assert "请在 2 秒后再试" in waiting.get_data(as_text=True)
    assert not is_in(client)
    time.passes(seconds=2)
    assert log_in_as(client, code=now(app_code), address="192.0.2.99").status_code == 302


def test_who_guesses_from_an_address_waits_under_whatever_name(
    client: FlaskClient, app_code: pyotp.TOTP
) -> None:
    for number in range(5):
        guess(client, 1, name=f"name{number}")

    assert log_in_as(client, code=now(app_code)).status_code == 429
    assert log_in_as(client, code=now(app_code), address="192.0.2.2").status_code == 302


def test_who_waits_reads_what_lifts_it_at_a_terminal(
    client: FlaskClient, app_code: pyotp.TOTP
) -> None:
    guess(client, 5)

    page = log_in_as(client, code=now(app_code)).get_data(as_text=True)

    assert "可由能登录服务器的运维人员立即解除" in page
    [command] = re.findall("<code>(.*)</code>", page)
    assert re.sub("<.*?>", "", command) == "kegui user unlock NAME --address 192.0.2.1"
    assert "kegui user unlock" not in client.get("/login/local").get_data(as_text=True)


def test_of_many_guesses_at_once_only_a_few_are_compared(
    app: APIFlask, app_code: pyotp.TOTP, time: Clock
) -> None:
    browsers = [app.test_client() for _ in range(16)]
    for browser in browsers:
        token_of(browser)
    start = Barrier(len(browsers))

    def guess_at_once(browser: FlaskClient) -> int:
        start.wait(timeout=20)
        return log_in_as(browser, password="wrong").status_code

    with ThreadPoolExecutor(len(browsers)) as pool:
        answers = Counter(pool.map(guess_at_once, browsers))

    assert answers == {403: 5, 429: 11}


def test_each_failure_more_doubles_the_wait_and_waiting_is_no_failure(
    client: FlaskClient, app_code: pyotp.TOTP, time: Clock
) -> None:
    guess(client, 5)
    waits = []
    for _ in range(4):
        waiting = log_in_as(client, password="wrong")
        assert log_in_as(client, password="wrong").status_code == 429
        waits.append(int(waiting.headers["Retry-After"]))
        time.passes(seconds=waits[-1])
        guess(client, 1)

    assert waits == [2, 4, 8, 16]


def test_while_somebody_waits_no_password_is_tried(
    client: FlaskClient, app_code: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    guess(client, 5)
    tried: list[str] = []
    monkeypatch.setattr(local_users, "has_password", lambda *given_in: tried.extend(given_in))

    assert log_in_as(client).status_code == 429
    assert tried == []


def test_who_was_right_begins_anew(
    app: APIFlask, client: FlaskClient, app_code: pyotp.TOTP, time: Clock
) -> None:
    guess(client, 4)
    assert log_in_as(client, code=now(app_code)).status_code == 302
    time.passes(seconds=30)

    other = app.test_client()
    guess(other, 4)
    assert log_in_as(other, code=now(app_code)).status_code == 302


def test_after_a_day_nobody_remembers_the_failures(
    client: FlaskClient, app_code: pyotp.TOTP, time: Clock
) -> None:
    guess(client, 5)
    time.passes(hours=24, seconds=1)

    guess(client, 4)


def test_the_codes_of_a_step_up_are_not_guessed_either(
    app: APIFlask, app_code: pyotp.TOTP, time: Clock
) -> None:
    client = come_in(app, f"local:{NAME}", stepped_up=False)
    token = token_of(client)
    for _ in range(5):
        assert send(client, "/step-up", token, code="000000").status_code == 403

    waiting = send(client, "/step-up", token, code=now(app_code))

    assert (waiting.status_code, waiting.headers["Retry-After"]) == (429, "2")
    time.passes(seconds=2)
    answer = send(client, "/step-up", token, code=now(app_code), next="/tokens/new")
    assert answer.location == "/tokens/new"
    assert client.get("/tokens/new").status_code == 200
    time.passes(seconds=1)
    assert send(client, "/step-up", token, code=now(app_code)).status_code == 403


# ------------------------------------------------------------------------ where it leads

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "//kegui.example@evil.example",
    "/\r\nSet-Cookie: a=b",
    "",
]
OURS = ["/", "/customers?q=北", "/%2f/evil.example", "/customers/a%20b?x=//y", "/.//evil.example"]
CONTROLS = "".join(map(chr, range(0x21)))


def where_a_browser_goes(target: str) -> tuple[str, str]:
    """Scheme and host, as the URL standard reads an address on one of our pages."""
    target = target.strip(CONTROLS).translate({9: None, 10: None, 13: None})
    path, mark, rest = target.partition("?")
    parts = urlsplit(urljoin(f"{PUBLIC_URL}/login", path.replace("\\", "/") + mark + rest))
    return parts.scheme, parts.netloc


def nasty() -> st.SearchStrategy[str]:
    pieces = ["/", "\\", "//", "\t", "\n", "\x00", "\x7f", " ", ":", "https:", "javascript:"]
    pieces += ["evil.example", "@", "%2f", "%5c", "%09", "?", "#", ".", "..", "\u3000", "\u2028"]
    return st.lists(st.sampled_from(pieces) | st.text(max_size=3), max_size=8).map("".join)


@given(nasty())
@example("/\u2028/evil.example")
@settings(max_examples=500, deadline=None)
def test_no_address_leads_out_of_the_house(target: str) -> None:
    application = APIFlask("bot.app", docs_path=None, spec_path=None)
    application.add_url_rule("/", "console.home.show", lambda: "")

    with application.test_request_context():
        path = gate.local_path(target)

    assert where_a_browser_goes(path) == ("https", "kegui.example")
    assert path in (target, "/")
    assert not any(ord(letter) < 0x20 for letter in path)


@given(st.from_regex(r"/([a-z0-9_.~-]+/?)*(\?[a-z0-9=&%+-]*)?", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_a_path_of_ours_is_kept_as_it_is(target: str) -> None:
    application = APIFlask("bot.app", docs_path=None, spec_path=None)
    application.add_url_rule("/", "console.home.show", lambda: "")

    with application.test_request_context():
        assert gate.local_path(target) == target


@pytest.mark.parametrize("target", ELSEWHERE)
def test_whoever_is_in_is_not_sent_elsewhere(app: APIFlask, target: str) -> None:
    client = come_in(app, "anna")
    token = token_of(client)
    answers = [
        client.get("/login", query_string={"next": target}),
        send(client, "/purpose", token, purpose="complaint", next=target),
        send(client, "/theme", token, theme="dark"),
    ]
    asked_again = send(client, "/purpose", token, next=target)
    state = sent_away(client, "/login/wecom?" + urlencode({"next": target}))
    back = come_back(client, state, "code-of-anna")

    assert answers[0].location == "/"
    assert answers[1].location == "/"
    assert asked_again.status_code == 422
    assert 'name="next" value="/"' in asked_again.get_data(as_text=True)
    assert {where_a_browser_goes(answer.location) for answer in answers} == {
        ("https", "kegui.example")
    }
    assert back.location == "/"


@pytest.mark.parametrize("target", OURS)
def test_whoever_is_in_goes_where_they_wanted(app: APIFlask, target: str) -> None:
    response = come_in(app, "anna").get("/login", query_string={"next": target})

    assert where_a_browser_goes(response.location) == ("https", "kegui.example")
    assert response.location != "/" or target == "/"


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_local_login_leads_nowhere_else(
    client: FlaskClient, app_code: pyotp.TOTP, target: str
) -> None:
    assert log_in_as(client, code=now(app_code), next=target).location == "/"


def test_beside_wecom_itself_nobody_chooses_who_they_are(tmp_path: Path) -> None:
    """Whatever KEGUI_SANDBOX says: somebody copied the environment of a trial."""
    app = open_house(
        f"sqlite:///{tmp_path / 'kegui.db'}",
        KEGUI_SANDBOX="1",
        KEGUI_WECOM_API_BASE="https://qyapi.weixin.qq.com",
    )
    migrations.up()
    with db.connection():
        add_person("anna", "安娜", Role.COMPLIANCE_OFFICER)
    client = app.test_client()

    assert "安娜" not in client.get("/login?again=1").get_data(as_text=True)
    assert send(client, "/login/sandbox", token_of(client), userid="anna").status_code == 404
    cast(Any, db.database.obj).close_all()


@pytest.mark.parametrize("referrer", ["https://evil.example/x", "http://localhost//evil.example"])
def test_no_page_sends_back_to_where_somebody_elses_page_was(
    client: FlaskClient, referrer: str
) -> None:
    headers = {"Referer": referrer}
    stale = client.post("/theme", headers=headers)
    theme = client.post("/theme", data={"csrf_token": token_of(client)}, headers=headers)

    links = re.findall(r'href="([^"]*)"', stale.get_data(as_text=True))
    assert stale.status_code == 400
    assert {where_a_browser_goes(link) for link in [*links, theme.location]} == {
        ("https", "kegui.example")
    }
