"""The environment: read once, from variables or files, and never shown when it is wrong."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from config.settings import PREFIX, Door, Settings, SettingsError, load

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
DATA_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
COMPLETE = {
    "KEGUI_CORP_ID": "ww5823bf96d3bd56c7",
    "KEGUI_AGENT_ID": "1000014",
    "KEGUI_APP_SECRET": "app-secret",
    "KEGUI_CALLBACK_TOKEN": "QDG6eK",
    "KEGUI_CALLBACK_AES_KEY": AES_KEY,
    "KEGUI_DATA_KEY": DATA_KEY,
    "KEGUI_SECRET_KEY": "session-key",
}


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = load({})

    assert settings.wecom_api_base == "https://qyapi.weixin.qq.com"
    assert settings.database_url.get_secret_value() == "sqlite:///var/kegui.db"
    assert settings.inbox_retry_seconds == (1, 5, 30, 120, 600)
    assert (settings.inbox_give_up_hours, settings.handover_lead_hours) == (168, 72)
    assert (settings.welcome_parallel, settings.api_parallel, settings.api_per_second) == (
        64,
        5,
        20,
    )
    assert (settings.bind, settings.timezone) == ("127.0.0.1:8000", "Asia/Shanghai")
    assert (settings.operators, settings.default_capacity) == ((), None)


def test_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEGUI_CORP_ID", "ww_from_the_environment")

    assert load().corp_id == "ww_from_the_environment"


def test_a_given_mapping_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEGUI_CORP_ID", "ww_from_the_environment")

    assert load({}).corp_id == ""


def test_lists_are_split_at_commas() -> None:
    settings = load(
        {
            "KEGUI_OPERATORS": " zhangsan, lihua ,,",
            "KEGUI_TRUSTED_PROXIES": "10.0.0.1,10.0.0.2",
            "KEGUI_INBOX_RETRY_SECONDS": "0.5, 2",
        }
    )

    assert settings.operators == ("zhangsan", "lihua")
    assert settings.trusted_proxies == ("10.0.0.1", "10.0.0.2")
    assert settings.inbox_retry_seconds == (0.5, 2)


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_every_setting_can_stand_in_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "setting"
    path.write_text(f"  {COMPLETE[name]}\n", encoding="utf-8")
    field = name.removeprefix(PREFIX).lower()

    from_file = getattr(load({f"{name}_FILE": str(path)}), field)

    assert from_file == getattr(load({name: COMPLETE[name]}), field)


def test_the_file_goes_before_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from-the-file", encoding="utf-8")

    settings = load({"KEGUI_APP_SECRET": "variable", "KEGUI_APP_SECRET_FILE": str(path)})

    assert settings.app_secret == SecretStr("from-the-file")


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"\xff\xfe\xfd", "it is not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "secret-place"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match="KEGUI_APP_SECRET_FILE") as raised:
        load({"KEGUI_APP_SECRET_FILE": str(path)})

    assert "secret-place" not in str(raised.value)
    assert why in str(raised.value)


def test_an_empty_file_or_variable_is_a_missing_setting(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_text("\n", encoding="utf-8")

    settings = load({**COMPLETE, "KEGUI_APP_SECRET_FILE": str(path), "KEGUI_SECRET_KEY": ""})

    assert settings.missing() == ["KEGUI_APP_SECRET", "KEGUI_SECRET_KEY"]


MALFORMED = [
    ("AGENT_ID", "10OO14"),
    ("CALLBACK_AES_KEY", AES_KEY[:-1]),
    ("CALLBACK_AES_KEY", AES_KEY[:-1] + "!"),
    ("CALLBACK_AES_KEY", AES_KEY + "="),
    ("CONTACTS_CALLBACK_AES_KEY", "tooshort-s3cret"),
    ("ARCHIVE_CALLBACK_AES_KEY", "tooshort-s3cret"),
    ("DATA_KEY", base64.urlsafe_b64encode(bytes(31)).decode()),
    ("DATA_KEY", "钥匙" * 20),
    ("DATA_KEY", "s3cret!!"),
    ("TRANSFER_POLL_SECONDS", "0.0"),
    ("TRANSFER_POLL_SECONDS", "soonish"),
    ("HANDOVER_LEAD_HOURS", "-3.25"),
    ("HANDOVER_LEAD_HOURS", "nan"),
    ("INBOX_RETRY_SECONDS", "1,two"),
    ("INBOX_RETRY_SECONDS", "1,-777"),
    ("INBOX_RETRY_SECONDS", "1,nan"),
    ("INBOX_RETRY_SECONDS", "infinity"),
    ("INBOX_RETRY_SECONDS", " , "),
    ("INBOX_GIVE_UP_HOURS", "infinity"),
    ("INBOX_ARCHIVE_AFTER_DAYS", "0.5"),
    ("INBOX_ARCHIVE_AFTER_DAYS", "infinity"),
    ("WELCOME_PARALLEL", "0000"),
    ("API_PARALLEL", "2.75"),
    ("API_PER_SECOND", "infinity"),
    ("DEFAULT_CAPACITY", "-777"),
    ("TIMEZONE", "Mars/Olympus"),
    ("TIMEZONE", "Asia"),
    ("TIMEZONE", "../../etc/hostname"),
    ("LOG_LEVEL", "CHATTY"),
    ("PUBLIC_URL", "kegui.test"),
    ("CONSOLE_URL", "https://kegui.example.com@evil.example"),
    ("WECOM_API_BASE", "https://evil.example\\.qyapi.weixin.qq.com"),
    ("WECOM_API_BASE", "https://qyapi.weixin.qq.com."),
    ("WECOM_OAUTH_BASE", "https:/\\evil.example"),
    ("WECOM_LOGIN_BASE", "javascript://evil.example/"),
    ("WECOM_JSSDK_URL", "https://evil.example/\t.js"),
    ("SANDBOX", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_setting_is_named_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"KEGUI_{name}: ") as raised:
        load({f"KEGUI_{name}": value})

    shown = f"{raised.value} {raised.value.__cause__}"
    assert value.strip(" ,") in ("", "nan") or value not in shown


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load(
            {
                "KEGUI_AGENT_ID": "x",
                "KEGUI_TIMEZONE": "x",
                "KEGUI_APP_SECRET_FILE": "/does/not/exist",
            }
        )

    for name in ("KEGUI_AGENT_ID", "KEGUI_TIMEZONE", "KEGUI_APP_SECRET_FILE"):
        assert name in str(raised.value)


def test_missing_names_what_workers_wait_for() -> None:
    assert load({}).missing() == list(COMPLETE)
    assert load(COMPLETE).missing() == []


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_missing_names_the_one_that_is_not_there(name: str) -> None:
    without = {key: value for key, value in COMPLETE.items() if key != name}

    assert load(without).missing() == [name]


@pytest.mark.parametrize("door", ["contacts", "archive"])
def test_a_door_without_keys_of_its_own_uses_the_customer_doors(door: Door) -> None:
    assert load(COMPLETE).callback_keys(door) == ("QDG6eK", AES_KEY)


@pytest.mark.parametrize("door", ["contacts", "archive"])
def test_a_doors_own_keys_open_that_door_only(door: Door) -> None:
    own = "A" * 43
    name = f"KEGUI_{door.upper()}_CALLBACK"
    settings = load({**COMPLETE, f"{name}_TOKEN": "own", f"{name}_AES_KEY": own})

    assert settings.callback_keys(door) == ("own", own)
    assert settings.callback_keys("customer") == ("QDG6eK", AES_KEY)


def test_without_keys_there_is_no_door() -> None:
    assert load({}).callback_keys("customer") is None
    assert load({"KEGUI_CALLBACK_TOKEN": "token"}).callback_keys("customer") is None


def test_no_secret_shows_in_a_representation() -> None:
    secrets: dict[str, Any] = {
        **COMPLETE,
        "KEGUI_DATABASE_URL": "postgresql://kegui:pass-word@db/kegui",
        "KEGUI_QUEUE_URL": "redis://:pass-word@queue/0",
        "KEGUI_CONTACTS_SECRET": "contacts-secret",
    }
    shown = repr(load(secrets)) + str(load(secrets)) + str(load(secrets).model_dump())

    for secret in ("app-secret", "QDG6eK", AES_KEY, DATA_KEY, "session-key", "pass-word"):
        assert secret not in shown
    assert "contacts-secret" not in shown


def test_settings_do_not_change_while_running() -> None:
    settings: Settings = load({})

    with pytest.raises(ValidationError):
        settings.corp_id = "other"
