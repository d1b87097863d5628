"""Filters of a list that somebody uses again and again."""

from peewee import BigAutoField, CharField, TextField

from bot.db import Model, UTCDateTimeField


class SavedView(Model):
    """One person's view of one screen; ``query`` is the part of the address behind the ``?``."""

    id = BigAutoField()
    actor = CharField(max_length=160)
    screen = CharField(max_length=32)
    name = CharField(max_length=64)
    query = TextField()
    saved_at = UTCDateTimeField()

    class Meta:
        indexes = ((("actor", "screen", "name"), True),)
