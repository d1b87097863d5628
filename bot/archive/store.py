"""Store messages: rows, chain, index, media to fetch and the cursor, in one transaction."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from peewee import PostgresqlDatabase

from bot import clock
from bot.archive import consents
from bot.archive.contents import Message, NotAMessage, Row, parse, time_in_msgid
from bot.archive.day_keys import MEDIA, MESSAGE, DayKeys
from bot.archive.pairs import Pairs, as_word
from bot.archive.people import kind_of_chat, kinds_of
from bot.archive.proof import SALT_BYTES, Chain, Place, Said, new_salt
from bot.audit.chain import End, link
from bot.db import database, execute_many, insert_rows, locked, transaction
from bot.models import (
    ArchiveConversation,
    ArchiveMedia,
    ArchiveMessage,
    ArchiveParticipant,
    ArchiveSilence,
    ArchiveState,
)
from bot.models.archive import NO_PULL, PENDING, SEQ_JUMP, STORED, UNDECRYPTABLE
from bot.vault import Vault

log = structlog.get_logger(__name__)

AT_ONCE = 500
# WeCom keeps messages and media for so long (path 91774).
KEPT_FOR = timedelta(days=5)
# What went wrong with a row that stays locked, where it is no code of the library's.
NO_KEY, KILLED, NO_JSON = -1, -2, -3
MOST_ID = 128


class CursorMoved(Exception):
    """Somebody else has pulled meanwhile: nothing was stored."""


@dataclass(frozen=True)
class Opened:
    """A delivered row, and the message that was decrypted of it; else the code of why not."""

    row: Row
    plain: bytes = b""
    message: Message | None = None
    code: int | None = None


def opened_row(row: Row, plain: bytes, pulled_at: datetime) -> Opened:
    """Read what was decrypted of a row."""
    try:
        return Opened(row, plain, parse(plain, pulled_at))
    except NotAMessage:
        return Opened(row, code=NO_JSON)


@dataclass(frozen=True)
class _Kept:
    """A row to be stored."""

    said: Said
    content: bytes
    message: Message | None
    code: int | None


class Store:
    """Writes the archive; only the leader does.

    Args:
        alarm_after: a longer silence than this is noted.
    """

    def __init__(self, vault: Vault, day_keys: DayKeys, alarm_after: timedelta) -> None:
        self._chain = Chain(vault)
        self._day_keys = day_keys
        self._pairs = Pairs(vault.key("archive pairs"))
        self._alarm_after = alarm_after

    def note_answer(self, now: datetime) -> None:
        """Note that the source answered, with or without rows; a long silence before is noted."""
        state = ArchiveState.now()
        before = state and state.pulled_at
        if state is not None and before and now - before > self._alarm_after:
            ArchiveSilence.add(NO_PULL, before, now, state.cursor)
        ArchiveState.note(pulled_at=now, trouble="")

    def page(self, cursor: int, opened: Sequence[Opened]) -> int:
        """Store a page that was pulled from ``cursor`` on; returns how many rows are new.

        Raises:
            CursorMoved: the cursor is another one by now.
        """
        now = clock.now()
        with self._storing():
            self.note_answer(now)
            state = _state()
            if state.cursor != cursor:
                raise CursorMoved
            self._note_jumps(state, opened, now)
            stored = self._add(state, opened, now)
            highest = max(opened, key=lambda one: one.row.seq)
            ArchiveState.note(
                cursor=max(cursor, highest.row.seq),
                last_sent_at=_delivered_at(highest, now),
            )
        return stored

    def late(self, opened: Sequence[Opened]) -> int:
        """Store messages whose rows could not be decrypted when they were pulled."""
        now = clock.now()
        with self._storing():
            return self._add(_state(), [one for one in opened if one.message], now)

    def _storing(self) -> "_Storing":
        return _Storing(self._day_keys)

    def _add(self, state: ArchiveState, opened: Sequence[Opened], now: datetime) -> int:
        there = _known([one.row.msgid for one in opened])
        kept: list[_Kept] = []
        solved: list[str] = []
        position = state.position
        for one in opened:
            made = _kept(one, position + 1, now)
            place = made.said.place
            is_new = (place.msgid, place.state) not in there
            if place.state == STORED and (place.msgid, UNDECRYPTABLE) in there:
                solved.append(place.msgid)
            if not is_new or (place.state == UNDECRYPTABLE and (place.msgid, STORED) in there):
                continue
            there.add((place.msgid, place.state))
            kept.append(made)
            position += 1
        for start in range(0, len(solved), AT_ONCE):
            ArchiveMessage.update(is_open=False).where(
                ArchiveMessage.msgid.in_(solved[start : start + AT_ONCE]),
                ArchiveMessage.state == UNDECRYPTABLE,
            ).execute()
        if not kept:
            return 0
        self._insert(state, kept, now)
        return len(kept)

    def _insert(self, state: ArchiveState, kept: Sequence[_Kept], now: datetime) -> None:
        days = [_day(one.said.sent_at) for one in kept]
        self._day_keys.make(set(days))
        kinds = kinds_of(
            person for one in kept if one.message is not None for person in one.message.people
        )
        conversations = _conversations(kept, kinds)
        end = self._chain.end(state)
        rows, words = [], []
        media: list[dict[str, Any]] = []
        for one, day in zip(kept, days, strict=True):
            said, message = one.said, one.message
            salted = new_salt() + one.content
            digest = said.hash(salted)
            end = End(said.place.position, link(end.link, said.place, digest))
            numbers = self._pairs.of_text(message.text) if message else None
            rows.append(
                {
                    "position": said.place.position,
                    "seq": said.place.seq,
                    "msgid": said.place.msgid,
                    "state": said.place.state,
                    "publickey_ver": said.publickey_ver,
                    "msgtype": said.msgtype,
                    "action": said.action,
                    "sender": said.sender,
                    "chat_id": said.chat_id,
                    "conversation": conversations.get(said.place.position),
                    "sent_at": said.sent_at,
                    "is_estimated": said.is_estimated,
                    "pulled_at": said.pulled_at,
                    "recalls": said.recalls,
                    "day": day,
                    "sealed": self._day_keys.seal(day, MESSAGE, said.place.row, salted),
                    "pairs": numbers or None,
                    "hash": digest,
                    "link": end.link,
                    "is_open": said.place.state == UNDECRYPTABLE,
                    "code": one.code,
                }
            )
            if numbers:
                words.append((said.place.position, " ".join(map(as_word, numbers))))
            media += self._media(one, day, now)
        insert_rows(ArchiveMessage, rows)
        if not isinstance(database.obj, PostgresqlDatabase):
            execute_many("INSERT INTO archive_pairs (rowid, pairs) VALUES (?, ?)", words)
        insert_rows(ArchiveMedia, media)
        consents.note_messages([one.message for one in kept if one.message], kinds, now)
        ArchiveState.note(**self._chain.kept(end))
        state.position, state.link = end.position, end.link

    def _media(self, one: _Kept, day: str, now: datetime) -> Iterable[dict[str, Any]]:
        for number, ref in enumerate(one.message.media if one.message else ()):
            position = one.said.place.position
            sealed = json.dumps(asdict(ref), ensure_ascii=False).encode("utf-8", "replace")
            yield {
                "message": position,
                "number": number,
                "kind": ref.kind,
                "sealed": self._day_keys.seal(day, MEDIA, f"{position} {number}", sealed),
                "size": ref.size if ref.size is None or ref.size < 2**63 else None,
                "state": PENDING,
                "deadline": one.said.sent_at + KEPT_FOR,
                "due_at": now,
                "tries": 0,
            }

    def _note_jumps(self, state: ArchiveState, opened: Sequence[Opened], now: datetime) -> None:
        """Note where seq jumps over a longer time than a silence may last: WeCom had forgotten
        what stood there."""
        before, before_at = state.cursor, state.last_sent_at
        for one in sorted(opened, key=lambda one: one.row.seq):
            seq, at = one.row.seq, _delivered_at(one, now)
            is_jump = before_at is not None and seq > before + 1
            if is_jump and before_at is not None and at - before_at > self._alarm_after:
                ArchiveSilence.add(SEQ_JUMP, before_at, at, before, seq)
            before, before_at = seq, at


class _Storing:
    """A transaction; where it fails, keys made in it are known no more."""

    def __init__(self, day_keys: DayKeys) -> None:
        self._day_keys = day_keys
        self._transaction = transaction()

    def __enter__(self) -> None:
        self._transaction.__enter__()

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self._day_keys.forget()
        self._transaction.__exit__(*error)


def _state() -> ArchiveState:
    ArchiveState.note(trouble="")
    found: ArchiveState = locked(ArchiveState.select().where(ArchiveState.id == 1)).get()
    return found


def _known(msgids: Sequence[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for start in range(0, len(msgids), AT_ONCE):
        rows: Any = (
            ArchiveMessage.select(ArchiveMessage.msgid, ArchiveMessage.state)
            .where(ArchiveMessage.msgid.in_(msgids[start : start + AT_ONCE]))
            .tuples()
        )
        found |= set(rows)
    return found


def _delivered_at(one: Opened, now: datetime) -> datetime:
    """Return about when a row was sent, also where it cannot be read."""
    if one.message is not None:
        return one.message.sent_at
    return time_in_msgid(one.row.msgid) or now


def _kept(one: Opened, position: int, now: datetime) -> _Kept:
    row, message = one.row, one.message
    place = Place(position, row.seq, row.msgid, STORED if message else UNDECRYPTABLE)
    if message is None:
        at = _delivered_at(one, now)
        said = Said(place, row.publickey_ver, "", "", "", "", at, True, now, None)
        content = json.dumps(asdict(row), ensure_ascii=False).encode("utf-8", "replace")
        return _Kept(said, content, None, one.code)
    said = Said(
        place,
        row.publickey_ver,
        message.msgtype,
        message.action[:16],
        message.sender[:MOST_ID],
        message.chat_id[:MOST_ID],
        message.sent_at,
        message.is_estimated,
        now,
        message.recalls[:MOST_ID] or None,
    )
    return _Kept(said, one.plain, message, None)


def row_of(content: bytes) -> Row:
    """Return a delivered row as it was kept, salt and all."""
    return Row(**json.loads(content[SALT_BYTES:]))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def conversation_key(people: Sequence[str], chat_id: str) -> str:
    """Return what tells a conversation from others: the group, or those who talk."""
    if chat_id:
        return f"group {chat_id}"
    if len(people) <= 2:
        return " ".join(sorted(people))
    joined = "\0".join(sorted(people)).encode("utf-8", "replace")
    return f"several {hashlib.sha256(joined).hexdigest()}"


def _conversations(kept: Sequence[_Kept], kinds: dict[str, str]) -> dict[int, int]:
    """Note who talked with whom; returns the conversation of each position that has one."""
    keys: dict[int, str] = {}
    spans: dict[str, list[Any]] = {}
    talking: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    for one in kept:
        message = one.message
        if message is None or not (message.to or message.chat_id):
            continue
        people = [person[:MOST_ID] for person in message.people]
        chat_id, at = message.chat_id[:MOST_ID], message.sent_at
        key = conversation_key(people, chat_id)
        keys[one.said.place.position] = key
        kind = kind_of_chat(one.said.place.msgid, message.people, kinds)
        span = spans.setdefault(key, [chat_id, kind, at, at])
        span[2], span[3] = min(span[2], at), max(span[3], at)
        for person in people:
            first, last = talking.get((key, person), (at, at))
            talking[key, person] = min(first, at), max(last, at)
    if not spans:
        return {}
    ids = _conversation_ids(spans)
    rows = [
        {"conversation": ids[key], "person": person, "first_at": first, "last_at": last}
        for (key, person), (first, last) in sorted(talking.items())
    ]
    _upsert(ArchiveParticipant, rows, ("conversation", "person"))
    return {position: ids[key] for position, key in keys.items()}


def _conversation_ids(spans: dict[str, list[Any]]) -> dict[str, int]:
    rows = [
        {"key": key, "chat_id": chat_id, "kind": kind, "first_at": first, "last_at": last}
        for key, (chat_id, kind, first, last) in sorted(spans.items())
    ]
    _upsert(ArchiveConversation, rows, ("key",))
    ids: dict[str, int] = {}
    keys = list(spans)
    for start in range(0, len(keys), AT_ONCE):
        found: Any = (
            ArchiveConversation.select(ArchiveConversation.key, ArchiveConversation.id)
            .where(ArchiveConversation.key.in_(keys[start : start + AT_ONCE]))
            .tuples()
        )
        ids |= dict(found)
    return ids


def _upsert(model: Any, rows: Sequence[dict[str, Any]], unique: Sequence[str]) -> None:
    """Insert rows with a time span, or widen the span of those that are there."""
    is_postgres = isinstance(database.obj, PostgresqlDatabase)
    table, mark = model._meta.table_name, "%s" if is_postgres else "?"
    lower, upper = ("LEAST", "GREATEST") if is_postgres else ("MIN", "MAX")
    fields = [model._meta.fields[name] for name in rows[0]]
    names = ", ".join(f'"{field.column_name}"' for field in fields)
    conflict = ", ".join(f'"{name}"' for name in unique)
    statement = (
        f'INSERT INTO "{table}" ({names}) VALUES ({", ".join([mark] * len(fields))})'  # noqa: S608
        f" ON CONFLICT ({conflict}) DO UPDATE SET"
        f' first_at = {lower}("{table}".first_at, excluded.first_at),'
        f' last_at = {upper}("{table}".last_at, excluded.last_at)'
    )
    execute_many(
        statement, [tuple([field.db_value(row[field.name]) for field in fields]) for row in rows]
    )
