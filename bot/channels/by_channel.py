"""Contact ways as people look for them: whom they lead to, and how many customers came by them."""

from collections.abc import Collection, Iterable
from typing import Any, cast

from peewee import SQL, ModelSelect, fn

from bot.identity.access import Scope
from bot.models import ContactWay, Customer, Staff
from bot.models.staff import ACTIVE


def is_within(way: ContactWay, scope: Scope) -> bool:
    """Whether a way leads to nobody but members within."""
    named = set(way.userids)
    return scope.is_firm or (bool(named) and named <= scope.within(named))


def find_ways(text: str, scope: Scope) -> "ModelSelect[ContactWay]":
    """Find ways by channel, state or remark, the latest first.

    Args:
        text: part of one of the three; "" for all.
        scope: only ways that lead to nobody else.
    """
    query = ContactWay.select().order_by(ContactWay.id.desc())
    if text:
        query = query.where(
            ContactWay.channel.contains(text)
            | ContactWay.state.contains(text)
            | ContactWay.remark.contains(text)
        )
    if not scope.is_firm:
        rows: Any = ContactWay.select(ContactWay.id, ContactWay.userids).tuples()
        ways = [(number, set(userids)) for number, userids in rows]
        within = scope.within(userid for _number, userids in ways for userid in userids)
        query = query.where(
            ContactWay.id.in_([number for number, userids in ways if userids and userids <= within])
        )
    return query


def customers_by_state(states: Iterable[str], most: int | None = None) -> dict[str, int]:
    """Count the customers whose first contact came with each of these states.

    Args:
        most: what is enough for each, where nobody reads on.
    """
    # One by one: their index alone has the answer, where for all at once every customer is read.
    came = Customer.select(SQL("1")).where(Customer.channel == ContactWay.state)
    if most is not None:
        came = came.limit(most)
    query = ContactWay.select(ContactWay.state, came.select_from(fn.COUNT(SQL("*")))).where(
        ContactWay.state.in_(sorted({state for state in states if state}))
    )
    query = query.group_by(ContactWay.state)
    return dict(cast(Any, query.tuples()))


def customers_within_by_state(states: Iterable[str], scope: Scope, latest: int) -> dict[str, int]:
    """Count, of the latest customers who came with each of these states, those within.

    Args:
        latest: how many are looked at for each: another department may share the state, and one
            does not read all of its customers to find few.
    """
    came = Customer.select(Customer.external_userid).where(Customer.channel == ContactWay.state)
    came = came.order_by(Customer.met_at.desc(), Customer.external_userid.desc()).limit(latest)
    counted: Any = came.select_from(fn.COUNT(SQL("*")))
    within = scope.of_customers(counted, came.c.external_userid, one_by_one=True)
    query = ContactWay.select(ContactWay.state, within).where(
        ContactWay.state.in_(sorted({state for state in states if state}))
    )
    return dict(cast(Any, query.group_by(ContactWay.state).tuples()))


def members_to_choose(text: str, scope: Scope, without: Collection[str], most: int) -> list[Staff]:
    """Find members who may have customers, by part of their name or account."""
    query = scope.of_members(Staff.select(), Staff.userid).where(
        Staff.serves, Staff.left_at.is_null(), Staff.status == ACTIVE
    )
    if text:
        query = query.where(Staff.name.contains(text) | Staff.userid.contains(text))
    if without:
        query = query.where(Staff.userid.not_in(sorted(without)))
    return list(query.order_by(Staff.name, Staff.userid).limit(most))
