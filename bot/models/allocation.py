"""Why a customer was given to a member: the decision as it was taken."""

from peewee import BigAutoField, BigIntegerField, CharField, JSONField, TextField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField


class Allocation(Model):
    """One decision: the rule and its version, who could have been chosen, who not and why."""

    id = BigAutoField()
    event_id = BigIntegerField(null=True, unique=True)
    external_userid = CharField(max_length=64, index=True)
    added_userid = MemberField(max_length=64)
    channel = CharField(max_length=64, default="")
    owner = MemberField(max_length=64, null=True)
    outcome = CharField(max_length=24)
    rule = CharField(max_length=128, null=True)
    rules_version = CharField(max_length=32)
    reason = TextField()
    candidates = JSONField(default=list)
    excluded = JSONField(default=list)
    decided_at = UTCDateTimeField()
