"""The customers a page lists: whose they are, with whom in contact, and what they agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any

from peewee import Expression, Field, ModelSelect, PostgresqlDatabase, Value, fn

from bot.db import database, is_one_of
from bot.identity.access import EVERYBODY, Scope
from bot.models import Consent, Customer, Handover, Ownership, Relation, Staff
from bot.models.customer import LIVE_RELATIONS
from bot.models.handover import DONE_WITH_EXCEPTIONS, HANDOVER_OPEN, OFFBOARDING

NOBODY = "none"
ANYBODY = "any"
LEAVERS = "left"
# Whoever means one of more owners writes more of the name.
MOST_OWNERS = 100
# So many customers can be named one by one in a query; of those whom somebody owns it pays longer.
FEW = 1_000
FEW_OWNED = 3_000
# Of the letters A to Z PostgreSQL folds others to these, depending on the language.
FOLDED_TO = frozenset("iIkK")


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
        owner: a userid, however spelled, ``ANYBODY``, ``NOBODY``, ``LEAVERS``, or "" for all.
        scope: whose customers the asker may see.
    """
    owner_now = _owner_now()
    query = Customer.select(Customer, owner_now.alias("owner"))
    if text:
        are_many = owner in ("", ANYBODY) and (scope.is_firm or scope.is_large)
        query = query.where(_found(text, are_many=are_many))
    if owner == NOBODY:
        query = query.where(without_owner())
    elif owner == ANYBODY:
        query = query.where(fn.COALESCE(owner_now, "") != "")
    elif owner == LEAVERS:
        behind = left_behind(scope).select(Ownership.external_userid)
        query = query.where(_is_among(Customer.external_userid, behind))
    elif owner:
        query = query.where(Customer.external_userid.in_(_owned_by([Staff.spelled(owner)])))
    if owner != LEAVERS:
        query = scope.of_customers(query, Customer.external_userid)
    # Both the same way round: so an index has them.
    return query.order_by(Customer.met_at.desc(), Customer.external_userid.desc()).objects()


def _found(text: str, *, are_many: bool) -> Any:
    """Return the SQL of customers who have a text in their name or id, or in their owner's.

    Where the asker may see many, those with the text are looked for first, and few are named one by
    one: that is quicker than to ask for each row whether the asker may see it. With many the first
    page is soon full.
    """
    looks = [(_has(Customer.name, text), _with(Customer.name, text), FEW)]
    if text.isascii():
        # An id is opaque: its letters are what they are.
        place = Customer.external_userid
        looks.append((_has(place, text), _with(place, text), FEW))
    if owners := _members_called(text):
        owned = _owned_by(owners)
        looks.append((Customer.external_userid.in_(owned), owned, FEW_OWNED))
    few: set[str] = set()
    found: list[Any] = []
    for condition, query, most in looks:
        ids = _few(query, most) if are_many else None
        if ids is None:
            found.append(condition)
        else:
            few.update(ids)
    if few or not found:
        found.append(is_one_of(Customer.external_userid, sorted(few)))
    return reduce(or_, found)


def _few(query: "ModelSelect[Any]", most: int) -> list[str] | None:
    """Return the ids that are found, unless they are more."""
    rows: Any = query.limit(most + 1).tuples()
    ids = [external_userid for (external_userid,) in rows]
    return ids if len(ids) <= most else None


def _is_among(field: Field, query: "ModelSelect[Any]") -> Any:
    """Return the SQL of a field that has one of what a query gives; PostgreSQL runs it first, and
    does not go through all customers, the latest first, until a page of them is found."""
    if isinstance(database.obj, PostgresqlDatabase):
        return field == fn.ANY(fn.ARRAY(query))
    return field.in_(query)


def _with(field: Field, text: str) -> "ModelSelect[Any]":
    """Return the query of ids whose field has a text in it."""
    query = Customer.select(Customer.external_userid).where(_has(field, text))
    pairs = _pairs(text) if isinstance(database.obj, PostgresqlDatabase) else []
    if pairs:
        # The index of every two characters (migrations/0008_customers.py) finds them.
        indexed = fn.bigrams(field.collate('"C"'))
        query = query.where(Expression(indexed, "@>", Value(pairs, unpack=False)))
    return query


def without_owner() -> Any:
    """The SQL of what is true of a customer whom nobody owns: the index of those whom nobody ever
    owned gives them, and the ownerships have the last word."""
    return ~Customer.is_owned & (fn.COALESCE(_owner_now(), "") == "")


def left_behind(scope: Scope = EVERYBODY) -> "ModelSelect[Ownership]":
    """Select the ownerships of members who have left, or whose offboarding could not move all,
    where none is open that moves them: those wait for a person."""
    tried = (
        Handover.select(Handover.userid)
        .join(Staff, on=(Staff.userid == Handover.userid))
        .where(
            Handover.kind == OFFBOARDING,
            Handover.state == DONE_WITH_EXCEPTIONS,
            Staff.returned_at.is_null() | (Staff.returned_at < Handover.created_at),
        )
    )
    moving = Handover.select(Handover.userid).where(
        Handover.kind == OFFBOARDING, Handover.state.in_(HANDOVER_OPEN)
    )
    members = Staff.select(Staff.userid).where(
        Staff.left_at.is_null(False) | Staff.userid.in_(tried), Staff.userid.not_in(moving)
    )
    # Named one by one, those within: otherwise the planner reads every ownership there is.
    gone = [member.userid for member in scope.of_members(members, Staff.userid)]
    return Ownership.select().where(Ownership.until.is_null(), is_one_of(Ownership.userid, gone))


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


def _has(field: Field, text: str) -> Any:
    """Return the SQL of a field that has a text in it; of a name, whatever the case of its letters.

    PostgreSQL's ILIKE folds every row by the rules of a language, and the text with it, which takes
    several times as long as looking: a text without upper and lower case, as Chinese is, does not
    need it, and for plain letters the rules of no language do.
    """
    if not isinstance(database.obj, PostgresqlDatabase):
        return field.contains(text)
    if _is_without_case(text) or field is not Customer.name:
        return Expression(field, "LIKE", _pattern(text))
    if text.isascii():
        return Expression(fn.LOWER(field.collate('"C"')), "LIKE", _pattern(text.lower()))
    return Expression(field, "ILIKE", _pattern(text))


def _pairs(text: str) -> list[str]:
    """Return every two characters of a text as the index has them: with small letters for A to Z.
    Of other letters the index has only the one that is written, so they are left out, and what they
    may be folded to."""
    pairs = {first + second for first, second in pairwise(text)}
    if text.isascii() or _is_without_case(text):
        return sorted(pair.lower() for pair in pairs)
    plain = {pair for pair in pairs if pair.isascii() or _is_without_case(pair)}
    return sorted(pair.lower() for pair in plain if not FOLDED_TO.intersection(pair))


def _is_without_case(text: str) -> bool:
    return text.lower() == text.upper()


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _members_called(text: str) -> list[str]:
    if _is_without_case(text):
        # Nothing to fold, see ``_has``.
        called = _has(Staff.userid, text) | _has(Staff.name, text)
    else:
        called = Staff.userid.contains(text) | Staff.name.contains(text)
    members = Staff.select(Staff.userid).where(called)
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
