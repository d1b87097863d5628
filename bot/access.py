"""Who somebody is, as the walls see them: their roles, and over which members each right goes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar, cast

from peewee import Field, ModelSelect

from bot.models import (
    Customer,
    Department,
    Handover,
    LocalUser,
    Ownership,
    Relation,
    RoleGrant,
    Staff,
)
from bot.models.customer import LIVE_RELATIONS
from bot.models.handover import CANCELLED, OFFBOARDING
from bot.rules.rights import Extent, Grant, Right, Role, below, extent

LOCAL = "local:"
Select = TypeVar("Select", bound="ModelSelect[Any]")


@dataclass(frozen=True)
class Scope:
    """The members over whom a right goes; ``userids`` None: all of the firm."""

    userids: frozenset[str] | None = None

    def has(self, *userids: str | None) -> bool:
        """Whether one of these members is within."""
        return self.userids is None or not self.userids.isdisjoint(userids)

    def of_members(self, query: Select, field: Field) -> Select:
        """Keep the rows of members within."""
        return query if self.userids is None else query.where(field.in_(sorted(self.userids)))

    def of_customers(self, query: Select, field: Field) -> Select:
        """Keep the rows of customers whose owner or contact is within."""
        if self.userids is None:
            return query
        owned = Ownership.select(Ownership.external_userid).where(Ownership.until.is_null())
        met = Relation.select(Relation.external_userid).where(Relation.state.in_(LIVE_RELATIONS))
        is_owned = field.in_(self.of_members(owned, Ownership.userid))
        return query.where(is_owned | field.in_(self.of_members(met, Relation.userid)))


EVERYBODY = Scope()
NOBODY = Scope(frozenset())


@dataclass(frozen=True)
class Access:
    """One person and their roles; ``userid`` None: a local administrator."""

    actor: str
    name: str
    userid: str | None
    grants: tuple[Grant, ...]

    @property
    def roles(self) -> list[Role]:
        """Each role once, in the order of ``Role``."""
        held = {grant.role for grant in self.grants}
        return [role for role in Role if role in held]

    def extent(self, right: Right) -> Extent:
        return extent(right, self.grants)

    def may(self, right: Right) -> bool:
        """Whether the right goes over anybody at all."""
        return not self.extent(right).is_nobody

    def scope(self, right: Right) -> Scope:
        """Read over which members the right goes."""
        goes = self.extent(right)
        if goes.is_firm:
            return EVERYBODY
        members = _members_of(goes.departments) if goes.departments else set()
        if goes.is_own and self.userid is not None:
            members.add(self.userid)
        return Scope(frozenset(members))

    def may_see_customer(self, external_userid: str, right: Right = Right.SEE_CUSTOMERS) -> bool:
        """Whether the right goes over the customer's owner or one of their contacts."""
        if not self.may(right):
            return False
        found = Customer.select().where(Customer.external_userid == external_userid)
        return self.scope(right).of_customers(found, Customer.external_userid).exists()


def access_of(actor: str, today: date) -> Access | None:
    """Read who somebody is; None for whoever is unknown, disabled, or has left.

    Args:
        actor: a userid, or ``local:`` and the name of a local administrator.
        today: the day it is in the firm.
    """
    if actor.startswith(LOCAL):
        name = actor.removeprefix(LOCAL)
        user = LocalUser.get_or_none(LocalUser.name == name, LocalUser.disabled_at.is_null())
        return None if user is None else Access(actor, name, None, _granted(actor))
    member = Staff.get_or_none(Staff.userid == actor)
    if member is None or has_left(member, today):
        return None
    leads = tuple(Grant(Role.SALES_MANAGER, number) for number in _led_by(actor))
    serves = (Grant(Role.STAFF),) if member.serves else ()
    grants = (*_granted(actor), *leads, *serves)
    return Access(actor, member.name or actor, actor, grants)


def has_left(member: Staff, today: date) -> bool:
    """Whether somebody is of the firm no more: the account is gone or disabled, or the last day
    that HR gave is over, however long WeCom keeps the account."""
    if not member.is_here:
        return True
    over = Handover.select().where(
        Handover.kind == OFFBOARDING,
        Handover.userid == member.userid,
        Handover.state != CANCELLED,
        Handover.last_day < today,
    )
    if member.returned_at is not None:
        over = over.where(Handover.created_at > member.returned_at)
    return over.exists()


def people_with_roles() -> dict[str, list[RoleGrant]]:
    """Return the roles that are granted now, by person."""
    found: dict[str, list[RoleGrant]] = {}
    for row in RoleGrant.select().where(RoleGrant.revoked_at.is_null()).order_by(RoleGrant.id):
        found.setdefault(row.actor, []).append(row)
    return found


def _granted(actor: str) -> tuple[Grant, ...]:
    rows = RoleGrant.select().where(RoleGrant.actor == actor, RoleGrant.revoked_at.is_null())
    return tuple(Grant(Role(row.role), row.department_id) for row in rows.order_by(RoleGrant.id))


def _led_by(userid: str) -> list[int]:
    """The departments of which WeCom says that the member leads them (path 90208)."""
    rows: Any = Department.select(Department.id, Department.leaders).tuples()
    return [number for number, leaders in rows if userid in leaders]


def _members_of(departments: Iterable[int]) -> set[str]:
    parents = dict(cast(Any, Department.select(Department.id, Department.parent_id).tuples()))
    within = below(departments, parents)
    rows: Any = Staff.select(Staff.userid, Staff.departments).tuples()
    return {userid for userid, of in rows if not within.isdisjoint(of)}
