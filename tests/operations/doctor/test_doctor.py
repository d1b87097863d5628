"""The doctor names each planted misconfiguration, says what to do, and leaves the rest green."""

import base64
import copy
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import config
from bot import clock, db
from bot.models import EndpointPause
from bot.operations import signed_tables
from bot.operations.doctor.words import CHECKS, SENTENCES
from tests.operations.doctor.conftest import Patient

PERMISSION = {"no_permission"}


def new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def aes_key() -> str:
    return secrets.token_hex(21) + "A"


def test_a_healthy_installation_is_all_green(patient: Patient) -> None:
    report = patient.examine()

    assert (report.failed, report.warnings, report.exit_code) == ({}, {}, 0)
    assert {row["check"] for row in report.rows} == set(CHECKS)
    assert report.with_status("not checked") == {"message": "needs"}


def test_it_only_reads_unless_it_is_asked_to_send(patient: Patient) -> None:
    patient.examine()
    assert patient.sandbox.get("/sandbox/executed")["executed"] == []

    report = patient.examine("--send-to", "zhangsan")

    assert report.row("message")["status"] == "ok"
    assert [row["recipient"] for row in patient.stack.executed("app_message")] == ["zhangsan"]


def test_each_secret_is_asked_with_once(patient: Patient) -> None:
    patient.examine()

    assert patient.calls("gettoken") == 3


def test_a_notice_that_wecom_would_refuse_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = copy.deepcopy(config.table("notices"))
    notices["consent"]["text"] = "好" * 1400
    monkeypatch.setattr(
        signed_tables, "table", lambda name: notices if name == "notices" else config.table(name)
    )

    report = patient.examine()

    assert (report.failed, report.exit_code) == ({"signed tables": "table_unfit"}, 1)
    assert (
        "[consent] text：4200 字节，企业微信最多 4000 字节" in report.row("signed tables")["seen"]
    )


Plant = Callable[[Patient], None]
# What is planted in the platform, which check finds it as what, and a word of the advice.
PLATFORM: list[tuple[str, Plant, dict[str, str], str]] = [
    (
        "a disabled app",
        lambda one: one.app(enabled=False),
        {"app token": "app_disabled"},
        "启用",
    ),
    (
        "an untrusted address",
        lambda one: one.app(trusted_ips=["203.0.113.7"]),
        {"address": "untrusted_ip"},
        "127.0.0.1",
    ),
    (
        "no 客户联系 at all",
        lambda one: one.app(forbidden=["externalcontact/*"]),
        {
            "follow users": "no_permission",
            "contact ways": "no_permission",
            "unassigned": "no_permission",
        },
        "可调用接口的应用",
    ),
    (
        "no contact ways",
        lambda one: one.app(forbidden=["externalcontact/*contact_way"]),
        {"contact ways": "no_permission"},
        "联系我",
    ),
    (
        "no groups",
        lambda one: one.app(forbidden=["externalcontact/groupchat/*"]),
        {"groups": "no_permission"},
        "接口权限",
    ),
    (
        "no handover of leavers",
        lambda one: one.app(forbidden=["externalcontact/get_unassigned_list"]),
        {"unassigned": "no_permission"},
        "分配在职或离职成员的客户",
    ),
    (
        "no reading of members",
        lambda one: one.app(forbidden=["user/get"]),
        {"members": "no_permission", "operators": "no_permission"},
        "接口权限",
    ),
    (
        "another app's secret",
        lambda one: one.app(agent_id=1000099),
        {"agent": "wrong_agent_id"},
        "AgentId",
    ),
    (
        "a clock that is off",
        lambda one: one.sandbox.patch("/sandbox/switches", date_offset_seconds=95),
        {"clock": "clock_off"},
        "NTP",
    ),
    (
        "nobody with 客户联系",
        lambda one: one.sandbox.post(
            "/sandbox/staff",
            staff=[
                {"userid": userid, "follow": False} for userid in ("zhangsan", "lisi", "wangwu")
            ],
        ),
        {"follow users": "no_follow_users"},
        "使用范围",
    ),
    (
        "an operator who is not active",
        lambda one: one.sandbox.patch("/sandbox/staff/manager", status=4),
        {"operators": "operator_inactive"},
        "KEGUI_OPERATORS",
    ),
    (
        "an operator outside the visible range",
        lambda one: one.sandbox.patch("/sandbox/staff/manager", visible=False),
        {"operators": "operator_unknown"},
        "可见范围",
    ),
    (
        "an archive that was not opened",
        lambda one: one.sandbox.patch("/sandbox/switches", archive_service="off"),
        {"archive": "archive_off"},
        "开通",
    ),
    (
        "an untrusted address of the archive's secret",
        lambda one: one.app("archive", trusted_ips=["203.0.113.7"]),
        {"archive": "untrusted_ip"},
        "企业可信IP",
    ),
    (
        "another contacts secret",
        lambda one: one.app("contacts", secret=secrets.token_hex(16)),
        {"contacts token": "wrong_secret"},
        "KEGUI_CONTACTS_SECRET",
    ),
]


