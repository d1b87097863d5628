"""Who somebody is, as the walls see them: their roles, and over which members each right goes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

from peewee import Field, ModelSelect, fn

from bot.audit.log import NOT_PEOPLE
from bot.db import is_one_of
from bot.models import (
    Customer,
    Department,
    Handover,
    LocalUser,
    Ownership,
    Relation,
    RoleGrant,
    Staff,
    StaffDepartment,
)
from bot.models.customer import LIVE_RELATIONS
from bot.models.granting import genuine
from bot.models.handover import CANCELLED, IS_DECIDED, OFFBOARDING
from bot.models.staff import LEFT
from bot.rights import Extent, Grant, Right, Role, below, extent, roles_apart
from config import table

LOCAL = "local:"
# No department of WeCom's has such a number (path 90208).
NO_DEPARTMENT = -1
LARGE = 200
Select = TypeVar("Select", bound="ModelSelect[Any]")


@dataclass(frozen=True)
class Scope:
    """The members over whom a right goes: all of the firm, or those of some departments (named
    with all below them), and perhaps one member."""

    is_firm: bool = False
    departments: frozenset[int] = frozenset()
    userid: str | None = None

    def has(self, *userids: str | None) -> bool:
        """Whether one of these members is within."""
        return bool(self.within(userid for userid in userids if userid))

    def within(self, userids: Iterable[str]) -> set[str]:
        """Return those of these members who are within."""
        asked = set(userids)
        if self.is_firm:
            return asked
        found = {self.userid} & asked if self.userid else set()
        if self.departments and asked:
            rows = self._members().where(StaffDepartment.userid.in_(sorted(asked)))
            found |= {row.userid for row in rows}
        return found

    def of_members(self, query: Select, field: Field) -> Select:
        """Keep the rows of members within."""
        if self.is_firm:
            return query
        if not self.departments:
            return query.where(field == (self.userid or ""))
        members: Any = self._members()
        if self.userid is not None:
            # Not "or": the database would then read every row instead of an index.
            members |= Staff.select(Staff.userid).where(Staff.userid == self.userid)
        is_within: Any = field.in_(members)
        # With many members most rows fit. PostgreSQL would fetch the rows member by member; hidden
        # in COALESCE, it reads the rows once and looks each one up.
        return query.where(fn.COALESCE(is_within, False) if self.is_large else is_within)

    def of_customers(self, query: Select, field: Any, *, one_by_one: bool = False) -> Select:
        """Keep the rows of customers whose owner or contact is within.

        Args:
            one_by_one: the query has so few rows that each is better asked about.
        """
        if self.is_firm:
            return query
        owned = Ownership.select(Ownership.external_userid).where(Ownership.until.is_null())
        met = Relation.select(Relation.external_userid).where(Relation.state.in_(LIVE_RELATIONS))
        owned = self.of_members(owned, Ownership.userid)
        met = self.of_members(met, Relation.userid)
        if one_by_one or self.is_large:
            # Nearly every row fits: ask row by row, along the order of the list, until it is full.
            # A limited subquery is asked for each row; EXISTS would be made a join with them all.
            mine: Any = owned.where(Ownership.external_userid == field).limit(1)
            contact: Any = met.where(Relation.external_userid == field).limit(1)
            return query.where((fn.COALESCE(mine, "") != "") | (fn.COALESCE(contact, "") != ""))
        return query.where(field.in_(owned | met))

    @cached_property
    def is_large(self) -> bool:
        """Whether the members within are so many that most pages are full of their customers."""
        return self._members().limit(LARGE).count() == LARGE

    def _members(self) -> "ModelSelect[StaffDepartment]":
        departments = sorted(self.departments) or [NO_DEPARTMENT]
        return StaffDepartment.select(StaffDepartment.userid).where(
            is_one_of(StaffDepartment.department_id, departments)
        )


EVERYBODY = Scope(is_firm=True)
NOBODY = Scope()


@dataclass(frozen=True)
class Access:
    """One login and its roles; ``userid`` None: a local administrator."""

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
        departments = below(goes.departments, _parents()) if goes.departments else frozenset()
        return Scope(departments=departments, userid=self.userid if goes.is_own else None)

    def may_see_customer(self, external_userid: str, right: Right) -> bool:
        """Whether the right goes over the customer's owner or one of their contacts."""
        if not self.may(right):
            return False
        found = Customer.select().where(Customer.external_userid == external_userid)
        return self.scope(right).of_customers(found, Customer.external_userid).exists()


def within_departments(departments: Iterable[int]) -> Scope:
    """Return the scope of these departments, with all below them."""
    return Scope(departments=below(departments, _parents()))


def access_of(actor: str, today: date) -> Access | None:
    """Read who somebody is; None for whoever is unknown, disabled, or has left.

    Args:
        actor: a userid, or ``local:`` and the name of a local administrator.
        today: the day it is in the firm.
    """
    if actor.startswith(LOCAL):
        name = actor.removeprefix(LOCAL)
        user = LocalUser.get_or_none(LocalUser.name == name, LocalUser.disabled_at.is_null())
        if user is None or not user.is_genuine:
            return None
        if user.userid and who_left([user.userid], today):
            return None
        return Access(actor, name, None, _granted(actor))
    member = Staff.get_or_none(Staff.userid == actor)
    if member is None or has_left(member, today):
        return None
    granted = _granted(actor)
    leads = tuple(Grant(Role.SALES_MANAGER, number) for number in _led_by(actor))
    serves = (Grant(Role.STAFF),) if member.serves else ()
    given = [grant for grant in (*leads, *serves) if not apart_from(grant.role, actor)]
    grants = (*granted, *given)
    return Access(actor, member.name or actor, actor, grants)


