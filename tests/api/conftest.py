"""The API over a real database and queue, with a WeCom that only remembers what it was asked."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import api, clock, db
from bot.api import context
from bot.api.auth import create_token
from bot.capabilities import CAPABILITIES
from bot.kegui import Kegui
from bot.models import Customer, Relation, Staff
from bot.queue import Queue
from bot.vault import Vault
from bot.wecom import ContactWayMade, MessageResult, Refused, User
from config import settings
from tests.wecom.one_for_all import OneForAll

MORNING = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
Call = Callable[..., TestResponse]


def at(minutes: float) -> datetime:
    return MORNING + timedelta(minutes=minutes)


def in_days(days: int) -> str:
    """A day as the API wants it, so many days from today in Shanghai."""
    return str((clock.now() + timedelta(hours=8, days=days)).date())


@dataclass
class FakeWeCom(OneForAll):
    """Remembers every call; ``error`` is raised instead of answering."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None

    def _asked(self, *call: Any) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(call)

    def contacts_user(self, userid: str) -> User:
        raise Refused("user/get", 60111)

    def customers_follow_users(self) -> list[str]:
        with db.connection():
            return [member.userid for member in Staff.select().where(Staff.serves)]

    def messages_send_text(self, userids: list[str], text: str) -> MessageResult:
        self._asked("send_message", *userids, text)
        return MessageResult("msgid", ())

    def contact_ways_add(self, userids: list[str], state: str, remark: str = "") -> ContactWayMade:
        self._asked("add_contact_way", userids, state, remark)
        return ContactWayMade(f"config-{len(self.calls)}", "https://wework.example/qr")

    def contact_ways_update(
        self, config_id: str, userids: list[str], *, remark: str | None = None
    ) -> None:
        self._asked("update_contact_way", config_id, userids, remark)

    def contact_ways_delete(self, config_id: str) -> None:
        self._asked("delete_contact_way", config_id)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Modules whose queries are worth it say ``ON_BOTH_DATABASES``; the others run on SQLite."""
    both = getattr(metafunc.module, "ON_BOTH_DATABASES", False)
    if both and "database_url" in metafunc.fixturenames:
        postgres = pytest.param("postgres", marks=pytest.mark.postgres)
        metafunc.parametrize("database_url", ["sqlite", postgres], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    name = getattr(request, "param", "sqlite")
    return str(request.getfixturevalue(f"{name}_url"))


@pytest.fixture
def wecom() -> FakeWeCom:
    return FakeWeCom()


@pytest.fixture
def kegui(store: str, wecom: FakeWeCom, tmp_path: Path) -> Kegui:
    key = base64.urlsafe_b64encode(bytes(32)).decode()
    return Kegui(
        settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_CORP_ID": "ww1"}),
        cast(Any, wecom),
        Queue(f"sqlite:///{tmp_path / 'queue.db'}"),
        Vault(key),
    )


@cache
def _application() -> APIFlask:
    """Made once for all tests: it is dear to make, and holds nothing but what is bound to it."""
    app = APIFlask("bot.app", docs_path=None, spec_path=None)
    app.config["TESTING"] = True
    api.register(app, cast(Any, None), CAPABILITIES)
    return app


@pytest.fixture
def app(kegui: Kegui) -> APIFlask:
    """The application with the API alone on it; the test's own connection stays open."""
    context.bind(_application(), kegui)
    return _application()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def call(client: FlaskClient, store: str) -> Call:
    """Call as somebody who may do everything."""
    token = create_token("the tests", ["admin"])

    def call(
        method: str, path: str, body: Any = None, *, token: str = token, **headers: str
    ) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(
            f"/api/v1{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {token}", **sent},
        )

    return call


@pytest.fixture
def firm(store: str) -> None:
    """Zhang San, Li Hua and Wang Wu serve; Zhao Liu has left; Mrs Chen knows the first two."""
    for userid, name in (("zhangsan", "张三"), ("lihua", "李华"), ("wangwu", "王五")):
        Staff.create(userid=userid, name=name, departments=[1], serves=True, seen_at=MORNING)
    Staff.create(userid="zhaoliu", name="赵六", status=5, left_at=MORNING, seen_at=MORNING)
    add_customer("wm_chen", "陈女士", "zhangsan", "lihua")


def add_customer(external_userid: str, name: str, *userids: str) -> None:
    Customer.create(external_userid=external_userid, name=name, channel="web", met_at=MORNING)
    for minutes, userid in enumerate(userids):
        Relation.create(
            external_userid=external_userid,
            userid=userid,
            state="active",
            source="event",
            added_at=at(minutes),
            noted_at=at(minutes),
        )


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """Return the problem document of an answer that must be one."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/problem+json"
    body: dict[str, Any] = response.get_json(force=True)
    assert body["status"] == status
    assert body["type"].startswith("urn:kegui:problem:")
    assert body["title"]
    assert body["detail"]
    return body
