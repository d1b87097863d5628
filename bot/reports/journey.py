"""All that Kegui remembers of one customer, in the order in which it happened."""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from bot.customers.conflicts import identities_of_messages
from bot.db import Model
from bot.handover.progress import attempts_of, is_moving
from bot.models import (
    Allocation,
    Conflict,
    Consent,
    Customer,
    Effect,
    GapDigest,
    Handover,
    HandoverItem,
    InboxHistory,
    Notice,
    Ownership,
    Relation,
    TransferAttempt,
)
from bot.models.handover import CUSTOMER
from bot.models.inbox_event import EVENT_COLUMNS
from bot.models.notice import ARRIVED

EVENT = "event"
NOTICE = "notice"
CONSENT = "consent"
ALLOCATION = "allocation"
OWNERSHIP = "ownership"
CONFLICT = "conflict"
SETTLEMENT = "settlement"
HANDOVER = "handover"
MESSAGE = "message"
DIGEST = "digest"
# What of one moment comes first: the cause before its consequence.
_ORDER = (
    EVENT, NOTICE, CONSENT, ALLOCATION, SETTLEMENT, OWNERSHIP, CONFLICT, MESSAGE, DIGEST, HANDOVER
)  # fmt: skip
# A customer of many years must not make a page without end.
LATEST_EVENTS = 500


@dataclass(frozen=True)
class Step:
    """One thing that happened; ``row`` is what the models remember of it.

    ``template`` is that of a message, as in config/notices.toml, where it is known.
    """

    at: datetime
    kind: str
    row: Model
    attempts: tuple[TransferAttempt, ...] = ()
    recipient: str | None = None
    template: str = ""


@dataclass(frozen=True)
class Contact:
    """A member in contact with the customer now or once, and the latest answer about archiving."""

    relation: Relation
    consent: Consent | None


@dataclass(frozen=True)
class Journey:
    customer: Customer
    owner: Ownership | None
    contacts: list[Contact]
    group_consents: list[Consent]
    steps: list[Step]

    def under_way(self) -> HandoverItem | None:
        """Return the item of a handover that moves the customer now."""
        items: list[Any] = [step.row for step in self.steps if step.kind == HANDOVER]
        return next(filter(is_moving, items), None)

    def needless_notices(self) -> set[int]:
        """Name the notices that did not arrive where another of the same contact did."""
        since = {contact.relation.userid: contact.relation.noted_at for contact in self.contacts}
        notices: list[Any] = [step.row for step in self.steps if step.kind == NOTICE]
        of_now = [one for one in notices if one.userid in since and one.at >= since[one.userid]]
        told = {one.userid for one in of_now if one.state in ARRIVED}
        return {one.id for one in of_now if one.userid in told and one.state not in ARRIVED}


def journey_of(external_userid: str) -> Journey | None:
    """Tell one customer's story; None when nobody knows the customer."""
    customer = Customer.get_or_none(Customer.external_userid == external_userid)
    if customer is None:
        return None
    consents = sorted(_rows(Consent, external_userid), key=lambda row: (row.since, row.id))
    latest = {row.userid: row for row in consents if row.userid}
    in_groups = {row.chat_id: row for row in consents if row.chat_id}
    relations = Relation.select().where(Relation.external_userid == external_userid)
    return Journey(
        customer=customer,
        owner=Ownership.current(external_userid),
        contacts=[
            Contact(relation, latest.get(relation.userid))
            for relation in relations.order_by(Relation.added_at)
        ],
        group_consents=list(in_groups.values()),
        steps=_steps(external_userid, consents),
    )


def _steps(external_userid: str, consents: list[Any]) -> list[Step]:
    events = list(
        InboxHistory.select(*EVENT_COLUMNS)
        .where(InboxHistory.external_userid == external_userid)
        .order_by(InboxHistory.id.desc())
        .limit(LATEST_EVENTS)
    )
    conflicts = _rows(Conflict, external_userid)
    steps = [Step(row.received_at, EVENT, row) for row in events]
    steps += [Step(row.at, NOTICE, row) for row in _rows(Notice, external_userid)]
    steps += [Step(row.recorded_at, CONSENT, row) for row in consents]
    steps += [Step(row.decided_at, ALLOCATION, row) for row in _rows(Allocation, external_userid)]
    steps += [Step(row.since, OWNERSHIP, row) for row in _rows(Ownership, external_userid)]
    steps += [Step(row.opened_at, CONFLICT, row) for row in conflicts]
    steps += [Step(row.resolved_at, SETTLEMENT, row) for row in conflicts if row.resolved_at]
    steps += [Step(row.told_at, DIGEST, row) for row in _rows(GapDigest, external_userid)]
    steps += _messages([row.id for row in events], conflicts)
    steps += _handovers(external_userid)
    return sorted(steps, key=lambda step: (step.at, _ORDER.index(step.kind)))


def _rows(model: Any, external_userid: str) -> list[Any]:
    query = model.select().where(model.external_userid == external_userid)
    return list(query.order_by(model.id))


def _messages(event_ids: list[int], conflicts: list[Any]) -> list[Step]:
    """The app messages that these events caused, and those about conflicts, which a person may
    report and settle; an identity names whom it was for."""
    found: list[Any] = [Effect.event_id.in_(event_ids)] if event_ids else []
    templates: dict[str, str] = {}
    for conflict in conflicts:
        templates |= identities_of_messages(conflict)
    if templates:
        found.append(Effect.identity.in_(list(templates)))
    if not found:
        return []
    query = Effect.select().where(Effect.kind == "app_message", reduce(or_, found))
    return [
        Step(
            row.started_at,
            MESSAGE,
            row,
            recipient=row.identity.split(":")[1],
            template=templates.get(row.identity, ""),
        )
        for row in query.order_by(Effect.id)
    ]


def _handovers(external_userid: str) -> list[Step]:
    items = list(
        HandoverItem.select(HandoverItem, Handover)
        .join(Handover)
        .where(HandoverItem.kind == CUSTOMER, HandoverItem.subject == external_userid)
    )
    attempts = attempts_of(items)
    return [
        Step(
            attempts[item.id][0].submitted_at if attempts[item.id] else item.updated_at,
            HANDOVER,
            item,
            attempts=tuple(attempts[item.id]),
        )
        for item in items
    ]
