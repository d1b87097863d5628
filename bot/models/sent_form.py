"""Forms that were sent: each does once what it asks for, however often a button is pressed."""

from peewee import CharField

from bot.db import Model, UTCDateTimeField


class SentForm(Model):
    """``key``: what the page gave to the form when it was shown."""

    key = CharField(max_length=64, primary_key=True)
    sent_at = UTCDateTimeField()
