"""Who may call, and what for."""

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock
from bot.api.auth import create_token, digest
from bot.models import ApiToken
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

    ApiToken.update(revoked_at=clock.now()).where(ApiToken.name == "old").execute()

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


READERS = {
    "/offboardings": {"read", "offboarding", "admin"},
    "/handovers": {"read", "handover", "admin"},
    "/customers": {"read", "admin"},
    "/conflicts": {"read", "allocation", "admin"},
    "/contact-ways": {"read", "allocation", "admin"},
    "/events": {"read", "events", "admin"},
    "/gaps": {"read", "admin"},
    "/alarms": {"read", "admin"},
    "/audit": {"audit", "admin"},
    "/staff": {"read", "allocation", "admin"},
}
WRITERS = {
    ("POST", "/offboardings"): {"offboarding", "admin"},
    ("PATCH", "/offboardings/1"): {"offboarding", "admin"},
    ("POST", "/offboardings/1/approve"): {"offboarding", "admin"},
    ("POST", "/offboardings/1/cancel"): {"offboarding", "admin"},
    ("POST", "/handovers"): {"handover", "admin"},
    ("POST", "/handovers/1/cancel"): {"handover", "admin"},
    ("POST", "/conflicts/1/resolve"): {"allocation", "admin"},
    ("POST", "/contact-ways"): {"allocation", "admin"},
    ("DELETE", "/contact-ways/1"): {"allocation", "admin"},
    ("PUT", "/staff/nobody"): {"allocation", "admin"},
    ("POST", "/events/1/replay"): {"events", "admin"},
}
SCOPES = ["read", "offboarding", "handover", "allocation", "events", "audit", "admin"]


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_opens_what_it_should_and_nothing_else(call: Call, scope: str) -> None:
    token = create_token("one scope", [scope])
    wanted = {("GET", path): scopes for path, scopes in READERS.items()} | WRITERS

    for (method, path), allowed in wanted.items():
        response = call(method, path, {"nonsense": 1} if method != "GET" else None, token=token)
        if scope in allowed:
            assert response.status_code not in (401, 403), (method, path)
        else:
            body = problem(response, 403)
            assert body["missing_scope"] in body["detail"]
            assert body["missing_scope"] in allowed


def test_no_view_forgets_to_name_its_scopes(app: APIFlask) -> None:
    views = {name: view for name, view in app.view_functions.items() if name.startswith("api.")}

    assert views
    assert [name for name, view in views.items() if not getattr(view, "needed_scopes", ())] == []
