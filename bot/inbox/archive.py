"""The inbox's archive: what was settled long ago, out of the way of what comes.

Nothing is deleted. A row stands in one of the two tables, and changes between them in one commit,
under its own number.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from peewee import PostgresqlDatabase, fn

from bot.db import database, transaction
from bot.models.inbox_event import DONE, IGNORED, InboxArchive, InboxEvent, StoredEvent

# So many make a commit that nobody at the doors notices.
BATCH = 500


def move_settled(before: datetime) -> Iterator[int]:
    """Move what was done or ignored before a moment, the oldest first.

    Each step is a commit and gives how many rows it moved: the caller may stop after any, or be
    killed in any.
    """
    last = 0
    while ids := _settled(before, last):
        with transaction():
            # Meanwhile somebody may have replayed one.
            yet = _lock(InboxEvent, ids, _is_settled(before))
            _move(yet, InboxEvent, InboxArchive)
        last = ids[-1]
        yield len(yet)


def take_back(event_id: int) -> bool:
    """Move an event back into the inbox; False when it is not in the archive."""
    with transaction():
        ids = _lock(InboxArchive, [event_id])
        _move(ids, InboxArchive, InboxEvent)
    return bool(ids)


def keys_among(keys: Sequence[str]) -> set[str]:
    """Return those of the keys whose event is in the archive."""
    query = InboxArchive.select(InboxArchive.key).where(InboxArchive.key.in_(keys))
    return {row.key for row in query}


def _is_settled(before: datetime) -> object:
    return InboxEvent.state.in_((DONE, IGNORED)) & (InboxEvent.finished_at < before)


def _settled(before: datetime, last: int) -> list[int]:
    # SQLite gives the next row the number after the largest: the newest row must stay, or an
    # archived one's number would be given again, and with it what that event had caused.
    newest = InboxEvent.select(fn.MAX(InboxEvent.id))
    query = (
        InboxEvent.select(InboxEvent.id)
        .where(InboxEvent.id > last, InboxEvent.id < newest, _is_settled(before))
        .order_by(InboxEvent.id)
        .limit(BATCH)
    )
    return [row.id for row in query]


def _lock(table: type[StoredEvent], ids: Sequence[int], *where: object) -> list[int]:
    """Return those of the rows that are there, and hold them until the commit."""
    query = table.select(table.id).where(table.id.in_(ids), *where).order_by(table.id)
    if isinstance(database.obj, PostgresqlDatabase):
        query = query.for_update()
    return [row.id for row in query]


def _move(ids: Sequence[int], source: type[StoredEvent], target: type[StoredEvent]) -> None:
    if ids:
        rows = source.select(*source._meta.sorted_fields).where(source.id.in_(ids))
        target.insert_from(rows, target._meta.sorted_fields).execute()
        source.delete().where(source.id.in_(ids)).execute()
