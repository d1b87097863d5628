"""What a customer was told about archiving, in which version, and whether it arrived."""

from peewee import BigAutoField, BigIntegerField, CharField, IntegerField, JSONField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField
from bot.reason import CODE_LENGTH, ReasonColumns

DELIVERED = "delivered"
AWAITING_CONSENT = "awaiting_consent"
REFUSED = "refused"
MISSED = "missed"
UNKNOWN = "unknown"
NO_CODE = "no_code"
BY_HAND = "by_hand"
STATES = (DELIVERED, AWAITING_CONSENT, REFUSED, MISSED, UNKNOWN, NO_CODE, BY_HAND)
ARRIVED = (DELIVERED, BY_HAND)


class Notice(Model):
    """The outcome of one chance to tell a customer: one row for each add or approval event."""

    id = BigAutoField()
    event_id = BigIntegerField(unique=True)
    external_userid = CharField(max_length=64)
    userid = MemberField(max_length=64)
    template = CharField(max_length=64)
    version = CharField(max_length=32)
    text_sha256 = CharField(max_length=64)
    state = CharField(max_length=24)
    errcode = IntegerField(null=True)
    reason_code = CharField(max_length=CODE_LENGTH, default="")
    reason_facts = JSONField(default=dict)
    reason = ReasonColumns()
    at = UTCDateTimeField()

    class Meta:
        indexes = ((("external_userid", "userid"), False), (("state", "userid"), False))


class GapDigest(Model):
    """A member was told which customers they must tell by hand."""

    id = BigAutoField()
    userid = CharField(max_length=64, index=True)
    external_userid = CharField(max_length=64)
    added_at = UTCDateTimeField()
    told_at = UTCDateTimeField()

    class Meta:
        indexes = ((("external_userid", "userid", "added_at"), True),)
