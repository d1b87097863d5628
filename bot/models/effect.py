"""An act on the outside: recorded before it is done, and how it went."""

from peewee import BigAutoField, BigIntegerField, BlobField, CharField, IntegerField, JSONField

from bot.db import Model, UTCDateTimeField
from bot.reason import CODE_LENGTH, ReasonColumns

STARTED = "started"
DONE = "done"
REFUSED = "refused"
FAILED = "failed"
UNKNOWN = "unknown"
SETTLED = (DONE, REFUSED, UNKNOWN)

# Begun and never answered: it may have been done.
UNANSWERED = "unanswered"
# The database was restored from a backup: it may have been done since.
RESTORED = "restored"


class Effect(Model):
    """One act under an identity of its own; ``started`` without a lease: we cannot tell.

    ``failed`` means that WeCom certainly did not do it, so that it may be tried again.
    """

    id = BigAutoField()
    identity = CharField(max_length=255, unique=True)
    kind = CharField(max_length=32)
    event_id = BigIntegerField(null=True, index=True)
    state = CharField(max_length=16, default=STARTED)
    attempts = IntegerField(default=1)
    errcode = IntegerField(null=True)
    reason_code = CharField(max_length=CODE_LENGTH, default="")
    reason_facts = JSONField(default=dict)
    reason = ReasonColumns()
    # What is repeated must be the same to the letter, though a name in it is known by now.
    sealed_text = BlobField(null=True)
    started_at = UTCDateTimeField()
    lease_until = UTCDateTimeField()
    finished_at = UTCDateTimeField(null=True)

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED
