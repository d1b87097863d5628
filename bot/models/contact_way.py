"""「联系我」: the QR codes that Kegui made, and whom they lead to."""

from peewee import BigAutoField, CharField, TextField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MembersField


class ContactWay(Model):
    """A contact way of ours; WeCom's console does not show it, so the config_id lives here."""

    id = BigAutoField()
    config_id = CharField(max_length=64, unique=True)
    qr_code = TextField(default="")
    userids = MembersField(default=list)
    state = CharField(max_length=30, default="", index=True)
    remark = CharField(max_length=30, default="")
    channel = CharField(max_length=64, default="")
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
