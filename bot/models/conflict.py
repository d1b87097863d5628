"""撞单: one customer, two members; visible until somebody settles it."""

from peewee import SQL, BigAutoField, CharField, JSONField

from bot.db import Model, UTCDateTimeField
from bot.models.naming import MemberField, MembersField

OPEN = "open"
RESOLVED = "resolved"


class Conflict(Model):
    """The owner and the others in contact with the customer; one open for each customer.

    ``resolution`` is to whom it was given and by whom, with a person's words as ``reason`` or with
    the columns of a ``Reason``. ``told_at`` is when the last of those concerned heard of it.
    """

    id = BigAutoField()
    external_userid = CharField(max_length=64, index=True)
    state = CharField(max_length=16, default=OPEN, index=True)
    owner = MemberField(max_length=64, null=True)
    contenders = MembersField(default=list)
    opened_at = UTCDateTimeField()
    resolved_at = UTCDateTimeField(null=True)
    resolution = JSONField(null=True)
    told_at = UTCDateTimeField(null=True)


Conflict.add_index(
    Conflict.index(
        Conflict.external_userid,
        unique=True,
        name="conflict_one_open",
        where=SQL("state = 'open'"),
    )
)
