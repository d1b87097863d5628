"""What an operator must know, until it is over."""

from datetime import datetime

from peewee import SQL, BigAutoField, CharField, TextField, fn

from bot.db import Model, UTCDateTimeField

WECOM_REFUSES = "wecom_needs_operator"


class Alarm(Model):
    """One trouble that a person must look at; one open row for each kind and subject."""

    id = BigAutoField()
    kind = CharField(max_length=48)
    subject = CharField(max_length=128, default="")
    text = TextField()
    what_to_do = TextField()
    since = UTCDateTimeField()
    ended_at = UTCDateTimeField(null=True)

    @classmethod
    def end_refusals(cls, endpoint: str, now: datetime) -> None:
        """Close what was said of an endpoint that WeCom refused: it answers again."""
        about = f"{endpoint} "
        cls.update(ended_at=now).where(
            cls.kind == WECOM_REFUSES,
            fn.SUBSTR(cls.subject, 1, len(about)) == about,
            cls.ended_at.is_null(),
        ).execute()


Alarm.add_index(
    Alarm.index(
        Alarm.kind, Alarm.subject, unique=True, name="alarm_one_open", where=SQL("ended_at IS NULL")
    )
)
