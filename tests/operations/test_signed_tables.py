"""What compliance signs is held against WeCom's limits: at the start, by readyz, by the doctor."""

import copy
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import config
from bot import db
from bot.cli import main
from bot.operations import signed_tables
from config.settings import PREFIX
from tests.operations.test_health import COMPLETE, client

TABLES = ("notices", "allocation", "products", "work_calendar")
Table = dict[str, Any]
Plant = Callable[[Table], object]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Plant], None]:
    """Let a table be another one."""

    def plant(name: str, change: Plant) -> None:
        changed = copy.deepcopy(config.table(name))
        change(changed)
        other = {**{one: config.table(one) for one in TABLES}, name: changed}
        monkeypatch.setattr(signed_tables, "table", other.__getitem__)

    return plant


def put(place: str, value: Any) -> Plant:
    section, name = place.split(".")
    return lambda table: table[section].update({name: value})


def test_the_tables_that_are_shipped_fit() -> None:
    assert signed_tables.misfits() == []


LONG = "好" * 1334  # 4,002 bytes
UNFIT: list[tuple[str, Plant, str]] = [
    ("notices", put("consent.text", LONG), "[consent] text: 4002 bytes, WeCom takes 4000"),
    ("notices", put("consent.text", "  "), "[consent] text: a text is needed"),
    ("notices", put("consent.text", 7), "[consent] text: a text is needed"),
    ("notices", put("consent.version", ""), "[consent] version: a text of 1 to 32"),
    ("notices", lambda table: table.pop("consent"), "[consent] text: a text is needed"),
    ("notices", put("alarm.text", "好" * 683), "[alarm] text: 2049 bytes, WeCom takes 2048"),
    ("notices", put("digest.wording", "好" * 660), "[digest] text + wording: 2"),
    ("notices", put("conflict.owner", "{customre}"), "[conflict] owner: nothing is known"),
    ("notices", put("conflict.owner", "{customer"), "[conflict] owner: braces"),
    ("notices", put("approval.approve", "同" * 11), "[approval] approve: 11 characters"),
    ("notices", put("approval.leaver", "离职的成员是"), "[approval] leaver: 6 characters"),
    ("notices", put("digest.gap_after_seconds", "60"), "[digest] gap_after_seconds: no number"),
    ("products", lambda table: table.pop("version"), "version: a text of 1 to 32"),
    ("products", lambda table: table["product"].update(x={}), "[product]: no product"),
    ("work_calendar", put("work.from", "9 o'clock"), "cannot be read"),
]


@pytest.mark.parametrize(("name", "change", "said"), UNFIT, ids=[one[2] for one in UNFIT])
def test_what_does_not_fit_is_named(
    plant: Callable[[str, Plant], None], name: str, change: Plant, said: str
) -> None:
    plant(name, change)

    found = [str(one) for one in signed_tables.misfits()]

    assert any(re.match(f"config/{name}.toml:? {re.escape(said)}", one) for one in found), found


def test_a_rule_that_nobody_understands_is_named_by_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = config.text("allocation").replace("transfer", "trasnfer")
    monkeypatch.setattr(signed_tables, "text", lambda _name: written)

    [found] = map(str, signed_tables.misfits())

    line = next(number for number, one in enumerate(written.splitlines(), 1) if one[:4] == "tras")
    assert found.startswith(f"config/allocation.toml line {line}: there is no key 'trasnfer'")


def test_a_notice_of_4000_bytes_fits(plant: Callable[[str, Plant], None]) -> None:
    plant("notices", put("consent.text", "好" * 1333 + "a"))

    assert signed_tables.misfits() == []


def test_a_file_that_is_no_toml_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "notices.toml").write_text("[consent", encoding="utf-8")
    monkeypatch.setattr(config, "__file__", str(tmp_path / "__init__.py"))
    config.table.cache_clear()

    found = [str(one) for one in signed_tables.misfits()]

    config.table.cache_clear()
    assert found[0].startswith("config/notices.toml: no TOML")
    assert found[1] == "config/allocation.toml: is not there"


def test_readyz_names_a_notice_that_wecom_would_refuse(
    sqlite_url: str, plant: Callable[[str, Plant], None]
) -> None:
    plant("notices", put("consent.text", LONG))

    answer = client(COMPLETE, sqlite_url).get("/readyz")
    db.database.close_all()

    assert answer.status_code == 503
    missing = ["config/notices.toml [consent] text: 4002 bytes, WeCom takes 4000"]
    assert answer.json == {"status": "not ready", "missing": missing}


@pytest.mark.parametrize("command", ["worker", "clock"])
def test_a_process_that_would_send_it_does_not_begin_and_says_why(
    sqlite_url: str,
    plant: Callable[[str, Plant], None],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    plant("notices", put("consent.text", LONG))

    class Waited(Exception):
        pass

    def waits(*_: object) -> None:
        raise Waited

    monkeypatch.setattr(threading.Event, "wait", waits)
    environment = {**COMPLETE, f"{PREFIX}DATABASE_URL": sqlite_url}

    result = CliRunner().invoke(main, [command], env=environment)
    db.database.close_all()

    assert isinstance(result.exception, Waited)
    assert "[consent] text: 4002 bytes, WeCom takes 4000" in result.output
