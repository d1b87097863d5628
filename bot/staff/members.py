"""Members and departments as managers list them: who serves, who is away, who leaves, who left."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import JOIN, ModelSelect

from bot.identity.access import Scope
from bot.models import (
    Conflict,
    Department,
    Handover,
    Relation,
    RoleGrant,
    Staff,
    StaffDepartment,
)
from bot.models.conflict import OPEN
from bot.models.customer import LIVE_RELATIONS
from bot.models.granting import genuine
from bot.models.handover import CANCELLED, HANDOVER_OPEN, OFFBOARDING
from bot.models.staff import ACTIVE, name_of
from bot.models.staff import LEFT as GONE
from bot.rights import below
from bot.staff.staff import customers_owned

# What a member is now; the first that holds.
LEFT, INACTIVE, LEAVING, ON_LEAVE, SERVING, NOT_SERVING = (
    "left",
    "inactive",
    "leaving",
    "on_leave",
    "serving",
    "not_serving",
)
STATES = (SERVING, ON_LEAVE, LEAVING, LEFT, INACTIVE, NOT_SERVING)


@dataclass(frozen=True)
class Line:
    """A member as one line of a list. ``capacity`` None: WeCom's own limit."""

    member: Staff
    state: str
    customers: int
    capacity: int | None

    @property
    def is_full(self) -> bool:
        return self.capacity is not None and self.customers >= self.capacity


@dataclass
class Place:
    """A department in its tree. ``members``: here, ``everybody``: here and below."""

    id: int
    name: str
    leaders: list[str]
    depth: int = 0
    members: int = 0
    everybody: int = 0
    below: "list[Place]" = field(default_factory=list)


def find_members(
    text: str, state: str, departments: Collection[int] | None, scope: Scope
) -> "ModelSelect[Staff]":
    """Find members by their name or account, by name.

    Args:
        text: part of a name or userid; "" for all.
        state: one of ``STATES``, or "" for all.
        departments: only members of these; None: of all.
        scope: whom the asker may see.
    """
    query = scope.of_members(Staff.select(), Staff.userid)
    if text:
        query = query.where(Staff.name.contains(text) | Staff.userid.contains(text))
    if departments is not None:
        query = query.where(Staff.userid.in_(_members_of(departments)))
    if state:
        query = query.where(_is(state))
    return query.order_by(Staff.name, Staff.userid)


def lines(members: Sequence[Staff], default_capacity: int | None) -> list[Line]:
    """Complete the members of ``find_members``, two queries for all of them."""
    userids = [member.userid for member in members]
    owned = customers_owned(userids)
    gone = {row.userid for row in _leaving().where(Handover.userid.in_(userids))}
    return [
        Line(
            member,
            state_of(member, member.userid in gone),
            owned.get(member.userid, 0),
            default_capacity if member.capacity is None else member.capacity,
        )
        for member in members
    ]


def state_of(member: Staff, is_leaving: bool) -> str:
    """Say what a member is now, in the order of ``_is``."""
    if member.left_at is not None or member.status == GONE:
        return LEFT
    if member.status != ACTIVE:
        return INACTIVE
    if is_leaving:
        return LEAVING
    if member.on_leave or not member.on_duty:
        return ON_LEAVE
    return SERVING if member.serves else NOT_SERVING


def with_below(departments: Iterable[int], known: Mapping[int, Department]) -> frozenset[int]:
    """Return these departments and all below them."""
    return below(departments, {number: row.parent_id for number, row in known.items()})


def tree(known: Mapping[int, Department], shown: Iterable[int]) -> list[Place]:
    """Return the departments that are shown, each in the one above it."""
    places = {
        number: Place(number, name_of(number, known), list(known[number].leaders))
        for number in shown
        if number in known
    }
    roots: list[Place] = []
    for number, place in places.items():
        above = places.get(known[number].parent_id)
        (above.below if above is not None and above is not place else roots).append(place)
    for root in roots:
        _set_depth(root, 0)
    return roots


def count(roots: Iterable[Place]) -> None:
    """Count the members of the departments in a tree; whoever has left is not counted."""
    memberships: Any = (
        StaffDepartment.select(StaffDepartment.department_id, StaffDepartment.userid)
        .join(Staff, on=(Staff.userid == StaffDepartment.userid))
        .where(Staff.left_at.is_null())
        .tuples()
    )
    direct: dict[int, set[str]] = {}
    for number, userid in memberships:
        direct.setdefault(number, set()).add(userid)
    for root in roots:
        _count(root, direct)


def flat(places: Iterable[Place]) -> list[Place]:
    """Return a tree from above to below."""
    found: list[Place] = []
    for place in places:
        found += [place, *flat(place.below)]
    return found


def roles_of(userid: str) -> list[RoleGrant]:
    """Return the roles that were granted to a member."""
    granted = RoleGrant.select().where(RoleGrant.actor == userid, RoleGrant.revoked_at.is_null())
    return genuine(granted.order_by(RoleGrant.id))


def open_handovers_of(userid: str) -> list[Handover]:
    """Return the handovers of a member's customers that are not done."""
    query = Handover.select().where(Handover.userid == userid, Handover.state.in_(HANDOVER_OPEN))
    return list(query.order_by(Handover.id.desc()))


def open_conflicts_of(userid: str) -> int:
    """Count the open conflicts over customers whom a member owns or is in contact with."""
    met = Relation.select(Relation.external_userid).where(
        Relation.userid == userid, Relation.state.in_(LIVE_RELATIONS)
    )
    involved = (Conflict.owner == userid) | Conflict.external_userid.in_(met)
    return int(Conflict.select().where(Conflict.state == OPEN, involved).count())


def _is(state: str) -> Any:
    """The members in a state, as ``state_of`` says it."""
    here = Staff.left_at.is_null() & (Staff.status == ACTIVE)
    stays = here & Staff.userid.not_in(_leaving())
    away = Staff.on_leave | ~Staff.on_duty
    return {
        LEFT: Staff.left_at.is_null(False) | (Staff.status == GONE),
        INACTIVE: Staff.left_at.is_null() & Staff.status.not_in((ACTIVE, GONE)),
        LEAVING: here & Staff.userid.in_(_leaving()),
        ON_LEAVE: stays & away,
        SERVING: stays & ~away & Staff.serves,
        NOT_SERVING: stays & ~away & ~Staff.serves,
    }[state]


def _leaving() -> "ModelSelect[Handover]":
    """The members with an offboarding, also a finished one, who did not come back since: those
    whom bot.staff.staff gives no customer."""
    other = Staff.alias()
    return (
        Handover.select(Handover.userid)
        .join(other, JOIN.LEFT_OUTER, on=(other.userid == Handover.userid))
        .where(
            Handover.kind == OFFBOARDING,
            Handover.state != CANCELLED,
            Handover.state.in_(HANDOVER_OPEN)
            | other.returned_at.is_null()
            | (other.returned_at < Handover.created_at),
        )
    )


def _members_of(departments: Iterable[int]) -> "ModelSelect[StaffDepartment]":
    return StaffDepartment.select(StaffDepartment.userid).where(
        StaffDepartment.department_id.in_(sorted(departments))
    )


def _set_depth(place: Place, depth: int) -> None:
    place.depth = depth
    for one in place.below:
        _set_depth(one, depth + 1)


def _count(place: Place, direct: Mapping[int, set[str]]) -> set[str]:
    here = direct.get(place.id, set())
    everybody = here.union(*(_count(one, direct) for one in place.below))
    place.members, place.everybody = len(here), len(everybody)
    return everybody
