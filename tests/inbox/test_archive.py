"""The archive: what was settled long ago moves there, is never lost and never comes twice."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from peewee import PostgresqlDatabase

from bot import clock, db, events
from bot.capabilities import JOBS
from bot.inbox import archive as inbox_archive
from bot.inbox import inbox
from bot.jobs import schedule
from bot.jobs.inbox import archive
from bot.kegui import Kegui
from bot.models import InboxArchive, InboxEvent, InboxHistory
from bot.models.inbox_event import CLAIMED, DEAD, DONE, FAILED, IGNORED, STATES, WAITING
from bot.operations.doctor.storage import check_vault
from bot.queue import Lane
from bot.vault import Vault
from config import settings
from tests.conftest import in_thread

VAULT = Vault(base64.urlsafe_b64encode(bytes(32)).decode())
KEGUI = Kegui(settings.load({}), *[cast(Any, None)] * 3)
DAYS = 90

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.jobs.inbox.REST_SECONDS", 0)


def ago(days: float) -> datetime:
    return clock.now() - timedelta(days=days)


def deliver(number: int, created: str = "") -> int | None:
    """WeCom delivers the event of this number, today; without a moment of its own by default."""
    return inbox.put_all([arriving(number, created)])[0]


def arriving(number: int, created: str = "") -> inbox.NewRow:
    moment = f"<CreateTime>{created}</CreateTime>" if created else ""
    body = (
        "<xml><Event>change_external_contact</Event><UserID>zhangsan</UserID>"
        f"<ExternalUserID>wm_{number}</ExternalUserID>{moment}</xml>"
    ).encode()
    return inbox.new_row("customer", events.parse(body), body, vault=VAULT, now=clock.now())


def an_event(number: int, *, days: float = DAYS + 1, state: str = DONE, created: str = "") -> int:
    """An event that was settled some days ago."""
    event_id = deliver(number, created)
    assert event_id is not None
    InboxEvent.update(state=state, received_at=ago(days), finished_at=ago(days)).where(
        InboxEvent.id == event_id
    ).execute()
    return event_id


def inbox_ids() -> list[int]:
    return [row.id for row in InboxEvent.select().order_by(InboxEvent.id)]


def archived_ids() -> list[int]:
    return [row.id for row in InboxArchive.select().order_by(InboxArchive.id)]


def wait_until_it_waits(done: "Future[Any]") -> None:
    """Wait until the other thread waits for our lock; SQLite has one writer and shows nothing."""
    if not isinstance(db.database.obj, PostgresqlDatabase):
        return
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    deadline = time.monotonic() + 20
    while not db.database.execute_sql(waiting).fetchone()[0]:
        assert not done.done(), "it did not wait"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_settled_is_moved_after_the_days_and_not_before() -> None:
    old = [an_event(1), an_event(2, state=IGNORED)]
    young = [an_event(3, days=DAYS - 1), an_event(4, days=DAYS - 1, state=IGNORED)]
    before = {row.id: row for row in InboxEvent.select()}

    archive(KEGUI)

    assert (archived_ids(), inbox_ids()) == (old, young)
    for row in InboxArchive.select():
        assert row.__data__ == before[row.id].__data__
    assert inbox.open_event(InboxArchive.get_by_id(old[0]), VAULT).external_userid == "wm_1"


def test_the_clock_does_it_every_night() -> None:
    job = schedule(KEGUI, JOBS).get_job("inbox.archive")

    struck = [
        job.trigger.get_next_fire_time(None, datetime(2026, 11, day, tzinfo=UTC))
        for day in (24, 25)
    ]
    assert [f"{moment:%d %H:%M %Z}" for moment in struck] == ["25 03:40 CST", "26 03:40 CST"]


def test_the_setting_says_how_many_days() -> None:
    event_id, _newest = an_event(1, days=8), deliver(2)

    archive(KEGUI)
    assert archived_ids() == []

    archive(
        Kegui(
            settings.load({"KEGUI_INBOX_ARCHIVE_AFTER_DAYS": "7"}),
            *[cast(Any, None)] * 3,
        )
    )
    assert archived_ids() == [event_id]


@pytest.mark.parametrize("state", [WAITING, CLAIMED, FAILED, DEAD])
def test_what_is_not_settled_stays_however_old(state: str) -> None:
    an_event(1, state=state)
    an_event(2, days=0)

    archive(KEGUI)

    assert archived_ids() == []


def test_the_number_of_an_archived_event_is_never_given_again() -> None:
    for number in range(3):
        an_event(number)

    archive(KEGUI)
    new = an_event(9, days=0)

    assert len(inbox_ids()) == 2
    assert new not in archived_ids()
    assert new > max(archived_ids())


def test_years_are_moved_in_several_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.inbox.archive.BATCH", 2)
    monkeypatch.setattr("bot.jobs.inbox.MOST_COMMITS", 2)
    ids = [an_event(number) for number in range(8)]

    nights = []
    for _ in range(3):
        archive(KEGUI)
        nights.append(archived_ids())

    assert nights == [ids[:4], ids[:7], ids[:7]]


def test_a_kill_between_two_tables_loses_nothing_and_doubles_nothing(store: str) -> None:
    ids = [an_event(number) for number in range(7)]
    code = f"""
