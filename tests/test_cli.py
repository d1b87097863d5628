"""The kegui command: what each tool prints, and one clear line when it cannot work."""

import base64
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import responses
from click.testing import CliRunner, Result

from bot import clock, db, migrations
from bot.api.auth import SCOPES, digest
from bot.cli import main
from bot.models import ApiToken, Handover, Lease, Staff
from bot.wecom import Pause
from bot.wecom.stores import DatabasePauseStore
from tests.api.conftest import in_days
from tests.wecom.speaking import API, give_token, refuse

Kegui = Callable[..., Result]
MIGRATIONS = [path.stem for path in sorted(migrations.DIRECTORY.glob("0*.py"))]
THE_DAY, LATER = in_days(30), in_days(60)
TOYS = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE toy (id INTEGER)")


def down(migrator, db):
    db.execute_sql("DROP TABLE toy")
"""
LAST_DAY = ("--last-day", THE_DAY)


@pytest.fixture(autouse=True)
def network() -> Iterator[responses.RequestsMock]:
    """What WeCom answers: nobody listens unless the test says so."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def environment(database_url: str, queue_url: str) -> dict[str, str | None]:
    return {
        "KEGUI_DATABASE_URL": database_url,
        "KEGUI_QUEUE_URL": queue_url,
        "KEGUI_WECOM_API_BASE": API,
        "KEGUI_CORP_ID": "ww1",
        "KEGUI_AGENT_ID": "1000014",
        "KEGUI_APP_SECRET": "app-secret-value",
        "KEGUI_CALLBACK_TOKEN": "token",
        "KEGUI_CALLBACK_AES_KEY": "A" * 43,
        "KEGUI_DATA_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
        "KEGUI_SECRET_KEY": "session",
    }


