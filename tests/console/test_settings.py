"""设置: what is set, and nothing that must stay secret."""

import re
from dataclasses import replace

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import migrations
from bot.allocation import rule_sets
from bot.console.operations import settings as screen
from bot.console.operations.settings import GROUPS, without_password
from bot.models import Department
from bot.rights import Role
from bot.staff.names import Names
from config import settings, table
from config.settings import PREFIX, Settings
from tests.console.conftest import COMPLETE, add_person, log_in
from tests.console.test_every_page import queries_of

pytestmark = pytest.mark.usefixtures("database")
# Secrets that are found if they are anywhere.
SECRETS = {
    "ARCHIVE_PROXY": "http://kegui:53cr3t@proxy.internal:3128",
    "APP_SECRET": "app-53cr3t",
    "CONTACTS_SECRET": "contacts-53cr3t",
    "ARCHIVE_SECRET": "archive-53cr3t",
    "CALLBACK_TOKEN": "callback-53cr3t",
    "CALLBACK_AES_KEY": "k" * 43,
    "CONTACTS_CALLBACK_TOKEN": "contacts-callback-53cr3t",
    "CONTACTS_CALLBACK_AES_KEY": "l" * 43,
    "ARCHIVE_CALLBACK_TOKEN": "archive-callback-53cr3t",
    "ARCHIVE_CALLBACK_AES_KEY": "m" * 43,
    "DATA_KEY_PREVIOUS": f"{'p' * 43}=",
    "SECRET_KEY": "session-53cr3t",
    "DATABASE_URL": "postgresql://kegui_app:db-53cr3t@db.internal:5432/kegui?password=more-53cr3t",
    "DATABASE_OWNER_URL": "postgresql://kegui:owner-53cr3t@db.internal/kegui",
    "QUEUE_URL": "redis://:queue-53cr3t@redis.internal:6379/0",
    "AUDIT_ANCHOR_URL": "sftp://kegui:anchors-53cr3t@keeper.internal/anchors",
}


def set_up(app: APIFlask, **changed: str) -> Settings:
    """Let the console serve an installation with these settings."""
    loaded = settings.load(COMPLETE | {PREFIX + name: value for name, value in changed.items()})
    app.extensions["console"] = replace(app.extensions["console"], settings=loaded)
    return loaded


def text_of(client: FlaskClient, path: str = "/settings") -> str:
    return client.get(path).get_data(as_text=True)


def line(text: str, name: str) -> str:
    """What the page says of a setting."""
    [found] = [
        part
        for part in text.split('<div class="setting">')[1:]
        if f"<code>{PREFIX}{name}</code>" in part
    ]
    return found.partition("</div>\n</div>")[0]


def test_no_secret_is_anywhere_on_the_page(client: FlaskClient, app: APIFlask) -> None:
    loaded = set_up(app, **SECRETS)
    assert loaded.data_key is not None

    for language in ("zh", "en"):
        text = text_of(client, f"/settings?lang={language}")
        assert "53cr3t" not in text
        for secret in ("k" * 43, "l" * 43, "m" * 43, loaded.data_key.get_secret_value()):
            assert secret not in text


def test_a_secret_says_only_whether_it_is_set(client: FlaskClient, app: APIFlask) -> None:
    set_up(app, APP_SECRET="app-53cr3t")

    text = text_of(client)

    assert "已设置" in line(text, "APP_SECRET")
    assert "未设置" in line(text, "ARCHIVE_SECRET")


def test_every_setting_is_shown_with_what_it_means(client: FlaskClient) -> None:
    described = [name for texts in GROUPS.values() for name in texts]
    text = text_of(client)

    assert sorted(described) == sorted(Settings.model_fields)
    for texts in GROUPS.values():
        for name, (title, meaning) in texts.items():
            assert str(title) in line(text, name.upper())
            assert str(meaning) in line(text, name.upper())


def test_a_secret_of_tomorrow_is_masked_without_being_named_here() -> None:
    names: list[str] = [
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ]
    loaded = settings.load(COMPLETE | {PREFIX + name: value for name, value in SECRETS.items()})

    for name in names:
        shown = screen.shown(loaded, name, _any_text(), Names())
        assert "53cr3t" not in shown.value
        assert shown.is_secret or name in screen.ADDRESSES


