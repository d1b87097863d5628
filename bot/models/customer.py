"""Customers, the members they are in contact with, and whose customers they are."""

from datetime import datetime
from typing import Self

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    ForeignKeyField,
    IntegerField,
    IntegrityError,
    JSONField,
)

from bot.db import Model, UTCDateTimeField, transaction
from bot.models.conflict import Conflict
from bot.models.handover import HandoverItem
from bot.models.naming import MemberField
from bot.reason import CODE_LENGTH, Reason, ReasonColumns

RELATION_ACTIVE = "active"
RELATION_HALF = "half"
RELATION_ENDED = "ended"
LIVE_RELATIONS = (RELATION_ACTIVE, RELATION_HALF)

SEVERAL_FOLLOWERS = "several_followers"


class Customer(Model):
    """An external contact of the corporation.

    ``review`` says why a person must look at it. ``tags``: the names of the tags that members gave
    the customer in WeCom, as last read. ``is_owned``: the customer belongs to somebody; who was
    owned once never becomes nobody's, see ``Ownership``.
    """

    external_userid = CharField(max_length=64, primary_key=True)
    name = CharField(max_length=255, default="")
    type = IntegerField(null=True)
    channel = CharField(max_length=64, default="")
    tags = JSONField(default=list)
    review = CharField(max_length=32, null=True, index=True)
    met_at = UTCDateTimeField()
    is_owned = BooleanField(default=False)

    class Meta:
        indexes = (
            (("met_at", "external_userid"), False),
            (("channel", "met_at", "external_userid"), False),
        )

    @classmethod
    def meet(cls, external_userid: str, *, channel: str, met_at: datetime) -> Self:
        """Return the customer, remembered now if never met before."""
        cls.insert(
            external_userid=external_userid, channel=channel, met_at=met_at
        ).on_conflict_ignore().execute()
        return cls.get_by_id(external_userid)


# Owned customers must not stand in the way of the few whom nobody owns.
Customer.add_index(
    Customer.index(
        Customer.met_at,
        Customer.external_userid,
        name="customer_unowned",
        where=SQL("NOT is_owned"),
    )
)


class Relation(Model):
    """The contact between one member and one customer.

    ``source`` is how we learned of it: event, import (the first reading), repair (a later
    reading found it), transfer. The present stretch of the contact began at ``added_at`` by
    WeCom's clock, and we noted it at ``noted_at`` by ours. ``told_at``: when the last notice that
    arrived was sent, as far as ``bot.consent.notices.note_told`` has looked.
    """

    id = BigAutoField()
    external_userid = CharField(max_length=64)
    userid = CharField(max_length=64, index=True)
    state = CharField(max_length=16)
    source = CharField(max_length=16)
    channel = CharField(max_length=64, default="")
    added_at = UTCDateTimeField()
    noted_at = UTCDateTimeField()
    last_add_at = UTCDateTimeField(null=True)
    told_at = UTCDateTimeField(null=True)
    ended_at = UTCDateTimeField(null=True)
    end = CharField(max_length=32, null=True)

    class Meta:
        indexes = ((("external_userid", "userid"), True),)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_RELATIONS

    @classmethod
    def of(cls, external_userid: str, userid: str) -> Self | None:
        return cls.get_or_none(external_userid=external_userid, userid=userid)

    @classmethod
    def begin(
        cls,
        external_userid: str,
        userid: str,
        *,
        state: str,
        source: str,
        at: datetime,
        noted_at: datetime,
        channel: str = "",
        is_add_event: bool = False,
    ) -> Self:
        """Note that the two are in contact; a repeated notice of it changes nothing.

        A contact that had ended before begins anew. ``half`` never takes back an ``active`` one:
        the events may come in any order.
        """
        cls.insert(
            external_userid=external_userid,
            userid=userid,
            state=state,
            source=source,
            channel=channel,
            added_at=at,
            noted_at=noted_at,
        ).on_conflict_ignore().execute()
        cls.update(
            state=state,
            source=source,
            channel=channel,
            added_at=at,
            noted_at=noted_at,
            last_add_at=None,
            ended_at=None,
            end=None,
        ).where(
            cls.external_userid == external_userid,
            cls.userid == userid,
            cls.state == RELATION_ENDED,
            cls.ended_at < at,
        ).execute()
        pair = (cls.external_userid == external_userid) & (cls.userid == userid)
        # Of a contact whose end was heard of first nobody knew when it began.
        cls.update(source=source, channel=channel, added_at=at, noted_at=noted_at).where(
            pair, cls.state == RELATION_ENDED, cls.added_at == cls.ended_at, cls.ended_at >= at
        ).execute()
        if state == RELATION_ACTIVE:
            cls.update(state=RELATION_ACTIVE).where(pair, cls.state == RELATION_HALF).execute()
        if is_add_event:
            cls.update(last_add_at=noted_at).where(
                pair, cls.last_add_at.is_null() | (cls.last_add_at < noted_at)
            ).execute()
        return cls.get(pair)

    @classmethod
    def finish(
        cls,
        external_userid: str,
        userid: str,
        *,
        at: datetime,
        end: str,
        noted_at: datetime | None = None,
    ) -> None:
        """Note that the contact is over since ``at``, unless it began anew after that.

        The end is remembered also of a contact of which nothing is known yet, or that is over
        already: its beginning may be heard of later (path 90972: events come in any order).
        """
        cls.insert(
            external_userid=external_userid,
            userid=userid,
            state=RELATION_ENDED,
            source="event",
            added_at=at,
            noted_at=noted_at or at,
            ended_at=at,
            end=end,
        ).on_conflict_ignore().execute()
        is_older = (cls.added_at <= at) & (
            cls.state.in_(LIVE_RELATIONS) | (cls.ended_at.is_null(False) & (cls.ended_at < at))
        )
        cls.update(state=RELATION_ENDED, ended_at=at, end=end).where(
            cls.external_userid == external_userid, cls.userid == userid, is_older
        ).execute()


