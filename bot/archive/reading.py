"""Reading the archive: what a reader may see, opened, with what consent forbids held back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from peewee import SQL, ModelSelect, PostgresqlDatabase, fn

from bot.archive.consents import NOT_NEEDED, Histories
from bot.archive.contents import Message, NotAMessage, parse
from bot.archive.day_keys import MESSAGE, DayKeys
from bot.archive.media import Files, Folder, ref_of
from bot.archive.pairs import FEWEST_CHARACTERS, Pairs, as_word, highlights, words_of
from bot.archive.people import CUSTOMER, kinds_of
from bot.archive.proof import SALT_BYTES, place_of
from bot.db import database
from bot.identity.access import EVERYBODY, Scope
from bot.kegui import Kegui
from bot.models import (
    ArchiveFile,
    ArchiveMedia,
    ArchiveMessage,
    ArchiveParticipant,
    FormerUserid,
    Staff,
)
from bot.models.archive import STORED, UNDECRYPTABLE
from bot.models.consent import REFUSED
from bot.vault import VaultError

# Of a search: so many candidates are opened at once beside those that fill the page, and so many
# are looked at by one request.
SPARE_CANDIDATES = 10
MOST_CANDIDATES = 5000
# Common words are found among the newest messages, without their index.
NEWEST = 3000
AT_ONCE = 500


class WordTooShort(Exception):
    """What is looked for has a word of one character: the index knows pairs."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; all that is given must hold."""

    words: Sequence[str] = ()
    userids: Sequence[str] = ()
    external_userids: Sequence[str] = ()
    chat_ids: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    msgtypes: Sequence[str] = ()

    @classmethod
    def words_in(cls, query: str) -> list[str]:
        """Return the words of a query.

        Raises:
            WordTooShort: one has a single character.
        """
        words = words_of(query)
        if any(len(word) < FEWEST_CHARACTERS for word in words):
            raise WordTooShort
        return words


@dataclass(frozen=True)
class MediaView:
    """A file of a message; ``sha256`` None until it is stored."""

    sha256: str | None
    type: str | None
    size: int | None
    state: str
    filename: str


@dataclass(frozen=True)
class View:
    """A message as it may be shown; ``message`` None: undecryptable, or its day's key is gone."""

    row: ArchiveMessage
    message: Message | None
    kinds: Mapping[str, str]
    consent: str
    recalled_by: str | None
    media: Sequence[MediaView]
    highlights: Sequence[tuple[int, int]] = ()

    @property
    def is_withheld(self) -> bool:
        """Whether the customer had refused when this was sent."""
        return self.consent == REFUSED

    @property
    def state(self) -> str:
        return STORED if self.message is not None else UNDECRYPTABLE


@dataclass(frozen=True)
class Found:
    """A page of a search: ``withheld`` messages fit and are not shown; ``last`` None: the end."""

    views: Sequence[View]
    withheld: int
    last: int | None


