"""What an operator must know, until it is over."""

from peewee import SQL, BigAutoField, CharField, TextField

from bot.db import Model, UTCDateTimeField


class Alarm(Model):
    """One trouble that a person must look at; one open row for each kind and subject."""

    id = BigAutoField()
    kind = CharField(max_length=48)
    subject = CharField(max_length=128, default="")
    text = TextField()
    what_to_do = TextField()
    since = UTCDateTimeField()
    ended_at = UTCDateTimeField(null=True)


Alarm.add_index(
    Alarm.index(
        Alarm.kind, Alarm.subject, unique=True, name="alarm_one_open", where=SQL("ended_at IS NULL")
    )
)
