"""Local administrators change their password; nobody is in at more places than is allowed."""

from typing import Any

import pyotp
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock, db
from bot.models import AuditEntry, Login
from tests.console.test_logins import (
    CHEAP,
    NAME,
    PASSWORD,
    WRONG,
    WeComOfLogins,
    app,
    app_code,
    client,
    come_back,
    entries,
    log_in_as,
    now,
    sent_away,
    time,
    wecom,
)
from tests.console.test_sessions import Clock, is_in
from tests.console.two_departments import come_in, send, token_of

__all__ = ["CHEAP", "app", "app_code", "client", "time", "wecom"]
NEW = "another quiet river 41"


def change(client: FlaskClient, **form: str) -> TestResponse:
    asked = {"old": PASSWORD, "new": NEW, "again": NEW} | form
    return send(client, "/account/password", token_of(client), **asked)


@pytest.fixture
def ops(client: FlaskClient, app_code: pyotp.TOTP, time: Clock) -> FlaskClient:
    """The browser of a local administrator who has just come in."""
    assert log_in_as(client, code=now(app_code)).status_code == 302
    time.passes(seconds=30)
    return client


def test_a_local_administrator_changes_their_password_and_other_logins_end(
    app: APIFlask, ops: FlaskClient, app_code: pyotp.TOTP, time: Clock
) -> None:
    elsewhere = app.test_client()
    log_in_as(elsewhere, code=now(app_code))
    time.passes(seconds=30)
    page = ops.get("/account").get_data(as_text=True)
    assert 'href="/account/password"' in page

    answer = change(ops)

    assert answer.location == "/account"
    assert is_in(ops)
    assert not is_in(elsewhere)
    again = app.test_client()
    assert WRONG in log_in_as(again, code=now(app_code)).get_data(as_text=True)
    assert log_in_as(again, password=NEW, code=now(app_code)).status_code == 302
    [entry] = entries("user.set_password")
    assert (entry.actor, entry.subject) == (f"local:{NAME}", f"local:{NAME}")
    with db.connection():
        kept = repr(list(AuditEntry.select().dicts()))
    assert NEW not in kept
    assert PASSWORD not in kept


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"old": "wrong"}, "原密码不正确"),
        ({"again": "different"}, "两次输入的新密码不同"),
        ({"new": "short", "again": "short"}, "密码至少 12 个字符"),
        ({"new": "password2026!", "again": "password2026!"}, "过于常见"),
        ({"new": "1qaz2wsx3edc", "again": "1qaz2wsx3edc"}, "过于常见"),
        ({"new": "Ops-2026-2026", "again": "Ops-2026-2026"}, "不能包含您的姓名"),
    ],
)
def test_a_password_that_is_not_taken_is_said_why(
    app: APIFlask,
    ops: FlaskClient,
    app_code: pyotp.TOTP,
    form: dict[str, str],
    sentence: str,
) -> None:
    answer = change(ops, **form)

    assert answer.status_code == 422
    text = answer.get_data(as_text=True)
    assert sentence in text
    for typed in form.values():
        assert typed not in text
    assert log_in_as(app.test_client(), code=now(app_code)).status_code == 302


def test_the_old_password_is_not_guessed(ops: FlaskClient, time: Clock) -> None:
    for _ in range(5):
        assert change(ops, old="wrong").status_code == 422

    waiting = change(ops)

    assert (waiting.status_code, waiting.headers["Retry-After"]) == (429, "2")
    assert len(entries("login.fail")) == 5
    time.passes(seconds=2)
    assert change(ops).status_code == 302


def test_a_member_has_no_password(app: APIFlask) -> None:
    anna = come_in(app, "anna")

    assert anna.get("/account/password").status_code == 404
    assert change(anna).status_code == 404
    assert "/account/password" not in anna.get("/account").get_data(as_text=True)


def test_with_one_login_too_many_the_oldest_ends(
    app: APIFlask, client: FlaskClient, wecom: WeComOfLogins, time: Clock
) -> None:
    most = app.extensions["console"].settings.session_most
    browsers: list[FlaskClient] = []
    for number in range(most + 1):
        wecom.codes[str(number)] = wecom.codes["code-of-anna"]
        browser = app.test_client()
        come_back(browser, sent_away(browser), str(number))
        browsers.append(browser)
        time.passes(seconds=1)

    assert [is_in(browser) for browser in browsers] == [False] + [True] * most
    [ended] = entries("login.end")
    assert (ended.actor, ended.details["why"]) == ("anna", "too_many_logins")
    with db.connection():
        others: Any = Login.select().where(Login.ended_at.is_null())
        assert others.count() == most
    assert clock.now() == time.now()