@pytest.mark.parametrize(
    ("plant", "found", "advice"), [row[1:] for row in PLATFORM], ids=[row[0] for row in PLATFORM]
)
def test_what_is_wrong_at_wecom_is_named(
    patient: Patient, plant: Plant, found: dict[str, str], advice: str
) -> None:
    plant(patient)

    report = patient.examine()

    assert report.failed == found
    assert report.exit_code == 1
    assert all(advice in report.row(check)["what_to_do"] for check in found)


def test_an_empty_visible_range_is_named(patient: Patient) -> None:
    userids = ("zhangsan", "lisi", "wangwu", "manager")
    patient.sandbox.post(
        "/sandbox/staff", staff=[{"userid": userid, "visible": False} for userid in userids]
    )

    report = patient.examine()

    assert report.failed == {
        "visible range": "empty_range",
        "follow users": "no_follow_users",
        "operators": "operator_unknown",
    }
    assert report.warnings == {"departments": "no_departments"}


SETTINGS: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    (
        "malformed settings",
        {"KEGUI_AGENT_ID": "one", "KEGUI_TIMEZONE": "Mars"},
        {"settings": "malformed"},
        "更正",
    ),
    (
        "a setting that is not set",
        {"KEGUI_AGENT_ID": None},
        {"settings": "missing"},
        "worker",
    ),
    ("a short session key", {"KEGUI_SECRET_KEY": "secret"}, {"keys": "weak_keys"}, "随机"),
    (
        "production beside the sandbox",
        {"KEGUI_ENV": "production"},
        {"sandbox": "sandbox_in_production"},
        "KEGUI_SANDBOX",
    ),
    (
        "no reverse proxy",
        {"KEGUI_BIND": "0.0.0.0:8000"},
        {"reverse proxy": "no_proxy"},
        "KEGUI_TRUSTED_PROXIES",
    ),
    ("another data key", {"KEGUI_DATA_KEY": new_key()}, {"data key": "data_key_changed"}, "原来"),
    (
        "no queue",
        {"KEGUI_QUEUE_URL": "redis://127.0.0.1:1/0"},
        {"queue": "queue_unreachable"},
        "KEGUI_QUEUE_URL",
    ),
    (
        "an unknown operator",
        {"KEGUI_OPERATORS": "manager,nobody"},
        {"operators": "operator_unknown"},
        "可见范围",
    ),
    (
        "another token at the door",
        {"KEGUI_CALLBACK_TOKEN": "another-token-than-webs"},
        {"customer door": "door_wrong_token"},
        "KEGUI_CALLBACK_TOKEN",
    ),
    (
        "another key at the door",
        {"KEGUI_ARCHIVE_CALLBACK_AES_KEY": aes_key()},
        {"archive door": "door_wrong_key"},
        "KEGUI_ARCHIVE_CALLBACK_AES_KEY",
    ),
    (
        "a wrong corp id",
        {"KEGUI_CORP_ID": "ww0000000000000000"},
        {
            "app token": "wrong_corp_id",
            "customer door": "door_wrong_corp_id",
            "contacts door": "door_wrong_corp_id",
            "archive door": "door_wrong_corp_id",
        },
        "KEGUI_CORP_ID",
    ),
    (
        "no way to the doors",
        {"KEGUI_PUBLIC_URL": "http://127.0.0.1:1"},
        {
            "customer door": "door_unreachable",
            "contacts door": "door_unreachable",
            "archive door": "door_unreachable",
            "domain file": "domain_file_not_served",
        },
        "web",
    ),
    (
        "a file that is not there",
        {"KEGUI_DOMAIN_VERIFY_FILE": "/nowhere/WW_verify_x.txt"},
        {"domain file": "domain_file_unreadable"},
        "KEGUI_DOMAIN_VERIFY_FILE",
    ),
]


