"""Anchors are kept outside of the database every few minutes, and show a log that was cut off."""

import dataclasses
import stat
from pathlib import Path
from typing import Any, cast

import pytest

from bot import db
from bot.audit.log import AuditLog
from bot.jobs.audit import keep_anchors, seal
from bot.kegui import Kegui
from bot.models import Alarm
from bot.reason import in_words
from bot.vault import Vault
from config import settings
from tests.audit.test_log import acts
from tests.jobs.test_alarms import OPERATORS, VAULT, WECOM, open_alarms
from tests.test_cli import Kegui as Command
from tests.test_cli import environment, kegui, network

__all__ = ["environment", "kegui", "network"]


def clock_of(address: object) -> Kegui:
    given = OPERATORS | {"KEGUI_AUDIT_ANCHOR_URL": str(address)}
    return Kegui(settings.load(given), cast(Any, WECOM), cast(Any, None), VAULT)


def lines(folder: Path) -> list[str]:
    return [line for one in sorted(folder.iterdir()) for line in one.read_text().splitlines()]


@pytest.mark.usefixtures("store")
def test_each_end_is_added_once_to_a_private_file(tmp_path: Path) -> None:
    place = tmp_path / "anchors"
    place.mkdir()
    clock = clock_of(place)
    keep_anchors(clock)
    assert lines(place) == []
    for number in range(3):
        acts(1)
        seal(clock)
        keep_anchors(clock)
        keep_anchors(clock)
        assert len(lines(place)) == number + 1

    assert {stat.S_IMODE(one.stat().st_mode) for one in place.iterdir()} == {0o600}
    assert open_alarms() == []


@pytest.mark.usefixtures("store")
def test_a_place_that_is_away_is_an_alarm_until_it_is_there(tmp_path: Path) -> None:
    clock = clock_of(tmp_path / "mounted")
    acts(1)
    seal(clock)
    keep_anchors(clock)
    assert open_alarms() == ["audit_anchors_away"]
    assert "KEGUI_AUDIT_ANCHOR_URL" in in_words(Alarm.get().advice)
    assert str(tmp_path) not in in_words(Alarm.get().reason)

    (tmp_path / "mounted").mkdir()
    keep_anchors(clock)

    assert open_alarms() == []
    assert len(lines(tmp_path / "mounted")) == 1


@pytest.mark.usefixtures("store")
def test_an_address_of_fsspec_is_added_to_as_well() -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    clock = clock_of("memory://anchors")
    for _ in range(2):
        acts(1)
        seal(clock)
        keep_anchors(clock)
        keep_anchors(clock)

    [name] = memory.ls("/anchors", detail=False)
    assert len(memory.cat_file(name).splitlines()) == 2
    assert open_alarms() == []
    memory.rm("/anchors", recursive=True)


def test_the_command_finds_what_was_cut_off_by_what_was_kept(
    kegui: Command, environment: dict[str, str | None], tmp_path: Path
) -> None:
    vault_key = str(environment["KEGUI_DATA_KEY"])
    for name in ("hr", "crm"):
        kegui("token", "create", "--name", name, "--scope", "read")
    clock = dataclasses.replace(clock_of(tmp_path), vault=Vault(vault_key))
    log = AuditLog(Vault(vault_key))
    with db.connection():
        log.seal()
        keep_anchors(clock)
    whole = kegui("audit", "verify", "--anchors", str(tmp_path))
    assert whole.exit_code == 0, whole.output

    [path] = tmp_path.glob("*.jsonl")
    path.write_text(path.read_text().replace('"position": 2', '"position": 9'))
    cut = kegui("audit", "verify", "--anchors", f"file://{tmp_path}")
    assert cut.exit_code == 1
    assert "anchor 9 (position 9) was signed, and the chain ends before it" in cut.stdout
    path.write_text(path.read_text() + path.read_text().replace('"link": "', '"link": "0'))
    differ = kegui("audit", "verify", "--anchors", str(tmp_path))
    assert differ.exit_code == 1
    assert "the anchors of position 9 are not the same" in differ.stderr
    gone = kegui("audit", "verify", "--anchors", str(tmp_path / "none"))
    assert gone.exit_code == 1
    assert "the anchors cannot be read" in gone.stderr