class Archive:
    """Opens messages for readers of a scope."""

    def __init__(self, kegui: Kegui) -> None:
        self._kegui = kegui
        self._day_keys = DayKeys(kegui.vault)
        self._pairs = Pairs(kegui.vault.key("archive pairs"))

    @cached_property
    def files(self) -> Files:
        address = self._kegui.settings.media_url.get_secret_value()
        return Files(self._kegui.vault, Folder(address))

    def message(self, msgid: str, scope: Scope = EVERYBODY) -> View | None:
        """Return one message; None: it is not there, withheld, or not within."""
        rows = _within(ArchiveMessage.select().where(ArchiveMessage.msgid == msgid), scope)
        # Its own row stands after the one that could not be decrypted.
        views = self.open(list(rows.order_by(ArchiveMessage.state, ArchiveMessage.position)))
        readable = [one for one in views if one.message] or views
        return next((one for one in readable if not one.is_withheld), None)

    def feed(self, after_seq: int, limit: int, scope: Scope = EVERYBODY) -> list[View]:
        """Return what comes after a seq, in its order; rows of one seq are never parted."""
        query = _within(ArchiveMessage.select().where(ArchiveMessage.seq > after_seq), scope)
        rows = list(query.order_by(ArchiveMessage.seq, ArchiveMessage.position).limit(limit))
        if len(rows) == limit:
            same = ArchiveMessage.select().where(
                ArchiveMessage.seq == rows[-1].seq,
                ArchiveMessage.position > rows[-1].position,
            )
            rows += list(_within(same, scope).order_by(ArchiveMessage.position))
        return self.open(rows)

    def search(
        self, wanted: Wanted, before: int | None, limit: int, scope: Scope = EVERYBODY
    ) -> Found:
        """Find messages, those that came last first.

        Args:
            before: the position after which the page before ended.
        """
        numbers = self._pairs.of_words(wanted.words)
        views: list[View] = []
        withheld = looked_at = 0
        at_once = limit + SPARE_CANDIDATES
        while looked_at < MOST_CANDIDATES:
            rows = _candidates(wanted, numbers, before, scope, at_once)
            looked_at += len(rows)
            for view in self.open(rows):
                before = view.row.position
                marks = self._marks(view, wanted.words)
                if marks is None:
                    continue
                if view.is_withheld:
                    withheld += 1
                    continue
                views.append(
                    View(
                        view.row,
                        view.message,
                        view.kinds,
                        view.consent,
                        view.recalled_by,
                        view.media,
                        marks,
                    )
                )
                if len(views) == limit:
                    return Found(views, withheld, before)
            if len(rows) < at_once:
                return Found(views, withheld, None)
        return Found(views, withheld, before)

    def file(self, sha256: str, scope: Scope = EVERYBODY) -> ArchiveFile | None:
        """Return a file that stands in a message which the reader may see; None otherwise."""
        name = self.files.name_of(sha256.lower())
        row = ArchiveFile.get_or_none(ArchiveFile.name == name)
        if row is None:
            return None
        naming = ArchiveMedia.select(ArchiveMedia.message).where(ArchiveMedia.file == name)
        rows = _within(ArchiveMessage.select().where(ArchiveMessage.position.in_(naming)), scope)
        views = self.open(list(rows.order_by(ArchiveMessage.position).limit(AT_ONCE)))
        return row if any(not one.is_withheld for one in views) else None

    def open(self, rows: Sequence[ArchiveMessage]) -> list[View]:
        """Open rows, in their order."""
        messages = [self._opened(row) for row in rows]
        people = {one for message in messages if message for one in message.people}
        kinds = kinds_of(people)
        histories = Histories(one for one in people if kinds[one] == CUSTOMER)
        now_called = _now_called(people)
        recalled = _recalls(rows)
        media = self._media(rows)
        return [
            View(
                row,
                message,
                kinds,
                histories.state(message, kinds, now_called) if message else NOT_NEEDED,
                recalled.get(row.msgid),
                media.get(row.position, ()),
            )
            for row, message in zip(rows, messages, strict=True)
        ]

    def _opened(self, row: ArchiveMessage) -> Message | None:
        if row.state != STORED:
            return None
        try:
            salted = self._day_keys.open(row.day, MESSAGE, place_of(row).row, row.sealed)
            return parse(salted[SALT_BYTES:], row.pulled_at)
        except (VaultError, NotAMessage):
            return None

    def _marks(self, view: View, words: Sequence[str]) -> list[tuple[int, int]] | None:
        """Return where the words stand; None: this is not what is looked for."""
        if not words:
            return []
        return highlights(view.message.text, words) if view.message else None

    def _media(self, rows: Sequence[ArchiveMessage]) -> dict[int, list[MediaView]]:
        days = {row.position: row.day for row in rows}
        found: dict[int, list[MediaView]] = {}
        for some in _some(list(days)):
            query = ArchiveMedia.select().where(ArchiveMedia.message.in_(some))
            listed = list(query.order_by(ArchiveMedia.message, ArchiveMedia.number))
            names = [one.file for one in listed if one.file]
            files = {
                one.name: one for one in ArchiveFile.select().where(ArchiveFile.name.in_(names))
            }
            for one in listed:
                file = files.get(one.file or "")
                try:
                    filename = ref_of(one, days[one.message], self._day_keys).filename
                except VaultError:
                    filename = ""
                view = MediaView(
                    self.files.sha256_of(file) if file else None,
                    file.type if file else None,
                    file.size if file else one.size,
                    one.state,
                    filename,
                )
                found.setdefault(one.message, []).append(view)
        return found


def _candidates(
    wanted: Wanted, numbers: Sequence[int], before: int | None, scope: Scope, most: int
) -> list[ArchiveMessage]:
    """Return messages that may be what is looked for, those that came last first."""
    query = _narrowed(wanted, scope)
    if before is not None:
        query = query.where(ArchiveMessage.position < before)
    query = query.order_by(ArchiveMessage.position.desc()).limit(most)
    if not numbers:
        return list(query)
    if not isinstance(database.obj, PostgresqlDatabase):
        return _candidates_of_sqlite(query, numbers, before, most)
    has: Any = SQL("pairs @> %s::integer[]", [list(numbers)])
    newest: Any = ArchiveMessage.select(fn.MAX(ArchiveMessage.position)).scalar()
    floor = (newest if before is None else before) or 0
    recent = list(query.where(ArchiveMessage.position > floor - NEWEST, has))
    if len(recent) == most:
        return recent
    older = query.where(ArchiveMessage.position <= floor - NEWEST, has)
    return recent + list(older.limit(most - len(recent)))


