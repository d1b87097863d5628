"""Who may do what: roles, rights, and how far a right goes. What no right names, nobody may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import LazyString


class Role(StrEnum):
    """What somebody is in the firm; one person may be several things."""

    ADMINISTRATOR = "administrator"
    COMPLIANCE_OFFICER = "compliance_officer"
    REVIEWER = "reviewer"
    SALES_MANAGER = "sales_manager"
    HR = "hr"
    AUDITOR = "auditor"
    STAFF = "staff"


class Reach(StrEnum):
    """Over whom a right goes."""

    FIRM = "firm"
    DEPARTMENTS = "departments"
    OWN = "own"


class Topic(StrEnum):
    """What pages and rights are about: the groups of the console's menu, in their order."""

    TODAY = "today"
    CUSTOMERS = "customers"
    PEOPLE = "people"
    COMPLIANCE = "compliance"
    OPERATION = "operation"


@dataclass(frozen=True, eq=False)
class Right:
    """One thing to see or to do: what it is called, and over whom it goes for each role.

    Whoever has none of these roles lacks it. IT runs the house and sees no customer; compliance
    and audit see all and change no customer.
    """

    name: str
    topic: Topic
    title: LazyString
    roles: Mapping[Role, Reach]


# Roles that mean something only over departments; the others are held over the whole firm.
OVER_DEPARTMENTS = (Role.SALES_MANAGER,)
# What WeCom itself says of a member: nobody grants it.
FROM_WECOM = (Role.STAFF,)


@dataclass(frozen=True)
class Grant:
    """A role that somebody has; ``department_id`` with all below it, or None: the whole firm."""

    role: Role
    department_id: int | None = None


@dataclass(frozen=True)
class Extent:
    """Over whom one person's right goes: everybody, or some departments and perhaps oneself."""

    is_firm: bool = False
    departments: frozenset[int] = frozenset()
    is_own: bool = False

    @property
    def is_nobody(self) -> bool:
        return not (self.is_firm or self.departments or self.is_own)


def roles_apart(pairs: Iterable[Iterable[str]]) -> Mapping[Role, frozenset[Role]]:
    """Return of each role those that must not meet it in one person.

    Raises:
        ValueError: a pair is none, or names a role that there is not.
    """
    apart: dict[Role, set[Role]] = {role: set() for role in Role}
    for pair in pairs:
        one, other = map(Role, pair)
        if one is other:
            raise ValueError(f"{one} cannot be kept apart from itself")
        apart[one].add(other)
        apart[other].add(one)
    return {role: frozenset(others) for role, others in apart.items()}


def extent(right: Right, grants: Iterable[Grant]) -> Extent:
    """Decide how far a right goes for somebody with these roles; over nobody: they lack it."""
    is_firm, is_own, departments = False, False, set()
    for grant in grants:
        reach = right.roles.get(grant.role)
        if reach is Reach.OWN:
            is_own = True
        elif reach is Reach.DEPARTMENTS and grant.department_id is not None:
            departments.add(grant.department_id)
        elif reach is not None:
            is_firm = True
    return Extent(is_firm, frozenset(departments), is_own)


def below(departments: Iterable[int], parents: Mapping[int, int]) -> frozenset[int]:
    """Return these departments and all below them.

    Args:
        parents: of each department the one above it.
    """
    children: dict[int, list[int]] = {}
    for department, parent in parents.items():
        children.setdefault(parent, []).append(department)
    found: set[int] = set()
    waiting = list(departments)
    while waiting:
        department = waiting.pop()
        if department not in found:
            found.add(department)
            waiting += children.get(department, [])
    return frozenset(found)


# So many customers may be moved without a second factor.
MOST_CUSTOMERS = 20


def is_small(customers: int) -> bool:
    """A click proves only who clicked, so it decides no more than this; a page asks again."""
    return customers <= MOST_CUSTOMERS