def humans_behind(*actors: str) -> frozenset[str]:
    """Return the people who stand behind these logins, or behind a token's owner and maker.

    A member is themselves, a local administrator the member whom they are bound to; who is bound to
    nobody stays ``local:``. Behind a terminal and behind a system stands nobody.
    """
    found = set()
    for actor in actors:
        if not actor or actor.startswith(NOT_PEOPLE):
            continue
        user = None
        if actor.startswith(LOCAL):
            user = LocalUser.get_or_none(LocalUser.name == actor.removeprefix(LOCAL))
        found.add(user.userid if user and user.userid and user.is_genuine else actor)
    return frozenset(found)


def logins_of(human: str) -> list[str]:
    """Return under which names a person acts: their own, and as a local administrator."""
    enabled = LocalUser.select(LocalUser.name).where(
        LocalUser.userid == human, LocalUser.disabled_at.is_null()
    )
    return [human, *(LOCAL + user.name for user in enabled.order_by(LocalUser.name))]


def apart_from(role: Role, human: str) -> set[Role]:
    """Return the roles granted to a person that must not meet this one in them."""
    forbidden = roles_apart(table("roles")["apart"])[role]
    if not forbidden:
        return set()
    held = {grant.role for actor in logins_of(human) for grant in _granted(actor)}
    return held & forbidden


def meetings() -> dict[str, list[Role]]:
    """Return those in whom roles meet that must not, with these roles: granted before that was
    refused."""
    bound = {LOCAL + user.name: user.userid for user in LocalUser.select()}
    return meetings_among(
        (bound.get(actor) or actor, grant.role)
        for actor, grants in people_with_roles().items()
        for grant in grants
    )


def meetings_among(granted: Iterable[tuple[str, str]]) -> dict[str, list[Role]]:
    """Return in whom of these people roles meet that must not.

    Args:
        granted: a person and a role each.
    """
    apart = roles_apart(table("roles")["apart"])
    held: dict[str, set[Role]] = {}
    for human, role in granted:
        held.setdefault(human, set()).add(Role(role))
    met = {human: {role for role in roles if apart[role] & roles} for human, roles in held.items()}
    return {human: sorted(roles, key=list(Role).index) for human, roles in met.items() if roles}


def has_left(member: Staff, today: date) -> bool:
    """Whether somebody is of the firm no more: the account is gone or disabled, or the last day
    that HR gave is over, however long WeCom keeps the account.

    A leave that waits for its approval ends nothing: one person alone locks nobody out."""
    return not member.is_here or bool(_offboarded([member], today))


def not_of_the_firm(actors: Iterable[str], today: date) -> set[str]:
    """Return those of these people whom ``access_of`` would not know, asked for all at once."""
    asked = set(actors)
    enabled = genuine(LocalUser.select().where(LocalUser.disabled_at.is_null()))
    bound = {user.userid for user in enabled if user.userid}
    gone = who_left(bound, today) if bound else set()
    here = {LOCAL + user.name for user in enabled if user.userid not in gone}
    members = [
        member for member in Staff.select().where(Staff.userid.in_(sorted(asked))) if member.is_here
    ]
    here |= {member.userid for member in members} - _offboarded(members, today)
    return asked - here


def who_left(userids: Iterable[str], today: date) -> set[str]:
    """Return those of these members who have left for good: the account is gone, or the last day is
    over; not those whose account is disabled, or whom WeCom only does not show."""
    asked = Staff.select().where(Staff.userid.in_(sorted(set(userids))))
    members = list(asked)
    gone = {one.userid for one in members if one.status == LEFT}
    return gone | _offboarded(members, today)


def _offboarded(members: Iterable[Staff], today: date) -> set[str]:
    """Those whose last day is over, and who did not come back since."""
    returned = {member.userid: member.returned_at for member in members}
    over = Handover.select(Handover.userid, Handover.created_at).where(
        Handover.kind == OFFBOARDING,
        Handover.userid.in_(sorted(returned)),
        Handover.state != CANCELLED,
        IS_DECIDED,
        Handover.last_day < today,
    )
    found = set()
    for handover in over:
        back = returned[handover.userid]
        if back is None or handover.created_at > back:
            found.add(handover.userid)
    return found


def people_with_roles() -> dict[str, list[RoleGrant]]:
    """Return the roles that are granted now, by person."""
    found: dict[str, list[RoleGrant]] = {}
    rows = RoleGrant.select().where(RoleGrant.revoked_at.is_null()).order_by(RoleGrant.id)
    for row in genuine(rows):
        found.setdefault(row.actor, []).append(row)
    return found


def _granted(actor: str) -> tuple[Grant, ...]:
    held = RoleGrant.select().where(RoleGrant.actor == actor, RoleGrant.revoked_at.is_null())
    rows = genuine(held.order_by(RoleGrant.id))
    return tuple(Grant(Role(row.role), row.department_id) for row in rows)


def _led_by(userid: str) -> list[int]:
    """The departments of which WeCom says that the member leads them (path 90208)."""
    rows: Any = Department.select(Department.id, Department.leaders).tuples()
    return [number for number, leaders in rows if userid in leaders]


def _parents() -> dict[int, int]:
    rows: Any = Department.select(Department.id, Department.parent_id).tuples()
    return dict(rows)