def _candidates_of_sqlite(
    query: "ModelSelect[ArchiveMessage]", numbers: Sequence[int], before: int | None, most: int
) -> list[ArchiveMessage]:
    """Ask the index in its own order, some hundreds at a time, until enough of them fit."""
    match = " ".join(map(as_word, numbers))
    found: list[ArchiveMessage] = []
    last = before if before is not None else 2**62
    while len(found) < most:
        cursor = database.execute_sql(
            "SELECT rowid FROM archive_pairs WHERE archive_pairs MATCH ? AND rowid < ?"
            " ORDER BY rowid DESC LIMIT ?",
            (match, last, AT_ONCE),
        )
        positions = [position for (position,) in cursor.fetchall()]
        if not positions:
            break
        last = positions[-1]
        fitting = query.where(ArchiveMessage.position.in_(positions))
        found += list(fitting.limit(most - len(found)))
    return found


def _narrowed(wanted: Wanted, scope: Scope) -> "ModelSelect[ArchiveMessage]":
    query = _within(ArchiveMessage.select().where(ArchiveMessage.state == STORED), scope)
    if wanted.userids:
        names = {name for one in wanted.userids for name in Staff.names_of(one)}
        query = query.where(_takes_part(names))
    if wanted.external_userids:
        query = query.where(_takes_part(wanted.external_userids))
    if wanted.chat_ids:
        query = query.where(ArchiveMessage.chat_id.in_(list(wanted.chat_ids)))
    if wanted.msgtypes:
        query = query.where(ArchiveMessage.msgtype.in_(list(wanted.msgtypes)))
    if wanted.since is not None:
        query = query.where(ArchiveMessage.sent_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(ArchiveMessage.sent_at < wanted.until)
    return query


def _takes_part(people: Iterable[str]) -> Any:
    """The SQL of messages of a conversation with somebody in it, while they were in it."""
    listed = sorted(people)
    talking = ArchiveParticipant.select(ArchiveParticipant.conversation).where(
        ArchiveParticipant.person.in_(listed),
        ArchiveParticipant.conversation == ArchiveMessage.conversation,
        ArchiveParticipant.first_at <= ArchiveMessage.sent_at,
        ArchiveParticipant.last_at >= ArchiveMessage.sent_at,
    )
    talks = ArchiveParticipant.select(ArchiveParticipant.conversation).where(
        ArchiveParticipant.person.in_(listed)
    )
    is_within: Any = ArchiveMessage.conversation.in_(talks) & fn.EXISTS(talking)
    alone: Any = ArchiveMessage.conversation.is_null() & ArchiveMessage.sender.in_(listed)
    return is_within | alone


def _within(query: "ModelSelect[ArchiveMessage]", scope: Scope) -> "ModelSelect[ArchiveMessage]":
    """Keep the messages of conversations with a member within."""
    if scope.is_firm:
        return query
    members: Any = scope.of_members(Staff.select(Staff.userid), Staff.userid)
    former: Any = scope.of_members(FormerUserid.select(FormerUserid.former), FormerUserid.userid)
    talks = ArchiveParticipant.select(ArchiveParticipant.conversation).where(
        ArchiveParticipant.person.in_(members) | ArchiveParticipant.person.in_(former)
    )
    alone: Any = ArchiveMessage.conversation.is_null() & (
        ArchiveMessage.sender.in_(members) | ArchiveMessage.sender.in_(former)
    )
    return query.where(ArchiveMessage.conversation.in_(talks) | alone)


def _recalls(rows: Sequence[ArchiveMessage]) -> dict[str, str]:
    """Return by which message each of these was taken back."""
    found: dict[str, str] = {}
    for some in _some([row.msgid for row in rows]):
        recalls = ArchiveMessage.select(ArchiveMessage.msgid, ArchiveMessage.recalls).where(
            ArchiveMessage.recalls.is_null(False), ArchiveMessage.recalls.in_(some)
        )
        found |= {row.recalls: row.msgid for row in recalls if row.recalls}
    return found


def _now_called(people: Iterable[str]) -> dict[str, str]:
    listed = sorted(people)
    rows = [
        row
        for some in _some(listed)
        for row in FormerUserid.select().where(FormerUserid.former.in_(some))
    ]
    return {row.former: row.userid for row in rows}


def _some(values: Sequence[Any]) -> Iterable[list[Any]]:
    return (list(values[start : start + AT_ONCE]) for start in range(0, len(values), AT_ONCE))
