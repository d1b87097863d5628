"""The inbox: put, claim, finish, give back, bury, replay."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from peewee import Expression, InterfaceError, OperationalError, PostgresqlDatabase

from bot import events
from bot.db import database, is_over, transaction
from bot.effects import Busy
from bot.events import Event
from bot.inbox import archive
from bot.inbox.words import ANOTHER_AT_IT, BUG, DATABASE_AWAY
from bot.models.data_key import PAYLOAD
from bot.models.inbox_event import (
    CLAIMED,
    DEAD,
    DONE,
    FAILED,
    IGNORED,
    UNSETTLED,
    WAITING,
    InboxEvent,
    StoredEvent,
)
from bot.queue import Lane
from bot.reason import NO_REASON, Reason
from bot.vault import Vault
from bot.wecom import WeComError, reason_of

log = structlog.get_logger(__name__)

# Above the time-out of the one call that a welcome may make in one claim.
WELCOME_LEASE = timedelta(seconds=8)
WORK_LEASE = timedelta(seconds=30)
# A new row's wake-up is in the queue; only one that was lost is looked for.
WAKE_UP_TAKES = timedelta(seconds=2)
# The archive takes nothing that came within the day (KEGUI_INBOX_ARCHIVE_AFTER_DAYS).
NOT_YET_ARCHIVED = timedelta(hours=12)


@dataclass(frozen=True)
class NewRow:
    """The row of an event that has just come; ``is_late``: it may be in the archive already."""

    columns: dict[str, Any]
    is_late: bool

    @property
    def lane(self) -> Lane:
        return Lane(self.columns["lane"])


def failure_of(error: Exception) -> Reason:
    """Return why something could not be done, as it is remembered of events and jobs."""
    if isinstance(error, WeComError):
        return reason_of(error)
    if isinstance(error, Busy):
        return Reason(ANOTHER_AT_IT)
    kind = type(error).__name__
    is_away = isinstance(error, (OperationalError, InterfaceError))
    return Reason(DATABASE_AWAY if is_away else BUG, {"kind": kind})


class Lost(Exception):
    """The claim ran out and somebody else has the row now."""


class Later(Exception):
    """The row must wait until ``due_at``; nothing is wrong with it."""

    def __init__(self, due_at: datetime, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.due_at = due_at


def put(source: str, event: Event, plaintext: bytes, *, vault: Vault, now: datetime) -> int | None:
    """Store an event durably; None when this very event is there already."""
    return put_all([new_row(source, event, plaintext, vault=vault, now=now)])[0]


def new_row(source: str, event: Event, plaintext: bytes, *, vault: Vault, now: datetime) -> NewRow:
    """Return the row of an event that has just come.

    An event that carries a welcome code goes to the welcome lane: the code lives 20 seconds.
    """
    key = events.key(source, event)
    columns = {
        "key": key,
        "source": source,
        "event": event.event[:64],
        "change_type": event.change_type[:64],
        "userid": (event.userid or None) and event.userid[:64],
        "external_userid": (event.external_userid or None) and event.external_userid[:64],
        "lane": Lane.WELCOME if event.welcome_code else Lane.WORK,
        "state": WAITING,
        "attempts": 0,
        "payload": vault.seal(PAYLOAD, key, plaintext),
        "received_at": now,
        "due_at": now,
    }
    # An event without a moment of its own, or from the future, may have come at any time.
    return NewRow(columns, is_late=abs(now - event.created_at) > NOT_YET_ARCHIVED)


def put_all(rows: Sequence[NewRow]) -> list[int | None]:
    """Store new rows in one commit; for each its id, or None when it is there already."""
    put = _put_as_json if isinstance(database.obj, PostgresqlDatabase) else _put
    columns = [row.columns for row in rows]
    if late := [row.columns["key"] for row in rows if row.is_late]:
        with transaction():
            ids = _without_archived(late, put(columns))
    else:
        ids = {key: event_id for event_id, key in put(columns)}
    # Of the same event twice, the first one is the new one.
    return [ids.pop(row["key"], None) for row in columns]


def _without_archived(late: Sequence[str], put: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Take out again what stands in the archive.

    Looked up after the row was put: what was archived before that is seen, and what was not
    stands in the row's way.
    """
    ids = {key: event_id for event_id, key in put}
    archived = [ids.pop(key) for key in archive.keys_among(late) if key in ids]
    if archived:
        InboxEvent.delete().where(InboxEvent.id.in_(archived)).execute()
    return ids


def _put(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[int, str]]:
    """Insert; the text of the statement is made once for each number of rows, because making it
    is a sixth of the door's work."""
    fields = InboxEvent._meta.fields
    values = [fields[name].db_value(value) for row in rows for name, value in row.items()]
    return database.execute_sql(_insertion(tuple(rows[0]), len(rows)), values).fetchall()