@pytest.mark.parametrize(
    ("change", "found", "advice"),
    [row[1:] for row in SETTINGS],
    ids=[row[0] for row in SETTINGS],
)
def test_what_is_wrong_in_the_settings_is_named(
    patient: Patient, change: dict[str, Any], found: dict[str, str], advice: str
) -> None:
    # A stored token is what the data key has to open.
    patient.examine()

    report = patient.examine(**change)

    assert report.failed == found
    assert report.exit_code == 1
    assert all(advice in report.row(check)["what_to_do"] for check in found)


def test_malformed_settings_are_named_and_the_others_still_used(patient: Patient) -> None:
    report = patient.examine(KEGUI_AGENT_ID="one", KEGUI_API_PARALLEL="-3")

    assert report.row("settings")["facts"]["names"] == "KEGUI_AGENT_ID, KEGUI_API_PARALLEL"
    assert report.row("customers")["status"] == "ok"
    assert report.row("agent")["facts"]["because"] == "KEGUI_AGENT_ID"


def test_equal_keys_are_named(patient: Patient) -> None:
    key = patient.environment["KEGUI_DATA_KEY"]

    report = patient.examine(KEGUI_SECRET_KEY=key)

    assert report.failed == {"keys": "equal_keys"}


def test_a_domain_file_that_the_web_process_does_not_serve(
    patient: Patient, tmp_path: Path
) -> None:
    new = tmp_path / "WW_verify_new.txt"
    new.write_text("new")

    report = patient.examine(KEGUI_DOMAIN_VERIFY_FILE=str(new))

    assert report.failed == {"domain file": "domain_file_not_served"}
    assert report.row("domain file")["facts"]["status"] == 404


def test_a_wrong_secret_is_asked_with_once_and_then_waits(patient: Patient) -> None:
    wrong = {"KEGUI_APP_SECRET": "another-secret-than-wecoms"}
    first = patient.examine(**wrong)
    asked = patient.calls("gettoken")

    second = patient.examine(**wrong)

    assert first.failed == {"app token": "wrong_secret"}
    assert second.failed == {"app token": "paused"}
    # The two other secrets only.
    assert patient.calls("gettoken") == asked + 2
    assert first.row("customers")["facts"]["because"] == "app token"


def test_a_corrected_secret_ends_the_pause(patient: Patient) -> None:
    patient.examine(KEGUI_APP_SECRET="another-secret-than-wecoms")
    assert patient.examine().failed == {"app token": "paused"}

    corrected = patient.examine("--retry-secrets")

    assert (corrected.failed, corrected.exit_code) == ({}, 0)
    assert patient.examine().failed == {}


def test_a_ban_is_no_wrong_secret(patient: Patient) -> None:
    patient.sandbox.post("/sandbox/faults", endpoint="gettoken", errcode=45009)

    report = patient.examine()

    assert report.failed["app token"] == "banned"
    assert "一小时" in report.row("app token")["what_to_do"]


