"""The conversation archive: messages in one chain, and what it takes to read and to prove them."""

from datetime import datetime
from typing import Any, Self

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    IntegerField,
)

from bot import clock
from bot.db import Model, PairsField, UTCDateTimeField
from bot.models.naming import MembersField

# ``ArchiveMessage.state``.
STORED = "stored"
UNDECRYPTABLE = "undecryptable"
# ``ArchiveMedia.state``: as design.md 5.5 has them.
PENDING = "pending"
MISSING = "missing"
EXPIRED = "expired"
# ``ArchiveSilence.reason``.
NO_PULL = "no_pull"
SEQ_JUMP = "seq_jump"


class ArchiveState(Model):
    """How far the archive has come; one row.

    It began at ``begun_at``. ``cursor`` is the seq of the last row that was stored,
    ``last_sent_at`` when that was sent.
    ``pulled_at``: the last time that the source answered. ``asked_at``: when WeCom said last that
    there is something new. ``position``, ``link`` and ``mac`` are the end of the chain.
    ``permitted``: whose conversations WeCom archives, as it said at ``permitted_at``.
    """

    id = IntegerField(primary_key=True)
    begun_at = UTCDateTimeField()
    cursor = BigIntegerField(default=0)
    last_sent_at = UTCDateTimeField(null=True)
    pulled_at = UTCDateTimeField(null=True)
    asked_at = UTCDateTimeField(null=True)
    trouble = CharField(max_length=160, default="")
    position = BigIntegerField(default=0)
    link = CharField(max_length=64)
    mac = CharField(max_length=64, default="")
    permitted = MembersField(default=list)
    permitted_at = UTCDateTimeField(null=True)

    @classmethod
    def now(cls) -> Self | None:
        """Return the row; None before the first pull or notice."""
        return cls.get_or_none(cls.id == 1)

    @classmethod
    def note(cls, **values: Any) -> None:
        """Write something of the row, and make it if need be."""
        cls.insert(id=1, link="0" * 64, begun_at=clock.now()).on_conflict_ignore().execute()
        cls.update(**values).where(cls.id == 1).execute()


class ArchiveMessage(Model):
    """A message, or a row that cannot be decrypted, in its place in the chain.

    ``sealed``: a salt and the message as WeCom gave it, under the key of ``day``. ``hash`` is over
    all that is said of it, ``link`` over the one before and this one: see ``bot.archive.proof``.
    An undecryptable row stays when its message comes as a row of its own; ``is_open`` until then.
    """

    position = BigIntegerField(primary_key=True)
    seq = BigIntegerField()
    msgid = CharField(max_length=128)
    state = CharField(max_length=16)
    publickey_ver = IntegerField()
    msgtype = CharField(max_length=64)
    action = CharField(max_length=16)
    sender = CharField(max_length=128)
    chat_id = CharField(max_length=128)
    conversation = BigIntegerField(null=True)
    sent_at = UTCDateTimeField()
    is_estimated = BooleanField()
    pulled_at = UTCDateTimeField()
    recalls = CharField(max_length=128, null=True)
    day = CharField(max_length=10, index=True)
    sealed = BlobField()
    pairs = PairsField(null=True)
    hash = CharField(max_length=64)
    link = CharField(max_length=64)
    is_open = BooleanField(default=False)
    code = IntegerField(null=True)

    class Meta:
        indexes = (
            (("msgid", "state"), True),
            (("seq", "position"), False),
            (("conversation", "sent_at"), False),
            (("sent_at", "position"), False),
            (("sender", "sent_at"), False),
        )


ArchiveMessage.add_index(
    ArchiveMessage.index(
        ArchiveMessage.recalls,
        name="archive_message_recalls",
        where=SQL("recalls IS NOT NULL"),
    )
)
ArchiveMessage.add_index(
    ArchiveMessage.index(
        ArchiveMessage.publickey_ver,
        name="archive_message_open",
        where=SQL("is_open"),
    )
)


class ArchiveConversation(Model):
    """A group, or two people who talk; ``kind`` is internal, external or updown."""

    id = BigAutoField()
    key = CharField(max_length=264, unique=True)
    chat_id = CharField(max_length=128, default="", index=True)
    kind = CharField(max_length=16)
    first_at = UTCDateTimeField()
    last_at = UTCDateTimeField(index=True)


class ArchiveParticipant(Model):
    """Somebody in a conversation, from the first to the last message that names them."""

    conversation = BigIntegerField()
    person = CharField(max_length=128)
    first_at = UTCDateTimeField()
    last_at = UTCDateTimeField()

    class Meta:
        primary_key = CompositeKey("conversation", "person")
        indexes = ((("person", "conversation"), False),)


class ArchiveDayKey(Model):
    """The key under which the messages of one day are sealed, itself sealed by the vault."""

    day = CharField(max_length=10, primary_key=True)
    sealed = BlobField()
    created_at = UTCDateTimeField()


class ArchiveSilence(Model):
    """A time of which the archive may lack something: nothing was pulled, or WeCom left a gap."""

    id = BigAutoField()
    reason = CharField(max_length=16)
    since = UTCDateTimeField()
    until = UTCDateTimeField()
    seq_before = BigIntegerField()
    seq_after = BigIntegerField(null=True)

    @classmethod
    def add(
        cls,
        reason: str,
        since: datetime,
        until: datetime,
        seq_before: int,
        seq_after: int | None = None,
    ) -> None:
        cls.create(
            reason=reason, since=since, until=until, seq_before=seq_before, seq_after=seq_after
        )


class ArchiveAnchor(Model):
    """The chain of messages as it was at a moment, signed."""

    position = BigIntegerField(primary_key=True)
    link = CharField(max_length=64)
    at = UTCDateTimeField()
    signature = CharField(max_length=128)


class ArchiveMedia(Model):
    """A file that a message names: to be fetched until ``deadline``, or fetched.

    ``sealed`` has what WeCom says of it; ``file`` names the ``ArchiveFile`` it has become.
    """

    id = BigAutoField()
    message = BigIntegerField()
    number = IntegerField()
    kind = CharField(max_length=64)
    sealed = BlobField()
    size = BigIntegerField(null=True)
    state = CharField(max_length=16)
    file = CharField(max_length=64, null=True, index=True)
    is_md5_right = BooleanField(null=True)
    deadline = UTCDateTimeField()
    due_at = UTCDateTimeField()
    tries = IntegerField(default=0)
    code = IntegerField(null=True)

    class Meta:
        indexes = ((("message", "number"), True), (("state", "due_at"), False))


class ArchiveFile(Model):
    """A file in the media folder, encrypted, once for each content.

    ``name`` is a keyed digest of its SHA-256; ``sealed`` has the SHA-256 itself and its key.
    """

    name = CharField(max_length=64, primary_key=True)
    sealed = BlobField()
    size = BigIntegerField()
    type = CharField(max_length=64)
    stored_at = UTCDateTimeField()
