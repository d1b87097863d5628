"""The keys that seal, each wrapped by the master key; and the places of what they seal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import BlobField, IntegerField

from bot.db import Model, UTCDateTimeField, connection
from bot.models.archive import ArchiveDayKey, ArchiveFile
from bot.models.audit import AuditEntry
from bot.models.effect import Effect
from bot.models.inbox_event import InboxArchive, InboxEvent
from bot.models.login import SecondFactor
from bot.models.wecom_state import AccessToken
from bot.vault import Cell, WrappedKey, WrongKey

# The act of the audit entry that says under which key the database was begun.
ESTABLISHED = "keys.establish"
ACCESS_TOKEN = Cell("access token", "access_token.sealed")
# An event keeps its payload as it is when it moves to the archive.
PAYLOAD = Cell("inbox payload", "inbox_event.payload")
MESSAGE = Cell("app message", "effect.sealed_text")
CARD = Cell("what a card says after a click", "effect.sealed_text")
SECOND_FACTOR = Cell("second factor", "second_factor.secret")
DAY_KEY = Cell("archive day key", "archive_day_key.sealed")
FILE = Cell("archive file", "archive_file.sealed")


class DataKey(Model):
    """One key: the one with the largest number seals, the others open what they sealed."""

    id = IntegerField(primary_key=True)
    wrapped = BlobField()
    created_at = UTCDateTimeField()

    @classmethod
    def all_wrapped(cls) -> list[WrappedKey]:
        """Read them all, in the order of their numbers.

        Raises:
            WrongKey: there were some, and they are gone.
        """
        with connection():
            rows = list(cls.select().order_by(cls.id))
            if not rows and AuditEntry.select().where(AuditEntry.act == ESTABLISHED).exists():
                # Else whoever removes them would have the master key believed by itself again.
                raise WrongKey("the data keys of this database are gone: bring back a backup")
        return [WrappedKey(row.id, bytes(row.wrapped)) for row in rows]


@dataclass(frozen=True)
class SealedColumn:
    """Where sealed values stand: each belongs to the row that ``row`` names."""

    cells: Sequence[Cell]
    model: type[Model]
    column: Any
    row: Any

    @property
    def primary_key(self) -> Any:
        return self.model._meta.primary_key


SEALED = (
    SealedColumn((ACCESS_TOKEN,), AccessToken, AccessToken.sealed, AccessToken.secret_name),
    SealedColumn((SECOND_FACTOR,), SecondFactor, SecondFactor.secret, SecondFactor.actor),
    SealedColumn((MESSAGE, CARD), Effect, Effect.sealed_text, Effect.identity),
    SealedColumn((PAYLOAD,), InboxEvent, InboxEvent.payload, InboxEvent.key),
    SealedColumn((PAYLOAD,), InboxArchive, InboxArchive.payload, InboxArchive.key),
    SealedColumn((DAY_KEY,), ArchiveDayKey, ArchiveDayKey.sealed, ArchiveDayKey.day),
    SealedColumn((FILE,), ArchiveFile, ArchiveFile.sealed, ArchiveFile.name),
)
