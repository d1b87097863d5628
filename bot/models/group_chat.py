"""客户群: groups with customers in them, and who owns them."""

from peewee import CharField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField


class GroupChat(Model):
    chat_id = CharField(max_length=64, primary_key=True)
    name = CharField(max_length=255, default="")
    owner = MemberField(max_length=64, index=True)
    dismissed_at = UTCDateTimeField(null=True)
    seen_at = UTCDateTimeField()
