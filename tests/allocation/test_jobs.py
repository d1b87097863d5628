"""What the clock tells of: licences that end soon, years that the work calendar lacks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock, db
from bot.allocation import gaps
from bot.kegui import Kegui
from bot.models import Alarm, Staff
from bot.queue import Queue
from bot.reason import in_words
from bot.staff import expiry
from bot.vault import Vault
from config import settings
from tests.conftest import DATA_KEY


@pytest.fixture
def kegui(sqlite_store: str, tmp_path: Path) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": sqlite_store, "KEGUI_CORP_ID": "ww1"})
    queue = Queue(f"sqlite:///{tmp_path / 'queue.db'}")
    return Kegui(loaded, cast(Any, object()), queue, Vault(DATA_KEY))


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[str]:
    made = cast(Any, db.connect(sqlite_url))
    with db.connection():
        yield sqlite_url
    made.close_all()


def in_days(days: int) -> str:
    return str((clock.now() + timedelta(hours=8, days=days)).date())


def licence(kind: str, days: int | None) -> dict[str, Any]:
    ends = None if days is None else in_days(days)
    return {"kind": kind, "number": f"{kind} {days}", "valid_from": None, "valid_to": ends}


def test_a_licence_is_told_of_thirty_days_before_it_ends_until_it_is_renewed(kegui: Kegui) -> None:
    for userid, held in (
        ("soon", [licence("fund", 30), licence("insurance", None)]),
        ("over", [licence("fund", -2)]),
        ("later", [licence("fund", 31)]),
        ("renewed", [licence("fund", 3), licence("fund", 400)]),
    ):
        Staff.create(userid=userid, licences=held, seen_at=clock.now())
    gone = {"licences": [licence("fund", 1)], "left_at": clock.now()}
    Staff.create(userid="left", seen_at=clock.now(), **gone)

    expiry.look_for_expiring(kegui)
    expiry.look_for_expiring(kegui)

    told = {one.subject: in_words(one.reason) for one in Alarm.select()}
    assert set(told) == {"soon", "over"}
    assert f"fund（{in_days(30)}）" in told["soon"]
    assert "insurance" not in told["soon"]

    Staff.update(licences=[licence("fund", 400)]).where(Staff.userid == "soon").execute()
    expiry.look_for_expiring(kegui)
    assert [one.subject for one in Alarm.select().where(Alarm.ended_at.is_null())] == ["over"]


def test_a_year_without_holidays_is_told_of_where_rules_go_by_working_time(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 12, 20, tzinfo=UTC))
    gaps.look_at_calendar(kegui)
    assert Alarm.select().count() == 0

    rule = 'version = "1"\n[[rule]]\nname = "night"\nhours = "off"'
    monkeypatch.setattr("bot.allocation.rule_sets.text", lambda _name: rule)
    gaps.look_at_calendar(kegui)

    [alarm] = Alarm.select()
    assert (alarm.kind, alarm.subject) == ("work_calendar_gap", "2027")