@lru_cache(maxsize=256)
def _insertion(columns: Sequence[str], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return (
        f"INSERT INTO inbox_event ({', '.join(columns)})"  # noqa: S608 - the columns are new_row's
        f" VALUES {', '.join([row] * rows)}"
        " ON CONFLICT DO NOTHING RETURNING id, key"
    )


def _put_as_json(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[int, str]]:
    """As ``_put``, by one statement whose text is always the same: PostgreSQL keeps its plan,
    and the making of a text for each number of rows is a third of the door's work."""
    columns = ", ".join(rows[0])
    statement = (
        f"INSERT INTO inbox_event ({columns})"  # noqa: S608 - the columns are new_row's
        f" SELECT {columns} FROM json_populate_recordset(NULL::inbox_event, %s)"
        " ON CONFLICT (key) DO NOTHING RETURNING id, key"
    )
    return database.execute_sql(statement, [json.dumps(list(rows), default=_as_text)]).fetchall()


def _as_text(value: bytes | datetime) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value.isoformat()


def due(lane: Lane, *, now: datetime, limit: int) -> list[int]:
    """Return the ids of rows to try again, whose worker is gone, or whose wake-up was lost."""
    just_come = (InboxEvent.due_at > now - WAKE_UP_TAKES) & (
        InboxEvent.due_at < now + WAKE_UP_TAKES
    )
    woken = (InboxEvent.attempts == 0) & just_come
    query = (
        InboxEvent.select(InboxEvent.id)
        .where(UNSETTLED, InboxEvent.lane == lane, (_is_due(now) & ~woken) | _is_orphan(now))
        .order_by(InboxEvent.due_at)
        .limit(limit)
    )
    return [row.id for row in query]


def claim(event_id: int, lane: Lane, *, now: datetime) -> InboxEvent | None:
    """Take a due row; None when somebody else has it or it is settled."""
    lease = WELCOME_LEASE if lane == Lane.WELCOME else WORK_LEASE
    taken = list(
        InboxEvent.update(state=CLAIMED, lease_until=now + lease, attempts=InboxEvent.attempts + 1)
        .where(InboxEvent.id == event_id, InboxEvent.lane == lane, _is_due(now) | _is_orphan(now))
        .returning(InboxEvent)
        .execute()
    )
    return taken[0] if taken else None


def _is_due(now: datetime) -> Expression:
    # What nobody has tried is due at once, also when the clock was set back since it came.
    open_row: Expression = InboxEvent.state.in_((WAITING, FAILED)) & (
        (InboxEvent.attempts == 0) | (InboxEvent.due_at <= now)
    )
    return open_row


def _is_orphan(now: datetime) -> Expression:
    orphan: Expression = (InboxEvent.state == CLAIMED) & is_over(InboxEvent.lease_until, now)
    return orphan


def open_event(row: StoredEvent, vault: Vault) -> Event:
    """Decrypt and parse the event of a row."""
    return events.parse(vault.open(PAYLOAD, row.key, row.payload))


def finish(row: InboxEvent, *, now: datetime, ignored: bool = False) -> None:
    """Settle a claimed row.

    Raises:
        Lost: the lease ran out meanwhile.
    """
    _settle(row, state=IGNORED if ignored else DONE, finished_at=now)


def pass_on(row: InboxEvent, *, now: datetime) -> None:
    """The welcome step is over: the rest of the event's story goes to the work lane."""
    _settle(row, state=WAITING, lane=Lane.WORK, due_at=now, attempts=0)


def give_back(row: InboxEvent, *, due_at: datetime, error: Reason, failed: bool = True) -> None:
    """Try the row again at ``due_at``; ``failed`` says that something went wrong with it."""
    _settle(row, state=FAILED if failed else WAITING, due_at=due_at, error=error)


def bury(row: InboxEvent, *, now: datetime, error: Reason) -> None:
    """Give up on a row: it stays visible and can be replayed."""
    _settle(row, state=DEAD, finished_at=now, error=error)


def hasten(*which: Expression, now: datetime) -> int:
    """Let open rows that wait for their next try be due now; returns how many waited."""
    waits = (InboxEvent.state.in_((WAITING, FAILED)), InboxEvent.due_at > now)
    hastened: int = InboxEvent.update(due_at=now).where(UNSETTLED, *waits, *which).execute()
    return hastened


def replay(event_id: int, *, now: datetime) -> InboxEvent | None:
    """Let a settled row be worked on again, an archived one too; None when it is not settled.

    Whatever it already caused is not done twice: effects know themselves.
    """
    with transaction():
        again = _reopen(event_id, now)
        if again is None and archive.take_back(event_id):
            again = _reopen(event_id, now)
    return again


def _reopen(event_id: int, now: datetime) -> InboxEvent | None:
    changed = (
        InboxEvent.update(
            state=WAITING,
            lane=Lane.WORK,
            due_at=now,
            attempts=0,
            **NO_REASON.columns("error"),
            finished_at=None,
            replayed_at=now,
        )
        .where(InboxEvent.id == event_id, InboxEvent.state.in_((DONE, IGNORED, DEAD)))
        .execute()
    )
    return InboxEvent.get_by_id(event_id) if changed else None


def _settle(row: InboxEvent, *, error: Reason = NO_REASON, **changes: object) -> None:
    changed = (
        InboxEvent.update(lease_until=None, **error.columns("error"), **changes)
        .where(
            InboxEvent.id == row.id,
            InboxEvent.state == CLAIMED,
            InboxEvent.lane == row.lane,
            InboxEvent.attempts == row.attempts,
        )
        .execute()
    )
    if not changed:
        raise Lost(f"inbox event {row.id}")
    facts = {"state": changes["state"], **({"error": error.code} if error else {})}
    if "finished_at" in changes:
        log.info("event_settled", event_id=row.id, attempts=row.attempts, **facts)
    elif "error" in facts:
        log.info("event_waits", event_id=row.id, attempts=row.attempts, **facts)
