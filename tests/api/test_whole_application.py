"""The API as the web process serves it, beside the doors and the console."""

import base64
from collections.abc import Iterator

import pytest
from apiflask import APIFlask

from bot import db
from bot.api.auth import create_token
from bot.app import create_app
from bot.db import database
from bot.models import Staff
from config import settings
from tests.api.conftest import MORNING, problem


@pytest.fixture
def whole(sqlite_url: str) -> Iterator[APIFlask]:
    key = base64.urlsafe_b64encode(bytes(32)).decode()
    app = create_app(
        settings.load(
            {
                "KEGUI_DATABASE_URL": sqlite_url,
                "KEGUI_CORP_ID": "ww1",
                "KEGUI_AGENT_ID": "1000002",
                "KEGUI_APP_SECRET": "secret",
                "KEGUI_CALLBACK_TOKEN": "token",
                "KEGUI_CALLBACK_AES_KEY": "a" * 43,
                "KEGUI_DATA_KEY": key,
                "KEGUI_SECRET_KEY": "session",
                "KEGUI_SANDBOX": "1",
                "KEGUI_WECOM_API_BASE": "http://127.0.0.1:9",
            }
        )
    )
    yield app
    database.obj.close_all()


@pytest.fixture
def bare(sqlite_url: str) -> Iterator[APIFlask]:
    """What WeCom's verification of the address needs, and no more."""
    yield create_app(
        settings.load(
            {
                "KEGUI_DATABASE_URL": sqlite_url,
                "KEGUI_CORP_ID": "ww1",
                "KEGUI_CALLBACK_TOKEN": "token",
                "KEGUI_CALLBACK_AES_KEY": "a" * 43,
            }
        )
    )
    database.obj.close_all()


MISSING = ["KEGUI_AGENT_ID", "KEGUI_APP_SECRET", "KEGUI_DATA_KEY", "KEGUI_SECRET_KEY"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/staff"), ("POST", "/api/v1/offboardings"), ("GET", "/api/v1/")],
)
def test_an_api_that_is_not_configured_says_what_is_missing(
    bare: APIFlask, method: str, path: str
) -> None:
    client = bare.test_client()

    chinese = problem(client.open(path, method=method, json={}), 503)
    english = problem(
        client.open(path, method=method, json={}, headers={"Accept-Language": "en"}), 503
    )

    assert chinese["type"] == "urn:kegui:problem:not-configured"
    assert chinese["missing"] == MISSING
    assert all(name in chinese["detail"] and name in english["detail"] for name in MISSING)
    assert "缺少" in chinese["detail"]
    assert "missing" in english["detail"]


@pytest.mark.parametrize("path", ["/", "/login", "/customers/wm_chen"])
def test_a_page_that_is_not_configured_says_what_is_missing(bare: APIFlask, path: str) -> None:
    client = bare.test_client()

    chinese = client.get(path)
    english = client.get(f"{path}?lang=en").text

    assert (chinese.status_code, chinese.mimetype) == (503, "text/html")
    assert all(name in chinese.text and name in english for name in MISSING)
    assert "尚未配置完成" in chinese.text
    assert "Kegui is not configured yet" in english
    assert "style=" not in english
    assert "default-src 'self'" in chinese.headers["Content-Security-Policy"]
    assert chinese.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in chinese.headers
    assert client.get("/console/static/console.css").status_code == 200


def test_what_is_not_configured_still_answers_machines(bare: APIFlask) -> None:
    client = bare.test_client()

    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert set(MISSING) <= set(ready.get_json()["missing"])
    assert client.get("/wecom/nowhere").status_code == 404


def test_a_request_brings_its_own_connection_and_gives_it_back(whole: APIFlask) -> None:
    with db.connection():
        token = create_token("hr", ["read"])
        Staff.create(userid="zhangsan", name="张三", seen_at=MORNING)

    for _ in range(50):
        response = whole.test_client().get(
            "/api/v1/staff/zhangsan", headers={"Authorization": f"Bearer {token}"}
        )
        assert response.get_json()["name"] == "张三"
        assert database.is_closed()


def test_the_console_and_the_api_answer_each_in_its_own_way(whole: APIFlask) -> None:
    client = whole.test_client()

    assert client.get("/nowhere").mimetype == "text/html"
    problem(client.get("/api/v1/nowhere"), 404)
    problem(client.get("/api/v1/staff"), 401)
    problem(client.post("/api/v1/offboardings", data=b"x" * 2_000_000), 401)
    assert database.is_closed()


def test_a_body_without_end_is_refused(whole: APIFlask) -> None:
    with db.connection():
        token = create_token("hr", ["offboarding"])

    response = whole.test_client().post(
        "/api/v1/offboardings",
        data=b"x" * 2_000_000,
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"},
    )

    problem(response, 413)


def test_the_description_lists_the_api_and_nothing_of_the_console(whole: APIFlask) -> None:
    document = whole.test_client().get("/api/v1/openapi.json").get_json()

    assert all(path.startswith("/api/v1/") for path in document["paths"])
    assert {one["name"] for one in document["tags"]} >= {"Offboardings", "Staff"}
