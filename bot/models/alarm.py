"""What an operator must know, until it is over."""

from datetime import datetime

from peewee import SQL, BigAutoField, CharField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MembersField
from bot.reason import CODE_LENGTH, ReasonColumns

WECOM_REFUSES = "wecom_needs_operator"


class Alarm(Model):
    """One trouble that a person must look at; one open row for each kind and subject.

    ``reason`` is what is wrong, ``advice`` what to do about it.
    """

    id = BigAutoField()
    kind = CharField(max_length=48)
    subject = CharField(max_length=128, default="")
    reason_code = CharField(max_length=CODE_LENGTH)
    reason_facts = MembersField(default=dict)
    reason = ReasonColumns()
    advice_code = CharField(max_length=CODE_LENGTH, default="")
    advice_facts = MembersField(default=dict)
    advice = ReasonColumns()
    since = UTCDateTimeField()
    ended_at = UTCDateTimeField(null=True)

    @classmethod
    def end_refusals(cls, endpoint: str, now: datetime) -> None:
        """Close what was said of an endpoint that WeCom refused: it answers again."""
        refused = cls.select().where(cls.kind == WECOM_REFUSES, cls.ended_at.is_null())
        over = [one.id for one in refused if one.reason.facts.get("endpoint") == endpoint]
        if over:
            cls.update(ended_at=now).where(cls.id.in_(over)).execute()


Alarm.add_index(
    Alarm.index(
        Alarm.kind, Alarm.subject, unique=True, name="alarm_one_open", where=SQL("ended_at IS NULL")
    )
)