def test_what_it_finds_forbidden_begins_no_pause(patient: Patient) -> None:
    patient.app(forbidden=["externalcontact/get_unassigned_list"])
    patient.examine()
    patient.app(forbidden=[])

    assert patient.examine().failed == {}
    db.connect(patient.environment["KEGUI_DATABASE_URL"])
    with db.connection():
        assert EndpointPause.select().count() == 0


def test_it_asks_although_the_processes_pause_after_a_missing_permission(patient: Patient) -> None:
    db.connect(patient.environment["KEGUI_DATABASE_URL"])
    with db.connection():
        EndpointPause.create(
            name="app agent/get",
            secret_name="app",
            endpoint="agent/get",
            until=clock.now() + timedelta(minutes=5),
            reason="api forbidden",
            errcode=48002,
        )

    assert patient.examine().row("agent")["status"] == "ok"


def test_wecom_away_leaves_the_rest_checked(patient: Patient) -> None:
    report = patient.examine(KEGUI_WECOM_API_BASE="http://127.0.0.1:1")

    assert report.failed == {"platform": "platform_unreachable"}
    assert report.row("app token")["facts"]["because"] == "platform"
    assert report.row("customer door")["status"] == "ok"
    assert report.row("database")["status"] == "ok"


def test_a_platform_that_answers_nonsense_is_no_traceback(patient: Patient) -> None:
    patient.sandbox.post(
        "/sandbox/faults",
        endpoint="externalcontact/list_contact_way",
        body="<html>",
        http_status=502,
    )

    assert patient.examine().failed == {"contact ways": "no_answer"}


@pytest.mark.parametrize(
    "url",
    ["postgresql://kegui:a-password-nobody-sees@127.0.0.1:1/kegui", "sqlite:////proc/none/x.db"],
)
def test_a_database_away_leaves_the_rest_checked(patient: Patient, url: str) -> None:
    report = patient.examine(KEGUI_DATABASE_URL=url)

    assert report.failed == {"database": "database_unreachable"}
    assert report.row("migrations")["facts"]["because"] == "database"
    assert report.row("customers")["status"] == "ok"
    assert "a-password-nobody-sees" not in str(report.rows)


def test_a_new_database_asks_for_the_migrations(patient: Patient, tmp_path: Path) -> None:
    report = patient.examine(KEGUI_DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}")

    assert report.failed == {"migrations": "migrations_pending"}
    assert report.row("migrations")["what_to_do"] == "请执行 kegui migrate"


def test_it_works_with_a_corp_id_and_one_token_and_key(patient: Patient) -> None:
    needed = {"CORP_ID", "CALLBACK_TOKEN", "CALLBACK_AES_KEY", "PUBLIC_URL", "WECOM_API_BASE"}
    needed |= {"DATABASE_URL", "SANDBOX"}
    names = {f"KEGUI_{name}" for name in needed}
    gone = {name: None for name in patient.environment if name not in names}

    report = patient.examine(**gone)

    assert report.failed["settings"] == "missing"
    assert report.row("customer door")["status"] == "ok"
    assert report.row("app token")["facts"]["because"] == "KEGUI_APP_SECRET"
    assert report.row("archive token")["facts"]["because"] == "KEGUI_ARCHIVE_SECRET"


def test_people_read_one_line_for_each_check_in_their_language(patient: Patient) -> None:
    patient.app(trusted_ips=["203.0.113.7"])

    code, chinese = patient.run()
    _, english = patient.run("--lang", "en")

    assert code == 1
    assert len(chinese.splitlines()) == len(english.splitlines()) == len(CHECKS)
    [line] = [one for one in chinese.splitlines() if one.startswith("[失败]")]
    assert "可信 IP" in line
    assert "127.0.0.1" in line
    [line] = [one for one in english.splitlines() if one.startswith("[failed]")]
    assert "Add 127.0.0.1 to the app's 企业可信IP" in line


def test_no_advice_is_missing_in_either_language() -> None:
    for problem, sentence in SENTENCES.items():
        if problem not in ("ok", "needs"):
            assert all(sentence.seen), problem
            assert all(sentence.to_do), problem
