"""接口令牌: made once, shown once, revoked for good."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock
from bot.console.identity import tokens as screen
from bot.identity.tokens import SCOPES, create_token, digest
from bot.models import ApiToken, AuditEntry, RoleGrant, Staff
from bot.rights import Role
from tests.console.conftest import MORNING, add_person, log_in
from tests.console.test_every_page import queries_of

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    """The browser of the boss, who has just proved a second factor."""
    log_in(client, "boss", stepped_up=True)
    return client


def hidden(client: FlaskClient, path: str) -> dict[str, str]:
    """What the form of a page sends along unseen."""
    text = client.get(path).get_data(as_text=True)
    main = text.partition('<main id="content"')[2]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', main))


def make(client: FlaskClient, **form: Any) -> TestResponse:
    asked = {"name": "人事系统", "scopes": ["read"], "owner": "boss", "days": "365"}
    return client.post("/tokens/new", data=hidden(client, "/tokens/new") | asked | form)


def revoke(client: FlaskClient, number: int, reason: str = "") -> TestResponse:
    path = f"/tokens/{number}/revocation"
    return client.post(path, data=hidden(client, path) | {"reason": reason})


def text_of(client: FlaskClient, path: str = "/tokens") -> str:
    return client.get(path).get_data(as_text=True)


def secret_in(response: TestResponse) -> str:
    [secret] = set(re.findall(r"kgt_[\w-]+", response.get_data(as_text=True)))
    return secret


def entries(act: str) -> list[AuditEntry]:
    return list(AuditEntry.select().where(AuditEntry.act == act))


def test_a_token_is_shown_once_and_only_its_digest_is_kept(admin: FlaskClient) -> None:
    response = make(admin, scopes=["read", "offboarding"], days="90")

    secret = secret_in(response)
    row = ApiToken.get()
    assert response.headers["Cache-Control"] == "no-store"
    assert (row.name, row.owner, row.scopes) == ("人事系统", "boss", ["offboarding", "read"])
    assert row.digest == digest(secret)
    assert timedelta(days=89) < row.expires_at - clock.now() <= timedelta(days=90)
    assert "kgt_" not in text_of(admin)
    [entry] = entries("token.create")
    assert (entry.actor, entry.subject) == ("boss", "token 人事系统")
    assert secret not in str(entry.details)


def test_the_form_offers_every_scope_and_says_what_it_allows(admin: FlaskClient) -> None:
    text = text_of(admin, "/tokens/new")

    assert set(screen.SCOPES) == set(SCOPES)
    for scope, meaning in screen.SCOPES.items():
        assert f'value="{scope}"' in text
        assert str(meaning) in text
    assert 'value="boss"' in text
    assert 'value="365"' in text


def test_sending_the_same_form_again_makes_no_second_token(admin: FlaskClient) -> None:
    sent = hidden(admin, "/tokens/new") | {"name": "CRM", "scopes": "read", "days": "9"}
    secret = secret_in(admin.post("/tokens/new", data=sent))
    ApiToken.change(ApiToken.id > 0, revoked_at=clock.now())  # its name is free again

    again = admin.post("/tokens/new", data=sent)

    text = again.get_data(as_text=True)
    assert again.status_code == 422
    assert "没有再次新建" in text
    assert 'value="CRM"' in text
    assert secret not in text
    assert ApiToken.select().count() == 1


def test_a_form_that_no_page_showed_makes_no_token(admin: FlaskClient) -> None:
    csrf = hidden(admin, "/tokens/1/revocation") or hidden(admin, "/purpose")
    sent = {"csrf_token": csrf["csrf_token"], "name": "CRM", "scopes": "read", "days": "9"}

    answer = admin.post("/tokens/new", data=sent)

    assert answer.status_code == 422
    assert ApiToken.select().count() == 0


def test_a_form_that_was_refused_can_be_sent_again(admin: FlaskClient) -> None:
    refused = make(admin, scopes=[])
    sent = dict(
        re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', refused.get_data(as_text=True))
    )

    made = admin.post(
        "/tokens/new", data=sent | {"name": "CRM", "scopes": "read", "owner": "boss", "days": "9"}
    )

    assert secret_in(made)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": " "}, "请填写名称"),
        ({"name": "x" * 125}, "请填写名称"),
        ({"name": "taken"}, "已有一个同名的有效令牌"),
        ({"scopes": []}, "请至少勾选一项权限"),
        ({"scopes": ["read", "everything"]}, "请至少勾选一项权限"),
        ({"days": "0"}, "请填写 1 到 3650 之间的天数"),
        ({"days": "3651"}, "请填写 1 到 3650 之间的天数"),
        ({"days": "x"}, "请填写 1 到 3650 之间的天数"),
        ({"days": "9" * 50}, "请填写 1 到 3650 之间的天数"),
        ({"owner": "nobody"}, "没有找到此人"),
        ({"owner": "cli:nobody"}, "没有找到此人"),
        ({"owner": "local:nobody"}, "没有找到此人"),
        ({"owner": "wangwu"}, "没有找到此人"),
    ],
)
def test_what_cannot_be_made_is_said_and_what_was_typed_stays(
    admin: FlaskClient, form: dict[str, Any], sentence: str
) -> None:
    create_token("taken", ["read"], owner="boss", days=1)
    add_person("wangwu", "王五")
    Staff.update(left_at=MORNING).where(Staff.userid == "wangwu").execute()

    response = make(admin, **form)

    text = response.get_data(as_text=True)
    assert response.status_code == 422
    assert sentence in text
    for name, typed in ({"name": "人事系统", "owner": "boss", "days": "365"} | form).items():
        assert name == "scopes" or f'value="{typed}"' in text
    assert ApiToken.select().count() == 1
    assert entries("token.create") == []


def test_the_owner_can_be_given_by_name(admin: FlaskClient) -> None:
    add_person("lihua", "李华")

    make(admin, owner="李华")

    assert ApiToken.get().owner == "lihua"


def test_the_list_says_who_answers_and_when_it_ends_and_was_used(admin: FlaskClient) -> None:
    add_person("lihua", "李华")
    create_token("CRM", ["read", "audit"], owner="lihua", days=400)
    ApiToken.update(last_used_at=MORNING).execute()

    row = _row(text_of(admin), "CRM")

    for said in ("李华", "audit", "read", "2026-11-24", "有效"):
        assert said in row
    assert f"{(clock.now() + timedelta(days=400, hours=8)):%Y-%m-%d}" in row


@pytest.mark.parametrize(("days", "is_soon"), [(29, True), (31, False)])
def test_a_token_that_expires_within_thirty_days_stands_out(
    admin: FlaskClient, days: int, is_soon: bool
) -> None:
    create_token("CRM", ["read"], owner="boss", days=days)

    text = text_of(admin)

    assert ("即将到期" in _row(text, "CRM")) == is_soon
    assert ("有 1 个令牌将在 30 天内到期" in text) == is_soon


def test_tokens_that_ended_say_why(admin: FlaskClient) -> None:
    add_person("wangwu", "王五")
    Staff.update(left_at=MORNING).where(Staff.userid == "wangwu").execute()
    for name, owner in (("expired", "boss"), ("orphaned", "wangwu"), ("revoked", "boss")):
        create_token(name, ["read"], owner=owner, days=9)
    ApiToken.change(ApiToken.name == "expired", expires_at=MORNING)
    ApiToken.change(ApiToken.name == "revoked", revoked_at=MORNING)

    text = text_of(admin, "/tokens?state=ended")

    assert "已到期" in _row(text, "expired")
    assert "负责人已离职" in _row(text, "orphaned")
    assert "已作废" in _row(text, "revoked")
    assert "没有有效的令牌" in text_of(admin)


def test_a_revoked_token_calls_no_more_and_the_log_says_why(admin: FlaskClient) -> None:
    create_token("CRM", ["read"], owner="boss", days=9)
    number = ApiToken.get().id
    assert "立即无法调用接口" in text_of(admin, f"/tokens/{number}/revocation")

    revoke(admin, number, "供应商更换")

    assert ApiToken.get().revoked_at is not None
    [entry] = entries("token.revoke")
    assert (entry.actor, entry.subject, entry.details["reason"]) == (
        "boss",
        "token CRM",
        "供应商更换",
    )
    assert "已作废，立即生效" in text_of(admin)

    again = admin.post(
        f"/tokens/{number}/revocation", data=hidden(admin, "/tokens/new"), follow_redirects=True
    )
    assert "之前已经作废" in again.get_data(as_text=True)
    assert len(entries("token.revoke")) == 1


def test_the_name_of_a_token_that_ended_is_free(admin: FlaskClient) -> None:
    create_token("人事系统", ["read"], owner="boss", days=9)
    assert make(admin).status_code == 422

    revoke(admin, ApiToken.get().id)

    assert secret_in(make(admin))


@pytest.mark.parametrize("path", ["/tokens/new", "/tokens/1/revocation"])
def test_changing_tokens_asks_for_a_second_factor(client: FlaskClient, path: str) -> None:
    create_token("CRM", ["read"], owner="boss", days=9)
    token = re.findall(r'name="csrf_token" value="([^"]+)"', text_of(client, "/account"))[0]

    shown = client.get(path)
    sent = client.post(path, data={"csrf_token": token, "name": "x", "scopes": "read"})

    assert shown.location.startswith("/step-up")
    assert sent.location.startswith("/step-up")
    assert [row.revoked_at for row in ApiToken.select()] == [None]


def test_an_auditor_sees_the_tokens_and_changes_none(client: FlaskClient) -> None:
    add_person("shen", "沈", Role.AUDITOR)
    create_token("CRM", ["read"], owner="boss", days=9)
    log_in(client, "shen", stepped_up=True)

    text = text_of(client)

    assert "CRM" in text
    assert "新建令牌" not in text
    assert "/revocation" not in text
    for path in ("/tokens/new", "/tokens/1/revocation"):
        assert client.get(path).status_code == 403


def test_who_may_not_see_tokens_gets_no_page(client: FlaskClient) -> None:
    add_person("chenmin", "陈敏", Role.COMPLIANCE_OFFICER)
    log_in(client, "chenmin", stepped_up=True)

    assert client.get("/tokens").status_code == 403


def test_without_the_forms_token_nothing_is_made_or_revoked(admin: FlaskClient) -> None:
    create_token("CRM", ["read"], owner="boss", days=9)
    key = hidden(admin, "/tokens/new")["key"]

    made = admin.post("/tokens/new", data={"key": key, "name": "x", "scopes": "read", "days": "1"})
    revoked = admin.post("/tokens/1/revocation")

    assert made.status_code == revoked.status_code == 400
    assert [row.revoked_at for row in ApiToken.select()] == [None]


def test_a_token_that_is_not_there_is_a_page_that_is_not_there(admin: FlaskClient) -> None:
    assert admin.get("/tokens/9/revocation").status_code == 404


@pytest.mark.parametrize(
    ("scope", "owner", "is_marked"),
    [
        ("admin", "shen", True),
        ("admin", "boss", False),
        ("admin", "former", True),
        ("admin", "cli:deploy", False),
        ("read", "shen", False),
    ],
)
def test_a_token_that_may_more_than_its_owner_is_marked(
    admin: FlaskClient, scope: str, owner: str, is_marked: bool
) -> None:
    add_person("shen", "沈", Role.AUDITOR)
    add_person("former", "前任", Role.ADMINISTRATOR)
    RoleGrant.change(RoleGrant.actor == "former", revoked_at=MORNING)
    create_token("CRM", [scope], owner=owner, days=9)

    assert ("负责人不是管理员" in _row(text_of(admin), "CRM")) == is_marked


def test_a_token_that_ended_is_not_marked(admin: FlaskClient) -> None:
    add_person("shen", "沈", Role.AUDITOR)
    create_token("CRM", ["admin"], owner="shen", days=9)
    ApiToken.change(ApiToken.id > 0, revoked_at=MORNING)

    assert "负责人不是管理员" not in text_of(admin, "/tokens?state=ended")


def test_many_tokens_take_no_more_queries(admin: FlaskClient) -> None:
    create_token("first", ["read"], owner="boss", days=9)
    few = queries_of(admin, "/tokens")
    for number in range(60):
        add_person(f"owner{number}", f"负责人{number}")
        create_token(f"token {number}", ["admin"], owner=f"owner{number}", days=9)

    assert queries_of(admin, "/tokens") == few < 15


def test_the_pages_are_english_for_who_reads_english(admin: FlaskClient) -> None:
    create_token("CRM", list(SCOPES), owner="boss", days=9)
    admin.get("/?lang=en")
    paths = ("/tokens", "/tokens?state=ended", "/tokens/new", "/tokens/1/revocation")
    texts = [text_of(admin, path) for path in paths]
    texts.append(make(admin, name="other").get_data(as_text=True))

    for text in texts:
        for theirs in ("中文", "客规"):
            text = text.replace(theirs, "")
        assert not re.findall("[\u4e00-\u9fff]+", text)


def _row(text: str, name: str) -> str:
    [row] = [part.partition("</tr>")[0] for part in text.split("<tr>") if f">{name}<" in part]
    return row
