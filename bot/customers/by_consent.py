"""Customers whole: owner, relations and platform consent, in four queries for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from peewee import ModelSelect, fn

from bot.models import Consent, Customer, Ownership, Relation
from bot.models.consent import UNKNOWN
from bot.models.customer import LIVE_RELATIONS

NO_ANSWER = "no answer yet"


@dataclass(frozen=True)
class Answer:
    """The latest answer about archiving in one conversation: with a member or in a group."""

    userid: str | None
    chat_id: str | None
    state: str
    since: datetime
    evidence: str


@dataclass
class Whole:
    """A customer with all that the list and the page of one show."""

    customer: Customer
    owner: Ownership | None = None
    relations: list[Relation] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def whole_customers(customers: Sequence[Customer]) -> list[Whole]:
    """Complete these customers."""
    found = {customer.external_userid: Whole(customer) for customer in customers}
    ids = list(found)
    for owner in Ownership.select().where(
        Ownership.external_userid.in_(ids), Ownership.until.is_null()
    ):
        found[owner.external_userid].owner = owner
    for relation in (
        Relation.select()
        .where(Relation.external_userid.in_(ids))
        .order_by(Relation.added_at, Relation.id)
    ):
        found[relation.external_userid].relations.append(relation)
    for consent in _latest().where(Consent.external_userid.in_(ids)).order_by(Consent.id):
        found[consent.external_userid].answers.append(
            Answer(consent.userid, consent.chat_id, consent.state, consent.since, consent.evidence)
        )
    for whole in found.values():
        whole.answers += _unanswered(whole)
    return list(found.values())


def contacts_of(external_userid: str) -> list[Relation]:
    """Return the contacts that a customer has now, the longest first."""
    live = Relation.select().where(
        Relation.external_userid == external_userid, Relation.state.in_(LIVE_RELATIONS)
    )
    return list(live.order_by(Relation.added_at, Relation.id))


def in_contact(external_userid: str) -> list[str]:
    """Return the members in contact with a customer now, who met them first first."""
    return [contact.userid for contact in contacts_of(external_userid)]


def with_consent(query: "ModelSelect[Any]", state: str) -> "ModelSelect[Any]":
    """Keep the customers of whom one conversation that holds stands at ``state``.

    What was answered to a member who is no contact any more says nothing of today.
    """
    contact = Relation.select(Relation.id).where(
        Relation.external_userid == Consent.external_userid,
        Relation.userid == Consent.userid,
        Relation.state.in_(LIVE_RELATIONS),
    )
    # Asked of each answer: EXISTS would be made a join with every contact.
    holds = Consent.userid.is_null() | (fn.COALESCE(contact.limit(1), 0) != 0)
    stated = _latest().where(
        Consent.external_userid == Customer.external_userid, Consent.state == state, holds
    )
    matches: Any = fn.EXISTS(stated)
    if state == UNKNOWN:
        answered = Consent.select(Consent.id).where(
            Consent.external_userid == Relation.external_userid, Consent.userid == Relation.userid
        )
        silent = Relation.select(Relation.id).where(
            Relation.external_userid == Customer.external_userid,
            Relation.state.in_(LIVE_RELATIONS),
            ~fn.EXISTS(answered),
        )
        matches = matches | fn.EXISTS(silent)
    return query.where(matches)


def _latest() -> "ModelSelect[Consent]":
    """The answers that no later one in the same conversation replaced."""
    later = Consent.alias()
    newer = later.select(later.id).where(
        later.external_userid == Consent.external_userid,
        (later.userid == Consent.userid) | (later.userid.is_null() & Consent.userid.is_null()),
        (later.chat_id == Consent.chat_id) | (later.chat_id.is_null() & Consent.chat_id.is_null()),
        (later.since > Consent.since) | ((later.since == Consent.since) & (later.id > Consent.id)),
    )
    return Consent.select().where(~fn.EXISTS(newer))


def _unanswered(whole: Whole) -> list[Answer]:
    """A member in contact whom the customer has not answered stands there as unknown."""
    answered = {answer.userid for answer in whole.answers}
    return [
        Answer(relation.userid, None, UNKNOWN, relation.added_at, NO_ANSWER)
        for relation in whole.relations
        if relation.is_live and relation.userid not in answered
    ]
