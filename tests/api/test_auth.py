"""Who may call, and what for."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock
from bot.api import auth
from bot.api.auth import create_token, digest
from bot.models import ApiToken, LocalUser
from tests import leavers
from tests.api.conftest import Call, problem

pytestmark = pytest.mark.usefixtures("firm")


def test_a_call_without_a_token_is_told_how_to_send_one(client: FlaskClient) -> None:
    response = client.get("/api/v1/staff")

    problem(response, 401)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "kgt_1", "Bearer kgt_né"])
def test_a_header_that_is_no_token_of_ours_is_refused(client: FlaskClient, header: str) -> None:
    response = client.get("/api/v1/staff", headers={"Authorization": header})

    problem(response, 401)


def test_a_revoked_token_is_refused(call: Call) -> None:
    token = create_token("old", ["read"])
    assert call("GET", "/staff", token=token).status_code == 200

    ApiToken.change(ApiToken.name == "old", revoked_at=clock.now())

    problem(call("GET", "/staff", token=token), 401)


def test_only_the_digest_of_a_token_is_kept(store: str) -> None:
    token = create_token("hr", ["offboarding"])

    row = ApiToken.get(ApiToken.name == "hr")
    assert token.startswith("kgt_")
    assert row.digest == digest(token)
    assert token not in str(row.__data__)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "everything"]])
def test_a_token_needs_scopes_that_exist(store: str, scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scopes out of"):
        create_token("x", scopes)


# Which scope opens which call, written by hand: not read from the views.
SCOPES = (
    "read",
    "offboarding",
    "handover",
    "allocation",
    "events",
    "audit",
    "archive",
    "rules",
    "hr",
    "admin",
)
CALLS = """
                                           read offb hand allo even audi arch rule hr   admin
