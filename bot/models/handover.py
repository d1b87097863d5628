"""Handovers: whose customers and groups go to whom, item by item, attempt by attempt."""

from typing import Self

from peewee import (
    SQL,
    BigAutoField,
    CharField,
    DateField,
    Expression,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

from bot.db import Model, UTCDateTimeField, locked
from bot.models.allocation import Allocation
from bot.models.naming import MemberField, MembersField
from bot.reason import CODE_LENGTH, ReasonColumns

OFFBOARDING = "offboarding"
IN_SERVICE = "handover"

# Whether it waits for a person's approval.
AUTO = "auto"
APPROVE = "approve"

PLANNED = "planned"
AWAITING_APPROVAL = "awaiting_approval"
SCHEDULED = "scheduled"
RUNNING = "running"
DONE = "done"
DONE_WITH_EXCEPTIONS = "done_with_exceptions"
CANCELLED = "cancelled"
HANDOVER_OPEN = (PLANNED, AWAITING_APPROVAL, SCHEDULED, RUNNING)

CUSTOMER = "customer"
GROUP = "group"

# Of an item: planned and cancelled are spelt as above.
SUBMITTED = "submitted"
WAITING = "waiting"
REFUSED = "refused"
LIMIT = "limit"
FAILED = "failed"
ITEM_IN_FLIGHT = (SUBMITTED, WAITING)
ITEM_OPEN = (PLANNED, SUBMITTED, WAITING)
ITEM_EXCEPTIONS = (REFUSED, LIMIT, FAILED)


class Handover(Model):
    """One case: a member leaves (``offboarding``) or a manager moves customers (``handover``).

    ``scope`` is the list of customers a manager named, or None for all of the member's.
    ``waits_for`` is what WeCom answered when it last could not go on, no reason when it could;
    ``waits_until``: when it is tried again.
    """

    id = BigAutoField()
    kind = CharField(max_length=16)
    userid = MemberField(max_length=64, index=True)
    last_day = DateField(null=True)
    mode = CharField(max_length=16)
    state = CharField(max_length=24, default=PLANNED, index=True)
    reason = TextField(default="")
    source = CharField(max_length=32)
    # The decision that moves the customer, where a rule did.
    allocation = ForeignKeyField(Allocation, null=True, index=False)
    allocation_id: int | None
    request_key = CharField(max_length=64, null=True)
    successors = MembersField(default=list)
    scope = JSONField(null=True)
    full_userids = MembersField(default=list)
    transfer_success_msg = TextField(default="")
    approved_by = MemberField(max_length=128, null=True)
    approved_at = UTCDateTimeField(null=True)
    contact_ways_done_at = UTCDateTimeField(null=True)
    waits_for_code = CharField(max_length=CODE_LENGTH, default="")
    waits_for_facts = JSONField(default=dict)
    waits_for = ReasonColumns()
    waits_until = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    @classmethod
    def lock(cls, handover_id: int) -> Self:
        """Return a handover as it is now, and let nobody change it before the transaction ends."""
        row: Self = locked(cls.select().where(cls.id == handover_id)).get()
        return row

    @property
    def subject(self) -> str:
        """How audit entries and proposals name it."""
        return f"{self.kind} {self.id}"


# A leaver has one open case; managers may move several lots of one member.
Handover.add_index(
    Handover.index(
        Handover.userid,
        unique=True,
        name="handover_one_open_offboarding",
        where=SQL(
            "kind = 'offboarding' AND state IN"
            " ('planned', 'awaiting_approval', 'scheduled', 'running')"
        ),
    )
)
# A form or a call that is sent twice opens one for each member.
Handover.add_index(
    Handover.index(
        Handover.userid,
        Handover.request_key,
        unique=True,
        name="handover_one_of_a_request",
    )
)


# What is true of one that waits for nobody's word.
IS_DECIDED = Handover.approved_at.is_null(False) | (Handover.mode == AUTO)


class HandoverItem(Model):
    """One customer or group of a handover, and where it stands."""

    id = BigAutoField()
    handover = ForeignKeyField(Handover, backref="items")
    handover_id: int
    kind = CharField(max_length=16)
    subject = CharField(max_length=64)
    state = CharField(max_length=16, default=PLANNED)
    takeover_userid = MemberField(max_length=64, null=True)
    reason_code = CharField(max_length=CODE_LENGTH, default="")
    reason_facts = MembersField(default=dict)
    reason = ReasonColumns()
    errcode = IntegerField(null=True)
    updated_at = UTCDateTimeField()

    class Meta:
        indexes = (
            (("handover", "kind", "subject"), True),
            (("subject", "state"), False),
            (("handover", "state"), False),
        )

    def is_as_planned(self) -> Expression:
        """What is true of the row while it is planned as it was when it was read."""
        is_as_planned: Expression = (
            (HandoverItem.id == self.id)
            & (HandoverItem.state == PLANNED)
            & (HandoverItem.takeover_userid == self.takeover_userid)
        )
        return is_as_planned

    def tries(self) -> "list[TransferAttempt]":
        """Return the attempts to move this item, oldest first."""
        query = TransferAttempt.select().where(TransferAttempt.item == self)
        return list(query.order_by(TransferAttempt.number))


# Those whom nobody takes over are few, and asked for with every look at the home page.
WITHOUT_SUCCESSOR = SQL("takeover_userid IS NULL AND state = 'planned'")
HandoverItem.add_index(
    HandoverItem.index(
        HandoverItem.handover,
        name="handover_item_without_successor",
        where=WITHOUT_SUCCESSOR,
    )
)


class TransferAttempt(Model):
    """One try to move an item, recorded before WeCom is asked.

    ``started`` after a crash means that we cannot tell: it is looked up, never repeated blindly.
    """

    id = BigAutoField()
    item = ForeignKeyField(HandoverItem, backref="attempts")
    number = IntegerField()
    takeover_userid = MemberField(max_length=64)
    endpoint = CharField(max_length=64)
    status = CharField(max_length=16, default="started")
    errcode = IntegerField(null=True)
    submitted_at = UTCDateTimeField()
    takeover_time = UTCDateTimeField(null=True)
    settled_at = UTCDateTimeField(null=True)

    class Meta:
        indexes = ((("item", "number"), True),)


class HandWork(Model):
    """What no API can do for a handover: a person must, and says when it is done."""

    id = BigAutoField()
    handover = ForeignKeyField(Handover, backref="hand_work")
    kind = CharField(max_length=32)
    subject = CharField(max_length=128)
    reason_code = CharField(max_length=CODE_LENGTH)
    reason_facts = JSONField(default=dict)
    reason = ReasonColumns()
    done_at = UTCDateTimeField(null=True)
    done_by = MemberField(max_length=128, null=True)

    class Meta:
        indexes = ((("handover", "kind", "subject"), True),)