import os, signal
from datetime import UTC, datetime
from bot import db
from bot.inbox import archive as inbox_archive
from bot.models import InboxArchive, InboxEvent
move, moves = inbox_archive._move, []

def broken(ids, source, target):
    moves.append(ids)
    if len(moves) == 2:
        target.insert_from(source.select().where(source.id.in_(ids)),
                           target._meta.sorted_fields).execute()
        os.kill(os.getpid(), signal.SIGKILL)
    move(ids, source, target)

inbox_archive._move, inbox_archive.BATCH = broken, 2
db.connect({store!r})
with db.connection():
    list(inbox_archive.move_settled(datetime.now(UTC)))
"""
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert (archived_ids(), inbox_ids()) == (ids[:2], ids[2:])
    archive(KEGUI)
    assert (archived_ids(), inbox_ids()) == (ids[:6], ids[6:])


def test_an_archived_event_is_replayed_in_the_inbox() -> None:
    event_id, _newest = an_event(1), deliver(2)
    archive(KEGUI)
    now = clock.now()

    replayed = inbox.replay(event_id, now=now)

    assert replayed is not None
    assert (replayed.id, replayed.state, replayed.replayed_at) == (event_id, WAITING, now)
    assert archived_ids() == []
    claimed = inbox.claim(event_id, Lane.WORK, now=now)
    assert claimed is not None
    inbox.finish(claimed, now=now)
    archive(KEGUI)
    assert archived_ids() == []


def test_an_event_replayed_just_before_it_would_move_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [an_event(number) for number in range(3)]
    looked = inbox_archive._settled

    def replayed_then(before: datetime, last: int) -> list[int]:
        found = looked(before, last)
        if found:
            assert inbox.replay(ids[0], now=clock.now()) is not None
        return found

    monkeypatch.setattr("bot.inbox.archive._settled", replayed_then)
    archive(KEGUI)

    assert (archived_ids(), inbox_ids()) == ([ids[1]], [ids[0], ids[2]])
    assert InboxEvent.get_by_id(ids[0]).state == WAITING


def test_a_replay_that_is_not_committed_yet_holds_its_event_in_the_inbox() -> None:
    ids = [an_event(number) for number in range(3)]

    with db.transaction():
        assert inbox.replay(ids[0], now=clock.now()) is not None
        moving = in_thread(lambda: archive(KEGUI))
        wait_until_it_waits(moving)
    moving.result(20)

    assert (archived_ids(), inbox_ids()) == ([ids[1]], [ids[0], ids[2]])


def while_moving(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> "list[Future[Any]]":
    """Let another thread act when rows have changed tables and nobody has committed it."""
    moved = inbox_archive._move
    acting: list[Future[Any]] = []

    def move(ids: Sequence[int], source: Any, target: Any) -> None:
        moved(ids, source, target)
        if target is InboxArchive and not acting:
            acting.append(in_thread(act))
            wait_until_it_waits(acting[0])

    monkeypatch.setattr("bot.inbox.archive._move", move)
    return acting


def test_an_event_replayed_while_it_moves_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    event_id, newest = an_event(1), deliver(2)
    acting = while_moving(monkeypatch, lambda: inbox.replay(event_id, now=clock.now()))

    archive(KEGUI)

    assert acting[0].result(20).id == event_id
    assert (archived_ids(), inbox_ids()) == ([], [event_id, newest])


def test_two_who_replay_the_same_archived_event_bring_back_one() -> None:
    event_id, newest = an_event(1), deliver(2)
    archive(KEGUI)

    with db.transaction():
        first = inbox.replay(event_id, now=clock.now())
        second = in_thread(lambda: inbox.replay(event_id, now=clock.now()))
        wait_until_it_waits(second)

    assert first is not None
    assert second.result(20) is None
    assert (archived_ids(), inbox_ids()) == ([], [event_id, newest])


def seconds(days: float) -> str:
    return str(int(ago(days).timestamp()))


@pytest.mark.parametrize(
    "created",
    [seconds(DAYS + 2), "", "soon", seconds(-400)],
    ids=["long ago", "absent", "odd", "in a year"],
)
def test_a_repeated_delivery_of_an_archived_event_is_no_new_one(created: str) -> None:
    event_id, newest = an_event(1, created=created), deliver(2)
    archive(KEGUI)
    assert archived_ids() == [event_id]

    new_id, *repeated = inbox.put_all(
        [arriving(3), arriving(1, created), arriving(2), arriving(1, created)]
    )

    assert repeated == [None] * 3
    assert inbox_ids() == [newest, new_id]
    assert archived_ids() == [event_id]


def test_a_delivery_repeated_while_its_event_moves_is_no_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event_id, newest = an_event(1), deliver(2)
    acting = while_moving(monkeypatch, lambda: deliver(1))

    archive(KEGUI)

    assert acting[0].result(20) is None
    assert (archived_ids(), inbox_ids()) == ([event_id], [newest])


def test_for_an_event_of_today_nobody_looks_in_the_archive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def looked(_keys: Sequence[str]) -> set[str]:
        raise AssertionError("the archive was asked")

    monkeypatch.setattr("bot.inbox.archive.keys_among", looked)

    assert deliver(1, seconds(0)) is not None
    assert deliver(2, seconds(0.4)) is not None
    with pytest.raises(AssertionError):
        deliver(3, seconds(0.6))


def test_the_archive_age_is_always_longer_than_the_door_trusts() -> None:
    with pytest.raises(settings.SettingsError, match="INBOX_ARCHIVE_AFTER_DAYS"):
        settings.load({"KEGUI_INBOX_ARCHIVE_AFTER_DAYS": "0.9"})
    shortest = settings.load({"KEGUI_INBOX_ARCHIVE_AFTER_DAYS": "1"}).inbox_archive_after
    assert shortest >= 2 * inbox.NOT_YET_ARCHIVED


def test_the_history_is_both_in_one_order() -> None:
    ids = [
        an_event(number, state=state, days=days)
        for number, (state, days) in enumerate(
            [(DONE, 99), (DEAD, 99), (IGNORED, 99), (DONE, 9), (DONE, 99), (WAITING, 0)]
        )
    ]

    archive(KEGUI)

    assert archived_ids() == [ids[0], ids[2], ids[4]]
    history = list(InboxHistory.select().order_by(InboxHistory.id))
    assert [row.id for row in history] == ids
    assert {row.state for row in history} < set(STATES)
    assert history[0].received_at.tzinfo is UTC


def test_the_doctor_tries_its_key_on_the_oldest_event_also_when_it_is_archived(store: str) -> None:
    key = base64.urlsafe_b64encode(bytes(32)).decode()
    loaded = settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_DATA_KEY": key})
    event_id, _newest = an_event(1), deliver(2)
    archive(KEGUI)
    assert check_vault(loaded).status == "ok"

    InboxArchive.update(payload=b"under another key").execute()

    found = check_vault(loaded)
    assert (found.problem, found.facts["what"]) == ("data_key_changed", f"inbox event {event_id}")