def test_what_differs_from_the_default_is_marked(client: FlaskClient, app: APIFlask) -> None:
    set_up(app, SESSION_HOURS="8")

    text = text_of(client)

    assert "已更改" in line(text, "SESSION_HOURS")
    assert ">8<" in line(text, "SESSION_HOURS")
    assert "默认" in line(text, "SESSION_IDLE_MINUTES")


def test_databases_and_queue_say_where_they_are(client: FlaskClient, app: APIFlask) -> None:
    set_up(app, **SECRETS)

    text = text_of(client)

    assert "postgresql://db.internal:5432/kegui" in line(text, "DATABASE_URL")
    assert "redis://redis.internal:6379/0" in line(text, "QUEUE_URL")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///var/kegui.db", "sqlite:///var/kegui.db"),
        ("postgresql://kegui@db/kegui", "postgresql://db/kegui"),
        ("postgresql://u:p@db:5432/kegui?sslpassword=s", "postgresql://db:5432/kegui"),
        ("redis://secret@redis/0", "redis://redis/0"),
        ("postgresql://u:12/34@db/kegui", None),
        ("postgresql://u:12#34@db/kegui", None),
        ("postgresql://u:12?34@db/kegui", None),
        ("postgresql://u:pa/ss@db/kegui", None),
        ("postgresql://u:p@[db/kegui", None),
    ],
)
def test_an_address_loses_its_password_or_is_not_shown(url: str, shown: str | None) -> None:
    assert without_password(url) == shown


def test_operators_are_shown_by_name(client: FlaskClient, app: APIFlask) -> None:
    add_person("lihua", "李华")
    set_up(app, OPERATORS="lihua,unknown")

    assert "李华 (lihua)、unknown" in line(text_of(client), "OPERATORS")


def test_running_beside_the_sandbox_is_said_aloud(client: FlaskClient, app: APIFlask) -> None:
    set_up(app, SANDBOX="1")
    assert "切勿用于真实客户" in text_of(client)

    set_up(app, SANDBOX="0")
    assert "切勿用于真实客户" not in text_of(client)


def test_pending_migrations_are_named(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "已是最新" in text_of(client)

    monkeypatch.setattr(migrations, "pending", lambda: ["0099_more"])

    assert "0099_more" in text_of(client)
    assert "待迁移 1 项" in text_of(client)


def test_the_tables_that_compliance_signs_off_are_shown_with_their_versions(
    client: FlaskClient,
) -> None:
    text = text_of(client, "/settings/tables")

    for section in table("notices").values():
        assert f"版本 {section['version']}" in text
    assert "您好，感谢您添加我为好友！" in text
    assert "成员添加的客户归添加人" in text
    assert "全部渠道" in text


def test_a_rule_names_its_departments_and_members(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    Department.create(id=7, name="财富管理部")
    add_person("lihua", "李华")
    body = """
        version = "9"
        [[rule]]
        name = "官网"
        channels = ["web*"]
        departments = [7]
        userids = ["lihua"]
        transfer = true
    """
    monkeypatch.setattr(rule_sets, "text", lambda _name: body)

    text = text_of(client, "/settings/tables")

    for said in ("版本 9", "官网", "web*", "财富管理部", "李华", "转给规则内客户最少的成员"):
        assert said in text


def test_who_may_not_see_the_settings_gets_no_page(client: FlaskClient) -> None:
    add_person("chenmin", "陈敏", Role.COMPLIANCE_OFFICER)
    log_in(client, "chenmin", stepped_up=True)

    assert client.get("/settings").status_code == 403


def test_the_pages_take_few_queries(client: FlaskClient) -> None:
    assert queries_of(client, "/settings") < 12
    assert queries_of(client, "/settings/tables") < 12


def test_the_settings_are_english_for_who_reads_english(client: FlaskClient) -> None:
    text = text_of(client, "/settings?lang=en")

    for theirs in ("中文", "客规"):
        text = text.replace(theirs, "")
    assert not re.findall("[\u4e00-\u9fff]+", text)


def _any_text() -> screen.Text:
    return next(iter(next(iter(GROUPS.values())).values()))
