"""The customers a page lists: whose they are, with whom in contact, and what they agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import JOIN, ModelSelect

from bot.access import EVERYBODY, Scope
from bot.models import Consent, Customer, Ownership, Relation, Staff
from bot.models.customer import LIVE_RELATIONS

NOBODY = "none"
ANYBODY = "any"
# Whoever means one of more owners writes more of the name.
MOST_OWNERS = 100


@dataclass(frozen=True)
class Entry:
    """A customer as one line of a list. ``consents`` holds the latest answer to each member."""

    customer: Customer
    owner: str | None
    members: list[str] = field(default_factory=list)
    consents: dict[str, str] = field(default_factory=dict)


def find_customers(text: str, owner: str, scope: Scope = EVERYBODY) -> "ModelSelect[Customer]":
    """Find customers by their name or id, or by their owner's.

    Args:
        text: part of a name or id; "" for all.
        owner: a userid, ``ANYBODY``, ``NOBODY``, or "" for all.
        scope: whose customers the asker may see.
    """
    query = Customer.select(Customer, Ownership.userid.alias("owner")).join(
        Ownership,
        JOIN.LEFT_OUTER,
        on=(Ownership.external_userid == Customer.external_userid) & Ownership.until.is_null(),
    )
    if text:
        found = Customer.name.contains(text) | Customer.external_userid.contains(text)
        if owners := _members_called(text):
            # Apart from the join: a condition on both its sides would read all of both.
            owned = Ownership.alias()
            of_them = owned.select(owned.external_userid).where(
                owned.until.is_null(), owned.userid.in_(owners)
            )
            found |= Customer.external_userid.in_(of_them)
        query = query.where(found)
    if owner == NOBODY:
        query = query.where(Ownership.userid.is_null())
    elif owner == ANYBODY:
        query = query.where(Ownership.userid.is_null(False))
    elif owner:
        query = query.where(Ownership.userid == owner)
    query = scope.of_customers(query, Customer.external_userid)
    return query.order_by(Customer.met_at.desc(), Customer.external_userid).objects()


def _members_called(text: str) -> list[str]:
    members = Staff.select(Staff.userid).where(
        Staff.userid.contains(text) | Staff.name.contains(text)
    )
    return [row.userid for row in members.order_by(Staff.userid).limit(MOST_OWNERS)]


def entries(customers: Sequence[Customer]) -> list[Entry]:
    """Complete the customers of ``find_customers``, two queries for all of them."""
    ids = [customer.external_userid for customer in customers]
    made = {
        customer.external_userid: Entry(customer, getattr(customer, "owner", None))
        for customer in customers
    }
    relations = Relation.select().where(
        Relation.external_userid.in_(ids), Relation.state.in_(LIVE_RELATIONS)
    )
    for relation in relations.order_by(Relation.added_at):
        made[relation.external_userid].members.append(relation.userid)
    answers = Consent.select().where(
        Consent.external_userid.in_(ids), Consent.userid.is_null(False)
    )
    answer: Any
    for answer in answers.order_by(Consent.since, Consent.id):
        made[answer.external_userid].consents[answer.userid] = answer.state
    return list(made.values())