# Those who were told must not stand in the way of the few who were not: gaps are asked for often.
UNTOLD = SQL("last_add_at IS NOT NULL AND (told_at IS NULL OR told_at < noted_at)")
Relation.add_index(Relation.index(Relation.last_add_at, name="relation_untold", where=UNTOLD))


# Of whom no add event ever spoke: a reading or a handover brought them, and no notice went out.
NEVER_TOLD = SQL(
    "last_add_at IS NULL AND (told_at IS NULL OR told_at < noted_at)"
    " AND state IN ('active', 'half')"
)
Relation.add_index(
    Relation.index(
        Relation.source,
        Relation.userid,
        Relation.external_userid,
        name="relation_never_told",
        where=NEVER_TOLD,
    )
)


class Ownership(Model):
    """Who a customer belongs to, from when to when, and why: rows are added, never rewritten.

    The database allows one open row for each customer, whoever writes: that is the lock.
    """

    id = BigAutoField()
    external_userid = CharField(max_length=64, index=True)
    userid = MemberField(max_length=64, index=True)
    since = UTCDateTimeField()
    until = UTCDateTimeField(null=True)
    reason_code = CharField(max_length=CODE_LENGTH)
    reason_facts = JSONField(default=dict)
    reason = ReasonColumns()
    # What made it so: a decision, the item of a handover, a settled conflict.
    allocation_id = BigIntegerField(null=True)
    item = ForeignKeyField(HandoverItem, null=True, index=False)
    conflict = ForeignKeyField(Conflict, null=True, index=False)

    @classmethod
    def current(cls, external_userid: str) -> Self | None:
        return cls.get_or_none(cls.external_userid == external_userid, cls.until.is_null())

    @classmethod
    def claim(
        cls,
        external_userid: str,
        userid: str,
        *,
        at: datetime,
        reason: Reason,
        **made_by: int | None,
    ) -> bool:
        """Take a customer that nobody owns; False when somebody does.

        Args:
            made_by: the id of the allocation, the item or the conflict, by its column.
        """
        try:
            with transaction():
                cls.create(
                    external_userid=external_userid,
                    userid=userid,
                    since=at,
                    reason=reason,
                    **made_by,
                )
                Customer.update(is_owned=True).where(
                    Customer.external_userid == external_userid
                ).execute()
        except IntegrityError:
            return False
        return True

    @classmethod
    def move(
        cls,
        external_userid: str,
        userid: str,
        *,
        held_by: str | None,
        at: datetime,
        reason: Reason,
        **made_by: int | None,
    ) -> bool:
        """Give the customer to ``userid`` if ``held_by`` still has it (None: if nobody has).

        Args:
            made_by: as ``claim`` has it.
        """
        if held_by is None:
            return cls.claim(external_userid, userid, at=at, reason=reason, **made_by)
        try:
            with transaction():
                ended = (
                    cls.update(until=at)
                    .where(
                        cls.external_userid == external_userid,
                        cls.userid == held_by,
                        cls.until.is_null(),
                    )
                    .execute()
                )
                if not ended:
                    return False
                cls.create(
                    external_userid=external_userid,
                    userid=userid,
                    since=at,
                    reason=reason,
                    **made_by,
                )
        except IntegrityError:
            return False
        return True


# One owner at a time, guarded by the database itself.
Ownership.add_index(
    Ownership.index(
        Ownership.external_userid,
        unique=True,
        name="ownership_one_owner",
        where=SQL("until IS NULL"),
    )
)