@pytest.fixture
def kegui(environment: dict[str, str | None]) -> Iterator[Kegui]:
    """Runs a command as a terminal would, with this environment and what the test changes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    url = str(environment["KEGUI_DATABASE_URL"])
    db.connect(url)

    def run(*arguments: str, **changed: str | None) -> Result:
        db.database.close_all()
        try:
            return CliRunner().invoke(main, arguments, env={**environment, **changed})
        finally:
            db.database.close_all()
            db.connect(url)

    yield run
    db.database.close_all()
    root.handlers, root.level = handlers, level


def remembered(act: Callable[[], object]) -> object:
    with db.connection():
        return act()


def employ(*userids: str) -> None:
    with db.connection():
        for userid in userids:
            Staff.create(userid=userid, name=userid, serves=True, seen_at=clock.now())


def assert_one_clear_line(result: Result, *texts: str, exit_code: int = 1) -> None:
    assert result.exit_code == exit_code
    assert result.stdout == ""
    [line] = [one for one in result.stderr.splitlines() if one.startswith("Error: ")]
    for text in texts:
        assert text in line
    assert "Traceback" not in result.stderr


def test_help_names_every_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "bot", "--help"], capture_output=True, text=True, check=True
    ).stdout

    for command in (
        "migrate",
        "web",
        "worker",
        "clock",
        "run",
        "sandbox",
        "token",
        "sync",
        "doctor",
    ):
        assert f"  {command} " in shown
    assert "offboard" in shown


def test_migrate_builds_a_new_database_and_says_what_it_did(tmp_path: Path, kegui: Kegui) -> None:
    new = f"sqlite:///{tmp_path / 'new' / 'kegui.db'}"

    first, second = (
        kegui("migrate", KEGUI_DATABASE_URL=new),
        kegui("migrate", KEGUI_DATABASE_URL=new),
    )

    assert (first.exit_code, first.stdout.split()) == (0, MIGRATIONS)
    assert (second.exit_code, second.stdout) == (0, "")


def test_migrate_down_takes_back_one_and_up_brings_it_again(kegui: Kegui) -> None:
    taken, brought = kegui("migrate", "--down"), kegui("migrate")

    assert (taken.exit_code, taken.stdout.split()) == (0, MIGRATIONS[-1:])
    assert (brought.exit_code, brought.stdout.split()) == (0, MIGRATIONS[-1:])


def test_migrate_down_asks_before_it_deletes_rows(
    kegui: Kegui, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = shutil.copytree(migrations.DIRECTORY, tmp_path / "migrations")
    (directory / "9999_toys.py").write_text(TOYS)
    monkeypatch.setattr(migrations, "DIRECTORY", directory)
    kegui("migrate", KEGUI_DATABASE_URL=database_url)
    with db.connection():
        db.database.execute_sql("INSERT INTO toy VALUES (1)")

    unsure = kegui("migrate", "--down")

    assert unsure.exit_code == 1
    assert "toy (1 rows)" in unsure.stderr
    assert migrations.pending() == []

    sure = kegui("migrate", "--down", "--yes")

    assert (sure.exit_code, sure.stdout.split()) == (0, ["9999_toys"])
    assert migrations.pending() == ["9999_toys"]


def test_migrate_uses_the_owners_url(tmp_path: Path, kegui: Kegui) -> None:
    owned, other = tmp_path / "owned.db", tmp_path / "other.db"

    result = kegui(
        "migrate",
        KEGUI_DATABASE_OWNER_URL=f"sqlite:///{owned}",
        KEGUI_DATABASE_URL=f"sqlite:///{other}",
    )

    assert result.exit_code == 0
    assert owned.exists()
    assert not other.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEGUI_AGENT_ID", "s3cret-value"),
        ("KEGUI_CALLBACK_AES_KEY", "s3cret-value"),
        ("KEGUI_LOG_LEVEL", "s3cret-value"),
        ("KEGUI_DATABASE_URL", "mysql://user:s3cret-value@db/kegui"),
    ],
)
def test_a_malformed_setting_ends_with_its_name_and_not_its_value(
    kegui: Kegui, name: str, value: str
) -> None:
    result = kegui("migrate", **{name: value})

    assert_one_clear_line(result, name)
    assert "s3cret-value" not in result.output


def test_token_create_prints_the_token_and_nothing_else(kegui: Kegui) -> None:
    result = kegui("token", "create", "--name", "crm", "--scope", "read", "--scope", "events")

    assert result.exit_code == 0
    [token] = result.stdout.splitlines()
    row = remembered(lambda: ApiToken.get(ApiToken.digest == digest(token)))
    assert isinstance(row, ApiToken)
    assert (row.name, sorted(row.scopes)) == ("crm", ["events", "read"])


def test_an_unknown_scope_makes_no_token_and_names_those_there_are(kegui: Kegui) -> None:
    result = kegui("token", "create", "--name", "crm", "--scope", "read", "--scope", "everything")

    assert_one_clear_line(result, "everything", *SCOPES, exit_code=2)
    assert remembered(lambda: ApiToken.select().count()) == 0


@pytest.mark.parametrize("arguments", [("--name", "crm"), ("--scope", "read")])
def test_a_token_needs_a_name_and_a_scope(kegui: Kegui, arguments: tuple[str, ...]) -> None:
    assert_one_clear_line(kegui("token", "create", *arguments), "Missing option", exit_code=2)


def test_offboard_opens_one_case_and_prints_its_number(kegui: Kegui) -> None:
    employ("zhangsan", "lihua")

    first = kegui("offboard", "zhangsan", *LAST_DAY, "--successor", "lihua")
    second = kegui("offboard", "zhangsan", "--last-day", LATER, "--auto")

    assert (first.exit_code, second.exit_code) == (0, 0)
    [case] = [remembered(lambda: Handover.get())]
    assert isinstance(case, Handover)
    assert first.stdout.startswith(f"{case.id} opened: ")
    assert second.stdout.startswith(f"{case.id} was open already: ")
    assert (case.userid, str(case.last_day), case.mode) == ("zhangsan", THE_DAY, "approve")
    assert (case.successors, case.source) == (["lihua"], "cli")


def test_a_userid_in_other_letters_is_the_same_member(kegui: Kegui) -> None:
    early = kegui("user", "grant", "ZhangSan", "auditor")
    employ("zhangsan", "lihua")

    assert kegui("offboard", "ZhangSan", *LAST_DAY, "--successor", "LiHua").exit_code == 0
    granted = kegui("user", "grant", "ZHANGSAN", "hr")

    case = remembered(lambda: Handover.get())
    assert isinstance(case, Handover)
    assert (case.userid, case.successors) == ("zhangsan", ["lihua"])
    assert (early.exit_code, granted.stdout) == (0, "zhangsan is hr\n")
    # One that was given before the member was known can be taken back as it was given.
    for typed, role in (("ZhangSan", "auditor"), ("ZhangSan", "hr")):
        assert kegui("user", "revoke", typed, role).exit_code == 0
    assert kegui("user", "list").stdout == ""


def test_offboard_auto_needs_no_approval(kegui: Kegui) -> None:
    employ("zhangsan")

    assert kegui("offboard", "zhangsan", *LAST_DAY, "--auto").exit_code == 0

    assert remembered(lambda: Handover.get().mode) == "auto"


def test_offboard_of_somebody_unknown_opens_nothing(
    kegui: Kegui, network: responses.RequestsMock
) -> None:
    give_token(network)
    refuse(network, "user/get", 60111, method="GET")

    assert_one_clear_line(kegui("offboard", "nobody", *LAST_DAY), "no member nobody")
    assert remembered(lambda: Handover.select().count()) == 0


def test_offboard_with_an_unfit_successor_opens_nothing_and_says_why(kegui: Kegui) -> None:
    employ("zhangsan")

    result = kegui("offboard", "zhangsan", *LAST_DAY, "--successor", "zhangsan")

    assert_one_clear_line(result, "successor zhangsan", "is the member who hands over")
    assert remembered(lambda: Handover.select().count()) == 0


@pytest.mark.parametrize("mode", [(), ("--auto",)])
@pytest.mark.parametrize("last_day", ["0001-01-01", "0202-12-31", "9999-12-31", in_days(-367)])
def test_a_last_day_that_nobody_can_mean_is_refused_as_the_api_refuses_it(
    kegui: Kegui, last_day: str, mode: tuple[str, ...]
) -> None:
    employ("zhangsan")

    result = kegui("offboard", "zhangsan", "--last-day", last_day, *mode)

    assert_one_clear_line(result, "--last-day", last_day, "too far", exit_code=2)
    assert remembered(lambda: Handover.select().count()) == 0


@pytest.mark.parametrize("userid", ["", "x" * 65])
@pytest.mark.parametrize(
    "arguments",
    [
        ("offboard", "{}", *LAST_DAY),
        ("offboard", "zhangsan", *LAST_DAY, "--successor", "{}"),
        ("user", "grant", "{}", "hr"),
        ("rename-member", "{}", "zhangsan"),
        ("rename-member", "zhangsan", "{}"),
    ],
)
def test_a_userid_that_the_api_refuses_is_refused_here_too(
    kegui: Kegui, arguments: tuple[str, ...], userid: str
) -> None:
    employ("zhangsan")

    result = kegui(*(one.format(userid) for one in arguments))

    assert_one_clear_line(result, "a userid has 1 to 64 characters", exit_code=2)


def test_more_successors_than_the_api_takes_are_refused(kegui: Kegui) -> None:
    employ("zhangsan")
    many = [part for n in range(101) for part in ("--successor", f"heir_{n}")]

    result = kegui("offboard", "zhangsan", *LAST_DAY, *many)

    assert_one_clear_line(result, "--successor", "100 at the most", exit_code=2)


@pytest.mark.parametrize("days", [-366, -1, 0, 400])
def test_a_last_day_within_a_year_is_taken(kegui: Kegui, days: int) -> None:
    employ("zhangsan")

    assert kegui("offboard", "zhangsan", "--last-day", in_days(days)).exit_code == 0


@pytest.mark.parametrize("last_day", ["tomorrow", "2026-02-30", "31.12.2026"])
def test_a_last_day_that_is_no_date_is_refused(kegui: Kegui, last_day: str) -> None:
    result = kegui("offboard", "zhangsan", "--last-day", last_day)

    assert_one_clear_line(result, "--last-day", exit_code=2)


@pytest.mark.parametrize("arguments", [("sync",), ("offboard", "zhangsan", *LAST_DAY)])
def test_without_a_complete_configuration_what_is_missing_is_named(
    kegui: Kegui, arguments: tuple[str, ...]
) -> None:
    result = kegui(*arguments, KEGUI_APP_SECRET=None, KEGUI_AGENT_ID=None)

    assert_one_clear_line(result, "KEGUI_AGENT_ID, KEGUI_APP_SECRET")


def test_sync_says_that_wecom_cannot_be_reached_without_its_secrets(kegui: Kegui) -> None:
    result = kegui("sync")

    assert_one_clear_line(result, "WeCom stopped the reading", "the same command goes on")
    assert "app-secret-value" not in result.output


def test_two_syncs_do_not_read_at_once(kegui: Kegui) -> None:
    with db.connection():
        Lease.create(name="sync", holder="other", until=clock.now() + timedelta(minutes=1))

    assert_one_clear_line(kegui("sync"), "another process is reading")


def test_pauses_are_listed_and_lifted_by_name(kegui: Kegui) -> None:
    until = clock.now() + timedelta(hours=1)
    remembered(lambda: DatabasePauseStore().set(Pause("app", "user/get", until, "no ip", 60020)))

    listed = kegui("pauses", "list")
    assert listed.exit_code == 0
    assert "app user/get\tuntil" in listed.output
    assert "60020\tno ip" in listed.output

    assert kegui("pauses", "lift", "app user/get").output == "lifted; 0 events waited for it\n"
    pause = remembered(lambda: DatabasePauseStore().get("app", "user/get"))
    assert cast(Pause, pause).until <= clock.now()


def test_a_pause_that_is_not_there_cannot_be_lifted(kegui: Kegui) -> None:
    assert_one_clear_line(kegui("pauses", "lift", "app user/get"), "kegui pauses list")
