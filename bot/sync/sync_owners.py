"""Give customers without an owner one, and find owners who cannot serve any more."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

from peewee import JOIN, fn

from bot import clock
from bot.models import (
    Conflict,
    Customer,
    Handover,
    HandoverItem,
    InboxEvent,
    Ownership,
    Relation,
    Staff,
)
from bot.models import conflict as conflicts
from bot.models.customer import LIVE_RELATIONS, RELATION_ACTIVE
from bot.models.customer import SEVERAL_FOLLOWERS as TO_REVIEW
from bot.models.handover import HANDOVER_OPEN, ITEM_OPEN
from bot.models.inbox_event import OPEN_STATES
from bot.models.staff import ACTIVE
from bot.reason import Reason
from bot.sync.reading import Reading
from bot.sync.rules import (
    OWNER_GONE,
    OWNER_MISSING,
    SEVERAL_FOLLOWERS,
    Difference,
    Heir,
    Stray,
    heir_of,
)

CHUNK = 250


def settle(reading: Reading) -> None:
    """Give every customer without an owner to the only member in contact; several: a review.

    A customer of whom an event is still to be handled is left to it: it knows who came first.
    Where it stands is read from the rows themselves, so that it may be interrupted anywhere.
    """
    last = ""
    while rows := _without_owner(last):
        last = rows[-1][0]
        single = [(customer, userid) for customer, userid, number in rows if number == 1]
        several = [customer for customer, _, number in rows if number > 1]
        with reading.writing():
            _claim(reading, single)
            _review(reading, several)


def _without_owner(last: str) -> list[tuple[str, str, int]]:
    owner = Ownership.alias()
    owned = owner.select(owner.id).where(
        owner.external_userid == Relation.external_userid, owner.until.is_null()
    )
    heard_of = InboxEvent.select(InboxEvent.id).where(
        InboxEvent.external_userid == Relation.external_userid,
        InboxEvent.state.in_(OPEN_STATES),
    )
    query = (
        Relation.select(Relation.external_userid, fn.MIN(Relation.userid), fn.COUNT(Relation.id))
        .where(
            Relation.state == RELATION_ACTIVE,
            Relation.external_userid > last,
            ~fn.EXISTS(owned),
            ~fn.EXISTS(heard_of),
        )
        .group_by(Relation.external_userid)
        .order_by(Relation.external_userid)
        .limit(CHUNK)
    )
    return list(cast(Any, query.tuples()))


def _claim(reading: Reading, pairs: Sequence[tuple[str, str]]) -> None:
    """The database lets nobody take a customer whom somebody owns meanwhile."""
    if not pairs:
        return
    now = clock.now()
    taken = list(
        Ownership.insert_many(
            [
                {
                    "external_userid": customer,
                    "userid": userid,
                    "since": now,
                    **Reason("imported_only_contact").columns(),
                }
                for customer, userid in pairs
            ]
        )
        .on_conflict_ignore()
        .returning(Ownership.external_userid, Ownership.userid)
        .execute()
    )
    Customer.update(is_owned=True).where(
        Customer.external_userid.in_([row.external_userid for row in taken])
    ).execute()
    reading.note(
        [
            Difference(
                OWNER_MISSING,
                row.external_userid,
                row.userid,
                here="no owner",
                wecom=f"only contact {row.userid}",
            )
            for row in taken
        ]
    )


def _review(reading: Reading, customers: Sequence[str]) -> None:
    if not customers:
        return
    marked = (
        Customer.update(review=TO_REVIEW)
        .where(Customer.external_userid.in_(customers), Customer.review.is_null())
        .returning(Customer.external_userid)
        .execute()
    )
    reading.note(
        [
            Difference(SEVERAL_FOLLOWERS, row.external_userid, here="no owner", healed=False)
            for row in marked
        ]
    )


def look_after_strays(reading: Reading, renamed: Collection[str] = ()) -> None:
    """Find the customers whose owner is no contact any more, or has left.

    What a running handover moves is left to it, and nobody loses a customer with whom they are in
    contact. The only remaining member in contact takes over; anything else is a person's.

    Args:
        renamed: members who may be here under another userid: they lose nobody.
    """
    fit = {
        member.userid
        for member in Staff.select(Staff.userid).where(
            Staff.left_at.is_null(), Staff.status == ACTIVE, Staff.serves
        )
    }
    for ownership, owner_is_here in _strays():
        if ownership.userid in renamed:
            continue
        customer = ownership.external_userid
        contacts = [
            relation.userid
            for relation in Relation.select(Relation.userid).where(
                Relation.external_userid == customer,
                Relation.userid != ownership.userid,
                Relation.state == RELATION_ACTIVE,
            )
        ]
        in_conflict = (
            Conflict.select()
            .where(Conflict.external_userid == customer, Conflict.state == conflicts.OPEN)
            .exists()
        )
        stray = Stray(owner_is_here, contacts, [one for one in contacts if one in fit], in_conflict)
        _decide(reading, ownership, heir_of(stray), contacts)


def _strays() -> Iterator[tuple[Any, bool]]:
    """Give each stray with whether the owner is here, in chunks by the ownership's number."""
    moving = Handover.select(Handover.id).where(
        Handover.userid == Ownership.userid, Handover.state.in_(HANDOVER_OPEN)
    )
    item = HandoverItem.select(HandoverItem.id).where(
        HandoverItem.subject == Ownership.external_userid, HandoverItem.state.in_(ITEM_OPEN)
    )
    live = (
        (Relation.external_userid == Ownership.external_userid)
        & (Relation.userid == Ownership.userid)
        & Relation.state.in_(LIVE_RELATIONS)
    )
    last = 0
    while True:
        query = (
            Ownership.select(
                Ownership,
                Staff.userid.alias("member"),
                Staff.left_at.alias("left_at"),
            )
            .join(Staff, JOIN.LEFT_OUTER, on=(Staff.userid == Ownership.userid))
            .switch(Ownership)
            .join(Relation, JOIN.LEFT_OUTER, on=live)
            .where(
                Ownership.until.is_null(),
                Ownership.id > last,
                Relation.id.is_null() | Staff.left_at.is_null(False) | Staff.userid.is_null(),
                ~fn.EXISTS(moving),
                ~fn.EXISTS(item),
            )
            .order_by(Ownership.id)
            .limit(CHUNK)
        )
        rows: list[Any] = list(query.objects())
        for row in rows:
            yield row, row.member is not None and row.left_at is None
        if len(rows) < CHUNK:
            return
        last = rows[-1].id


def _decide(reading: Reading, ownership: Ownership, heir: Heir, contacts: list[str]) -> None:
    if heir.kind is None:
        return
    customer, owner = ownership.external_userid, ownership.userid
    here, wecom = f"owner {owner}", f"in contact: {','.join(sorted(contacts)) or 'nobody'}"
    with reading.writing():
        # The owner may have met the customer again in this moment.
        relation = Relation.of(customer, owner)
        is_gone = heir.kind == OWNER_GONE
        if relation is not None and relation.is_live and not is_gone:
            return
        if heir.userid is not None and not Ownership.move(
            customer,
            heir.userid,
            held_by=owner,
            at=clock.now(),
            reason=Reason("owner_lost_contact", {"run": reading.run.run}),
        ):
            return
        reading.note(
            [
                Difference(
                    heir.kind,
                    customer,
                    heir.userid or owner,
                    here=here,
                    wecom=wecom,
                    healed=heir.userid is not None,
                )
            ]
        )
