"""The customers a page lists: whose they are, with whom in contact, and what they agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import Expression, Field, ModelSelect, PostgresqlDatabase, fn

from bot.access import EVERYBODY, Scope
from bot.db import database
from bot.models import Consent, Customer, Ownership, Relation, Staff
from bot.models.customer import LIVE_RELATIONS

NOBODY = "none"
ANYBODY = "any"
# Whoever means one of more owners writes more of the name.
MOST_OWNERS = 100
# So many customers can be named one by one in a query.
FEW = 1_000


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
    owner_now = _owner_now()
    query = Customer.select(Customer, owner_now.alias("owner"))
    if text:
        found = _has(Customer.name, text)
        if text.isascii():
            # An id is opaque: its letters are what they are.
            found |= _has(Customer.external_userid, text, is_name=False)
        if owners := _members_called(text):
            found |= Customer.external_userid.in_(_owned_by(owners))
        are_many = owner in ("", ANYBODY) and (scope.is_firm or scope.is_large)
        query = query.where(_known_if_few(found) if are_many else found)
    if owner == NOBODY:
        query = query.where(without_owner())
    elif owner == ANYBODY:
        query = query.where(fn.COALESCE(owner_now, "") != "")
    elif owner:
        query = query.where(Customer.external_userid.in_(_owned_by([owner])))
    query = scope.of_customers(query, Customer.external_userid)
    # Both the same way round: so an index has them.
    return query.order_by(Customer.met_at.desc(), Customer.external_userid.desc()).objects()


def _known_if_few(found: Any) -> Any:
    """Look for the text in all names first, where that is quicker than to ask for each row whether
    the asker may see it: PostgreSQL looks with several workers, and asks with one."""
    query = Customer.select(Customer.external_userid).where(found).limit(FEW + 1)
    few = [customer.external_userid for customer in query]
    return Customer.external_userid.in_(few) if len(few) <= FEW else found


def without_owner() -> Any:
    """The SQL of what is true of a customer whom nobody owns: the index of those whom nobody ever
    owned gives them, and the ownerships have the last word."""
    return ~Customer.is_owned & (fn.COALESCE(_owner_now(), "") == "")


def _owner_now() -> Any:
    """The SQL of a customer's owner: looked up for each row that a page shows, where a join would
    read every ownership there is."""
    mine = Ownership.select(Ownership.userid).where(
        Ownership.external_userid == Customer.external_userid, Ownership.until.is_null()
    )
    return mine.limit(1)


def _owned_by(userids: Sequence[str]) -> "ModelSelect[Ownership]":
    return Ownership.select(Ownership.external_userid).where(
        Ownership.until.is_null(), Ownership.userid.in_(userids)
    )


def _has(field: Field, text: str, *, is_name: bool = True) -> Any:
    """Return the SQL of a field that has a text in it; of a name, whatever the case of its letters.

    PostgreSQL's ILIKE folds every row by the rules of a language, and the text with it, which takes
    several times as long as looking: a text without upper and lower case, as Chinese is, does not
    need it, and for plain letters the rules of no language do.
    """
    if not isinstance(database.obj, PostgresqlDatabase):
        return field.contains(text)
    if text.lower() == text.upper() or not is_name:
        return Expression(field, "LIKE", _pattern(text))
    if text.isascii():
        return Expression(fn.LOWER(field.collate('"C"')), "LIKE", _pattern(text.lower()))
    return Expression(field, "ILIKE", _pattern(text))


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


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