GET    /alarms                             o    .    .    .    .    .    .    .    .    o
GET    /allocations                        o    .    .    o    .    .    .    .    .    o
GET    /allocations/<number>               o    .    .    o    .    .    .    .    .    o
POST   /allocations/<number>/replay        o    .    .    o    .    .    .    .    .    o
GET    /archive/completeness               .    .    .    .    .    .    o    .    .    o
GET    /archive/media/<sha256>             .    .    .    .    .    .    o    .    .    o
GET    /archive/messages                   .    .    .    .    .    .    o    .    .    o
GET    /archive/messages/<msgid>           .    .    .    .    .    .    o    .    .    o
POST   /archive/search                     .    .    .    .    .    .    o    .    .    o
GET    /audit                              .    .    .    .    .    o    .    .    .    o
GET    /conflicts                          o    .    .    o    .    .    .    .    .    o
GET    /conflicts/<number>                 o    .    .    o    .    .    .    .    .    o
POST   /conflicts/<number>/resolve         .    .    .    o    .    .    .    .    .    o
GET    /contact-ways                       o    .    .    o    .    .    .    .    .    o
POST   /contact-ways                       .    .    .    o    .    .    .    .    .    o
GET    /contact-ways/<number>              o    .    .    o    .    .    .    .    .    o
PATCH  /contact-ways/<number>              .    .    .    o    .    .    .    .    .    o
DELETE /contact-ways/<number>              .    .    .    o    .    .    .    .    .    o
GET    /customers                          o    .    .    .    .    .    .    .    .    o
GET    /customers/<external_userid>        o    .    .    .    .    .    .    .    .    o
GET    /customers/<external_userid>/timeline o    .    .    .    .    .    .    .    .    o
GET    /dry-runs/<number>                  o    .    .    o    .    .    .    o    .    o
GET    /events                             o    .    .    .    o    .    .    .    .    o
GET    /events/<number>                    o    .    .    .    o    .    .    .    .    o
POST   /events/<number>/replay             .    .    .    .    o    .    .    .    .    o
GET    /gaps                               o    .    .    .    .    .    .    .    .    o
GET    /handovers                          o    .    o    .    .    .    .    .    .    o
POST   /handovers                          .    .    o    .    .    .    .    .    .    o
GET    /handovers/<number>                 o    .    o    .    .    .    .    .    .    o
PATCH  /handovers/<number>                 .    .    o    .    .    .    .    .    .    o
POST   /handovers/<number>/approve         .    .    o    .    .    .    .    .    .    o
POST   /handovers/<number>/cancel          .    .    o    .    .    .    .    .    .    o
GET    /handovers/<number>/items           o    .    o    .    .    .    .    .    .    o
GET    /offboardings                       o    o    .    .    .    .    .    .    .    o
POST   /offboardings                       .    o    .    .    .    .    .    .    .    o
GET    /offboardings/<number>              o    o    .    .    .    .    .    .    .    o
PATCH  /offboardings/<number>              .    o    .    .    .    .    .    .    .    o
POST   /offboardings/<number>/approve      .    o    .    .    .    .    .    .    .    o
POST   /offboardings/<number>/cancel       .    o    .    .    .    .    .    .    .    o
GET    /offboardings/<number>/items        o    o    .    .    .    .    .    .    .    o
GET    /pauses                             o    .    .    .    .    .    .    .    .    o
POST   /pauses/<name>/lift                 .    .    .    .    o    .    .    .    .    o
GET    /rule-sets                          o    .    .    o    .    .    .    o    .    o
POST   /rule-sets                          .    .    .    o    .    .    .    o    .    o
GET    /rule-sets/<number>                 o    .    .    o    .    .    .    o    .    o
POST   /rule-sets/<number>/approve         .    .    .    o    .    .    .    o    .    o
POST   /rule-sets/<number>/dry-run         .    .    .    o    .    .    .    o    .    o
POST   /rule-sets/<number>/reject          .    .    .    o    .    .    .    o    .    o
POST   /rule-sets/<number>/release         .    .    .    o    .    .    .    o    .    o
POST   /rule-sets/<number>/rollback        .    .    .    o    .    .    .    o    .    o
POST   /rule-sets/<number>/submit          .    .    .    o    .    .    .    o    .    o
GET    /staff                              o    .    .    o    .    .    .    .    .    o
GET    /staff/<userid>                     o    .    .    o    .    .    .    .    .    o
PUT    /staff/<userid>                     .    .    .    o    .    .    .    .    .    o
POST   /staff/<userid>/calendar            .    .    .    o    .    .    .    .    o    o
POST   /staff/imports                      .    .    .    o    .    .    .    .    o    o
GET    /sync-runs                          o    .    .    .    .    .    .    .    .    o
GET    /sync-runs/<run>                    o    .    .    .    .    .    .    .    .    o
"""
PARTS = {
    "msgid": "1_2_external",
    "sha256": "0" * 64,
    "number": "1",
    "external_userid": "wm_chen",
    "userid": "zhangsan",
    "name": "app gettoken",
    "run": "5f3a",
}


def _lines() -> Iterator[tuple[tuple[str, str], set[str]]]:
    for line in CALLS.strip().splitlines()[1:]:
        method, path, *found = line.split()
        assert len(found) == len(SCOPES), line
        yield (
            (method, path),
            {scope for scope, mark in zip(SCOPES, found, strict=True) if mark == "o"},
        )


TABLE = dict(_lines())


def calls(app: APIFlask) -> set[tuple[str, str]]:
    """Every call that the application takes, as the table names it."""
    return {
        (method, re.sub(r"<(?:[a-z]+:)?([a-z0-9_]+)>", r"<\1>", rule.rule).removeprefix("/api/v1"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}
    }


def test_every_call_is_in_the_table_and_the_table_has_no_other(app: APIFlask) -> None:
    assert calls(app) == set(TABLE)
    assert set(SCOPES) == set(auth.SCOPES)


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_opens_what_it_should_and_nothing_else(call: Call, scope: str) -> None:
    token = create_token("one scope", [scope])

    for (method, path), allowed in TABLE.items():
        where = re.sub(r"<([a-z_]+)>", lambda part: PARTS[part[1]], path)
        response = call(method, where, {"nonsense": 1} if method != "GET" else None, token=token)
        if scope in allowed:
            assert response.status_code not in (401, 403), (method, path)
        else:
            body = problem(response, 403)
            assert body["missing_scope"] in body["detail"]
            assert body["missing_scope"] in allowed


def test_no_call_is_answered_without_a_token(client: FlaskClient) -> None:
    for method, path in TABLE:
        where = re.sub(r"<([a-z_]+)>", lambda part: PARTS[part[1]], path)
        problem(client.open(f"/api/v1{where}", method=method), 401)


def test_several_scopes_open_what_each_of_them_opens(call: Call) -> None:
    token = create_token("two", ["audit", "offboarding"])

    assert call("GET", "/audit", token=token).status_code == 200
    assert call("GET", "/offboardings", token=token).status_code == 200
    problem(call("GET", "/handovers", token=token), 403)


@pytest.mark.parametrize("leave", leavers.WAYS)
def test_a_token_ends_with_who_answers_for_it(call: Call, leave: Callable[[str], None]) -> None:
    token = create_token("zhangsan's", ["read"], owner="zhangsan")
    assert call("GET", "/staff", token=token).status_code == 200

    leave("zhangsan")

    assert "离职" in problem(call("GET", "/staff", token=token), 401)["detail"]


def test_a_token_ends_with_a_disabled_local_administrator(call: Call) -> None:
    user = LocalUser.create(name="ops", password_hash="x", created_at=clock.now())
    token = create_token("theirs", ["read"], owner="local:ops")
    assert call("GET", "/staff", token=token).status_code == 200

    LocalUser.change(LocalUser.name == user.name, disabled_at=clock.now())

    problem(call("GET", "/staff", token=token), 401)


def test_a_token_ends_on_its_day(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    token = create_token("short", ["read"], days=1)
    assert call("GET", "/staff", token=token).status_code == 200

    tomorrow = clock.now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)

    assert "过期" in problem(call("GET", "/staff", token=token), 401)["detail"]


def test_no_view_forgets_to_name_its_scopes(app: APIFlask) -> None:
    views = {name: view for name, view in app.view_functions.items() if name.startswith("api.")}

    assert views
    assert [name for name, view in views.items() if not getattr(view, "needed_scopes", ())] == []
