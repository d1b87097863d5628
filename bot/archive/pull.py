"""Pull what is new: page by page until an empty one, and each page whole or not at all."""

import base64
import binascii
from collections.abc import Iterator, Sequence

import structlog

from bot import clock
from bot.archive.contents import NotAPage, PageOfRows, Row, parse_page
from bot.archive.day_keys import MESSAGE, DayKeys
from bot.archive.private_keys import PrivateKeys
from bot.archive.proof import place_of
from bot.archive.source import (
    MOST_ROWS,
    TOO_LARGE,
    UNPARSED,
    Locked,
    NotOpened,
    Source,
    SourceDied,
    SourceError,
)
from bot.archive.store import KILLED, NO_KEY, Opened, Store, opened_row, row_of
from bot.db import connection
from bot.models import ArchiveMessage, ArchiveState
from bot.vault import VaultError

log = structlog.get_logger(__name__)

# Below this SQLite's other writers wait no longer than they do for each other.
STORED_AT_ONCE = 250
RETRIED_AT_ONCE = 200
# So often in one pull the source may die; the timer comes again.
MOST_DEATHS = 12


class Puller:
    """Pulls from one source, in one thread."""

    def __init__(
        self,
        source: Source,
        keys: PrivateKeys,
        store: Store,
        day_keys: DayKeys,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._source = source
        self._keys = keys
        self._store = store
        self._day_keys = day_keys
        self._limit = self._most_rows = most_rows

    def pull(self) -> int:
        """Pull until an empty answer; returns how many messages are new.

        Raises:
            SourceError, SourceUnusable: nobody answers what is asked.
            SourceDied: it died again and again, with pages ever smaller.
            CursorMoved: somebody else pulls as well.
        """
        total = deaths = 0
        while True:
            with connection():
                state = ArchiveState.now()
            cursor = state.cursor if state else 0
            try:
                rows = self._page(cursor)
            except SourceDied:
                deaths += 1
                if deaths > MOST_DEATHS:
                    raise
                self._limit = max(1, self._limit // 2)
                log.warning("archive_page_smaller", rows=self._limit)
                continue
            except SourceError as error:
                if error.code != TOO_LARGE or self._limit == 1:
                    raise
                self._limit = max(1, self._limit // 2)
                continue
            self._limit = min(self._most_rows, self._limit * 2)
            if not any(row.seq > cursor for row in rows):
                # Also where it gives once more what we have: an empty answer moves no cursor.
                with connection():
                    self._store.note_answer(clock.now())
                return total
            for start in range(0, len(rows), STORED_AT_ONCE):
                some = rows[start : start + STORED_AT_ONCE]
                opened = list(self._open(some))
                with connection():
                    total += self._store.page(cursor, opened)
                cursor = max(cursor, some[-1].seq)

    def retry(self) -> int:
        """Try once more what could not be decrypted; returns how many messages came of it."""
        total, last = 0, 0
        versions = self._keys.versions()
        while True:
            with connection():
                rows = list(
                    ArchiveMessage.select()
                    .where(
                        ArchiveMessage.is_open,
                        ArchiveMessage.publickey_ver.in_(sorted(versions) or [-1]),
                        ArchiveMessage.position > last,
                    )
                    .order_by(ArchiveMessage.position)
                    .limit(RETRIED_AT_ONCE)
                )
                if not rows:
                    return total
                delivered = list(self._delivered(rows))
            last = rows[-1].position
            opened = list(self._open(delivered))
            with connection():
                total += self._store.late(opened)

    def look_for_keys(self) -> bool:
        """Whether the firm has put another private key there."""
        return self._keys.look()

    def _delivered(self, rows: Sequence[ArchiveMessage]) -> Iterator[Row]:
        for row in rows:
            try:
                content = self._day_keys.open(row.day, MESSAGE, place_of(row).row, row.sealed)
            except VaultError:
                log.error("archive_row_unreadable", seq=row.seq)
                continue
            yield row_of(content)

    def _page(self, cursor: int) -> list[Row]:
        content = self._source.chat_data(cursor, self._limit)
        try:
            page: PageOfRows = parse_page(content)
        except NotAPage as error:
            log.error("archive_page_unreadable", why=str(error))
            raise SourceError("GetChatData", UNPARSED) from None
        if page.errcode:
            raise SourceError("GetChatData", page.errcode)
        return sorted(page.rows, key=lambda row: row.seq)

    def _open(self, rows: Sequence[Row]) -> Iterator[Opened]:
        """Decrypt rows, in order: the key of each by ours, then the message by the library."""
        now = clock.now()
        keys = [self._key(row) for row in rows]
        locked = [
            Locked(key, row.message) for key, row in zip(keys, rows, strict=True) if key is not None
        ]
        plain = self._source.decrypt(locked) if locked else iter(())
        for key, row in zip(keys, rows, strict=True):
            if key is None:
                yield Opened(row, code=NO_KEY)
                continue
            one = next(plain)
            if isinstance(one, NotOpened):
                yield Opened(row, code=KILLED if one.code is None else one.code)
            else:
                yield opened_row(row, one, now)

    def _key(self, row: Row) -> bytes | None:
        try:
            random_key = base64.b64decode(row.random_key, validate=True)
        except (binascii.Error, ValueError):
            return None
        return self._keys.open(row.publickey_ver, random_key)
