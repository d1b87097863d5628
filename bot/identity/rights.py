"""Who may do what: the whole table of rights. What is not in it, nobody may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


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


class Right(StrEnum):
    """One thing to see or to do, as the audit log and the table below call it."""

    SEE_CUSTOMERS = "customers.see"
    REVEAL_PHONES = "phones.reveal"
    MOVE_CUSTOMERS = "customers.move"
    SEE_CONFLICTS = "conflicts.see"
    RESOLVE_CONFLICTS = "conflicts.resolve"
    SEE_GAPS = "gaps.see"
    SEE_OFFBOARDINGS = "offboardings.see"
    OPEN_OFFBOARDINGS = "offboardings.open"
    APPROVE_OFFBOARDINGS = "offboardings.approve"
    SEE_STAFF = "staff.see"
    CHANGE_STAFF = "staff.change"
    SEE_CONTACT_WAYS = "contact_ways.see"
    CHANGE_CONTACT_WAYS = "contact_ways.change"
    SEE_ALARMS = "alarms.see"
    SEE_EVENTS = "events.see"
    REPLAY_EVENTS = "events.replay"
    SEE_OPERATION = "operation.see"
    LIFT_PAUSES = "pauses.lift"
    READ_AUDIT = "audit.read"
    SEE_RIGHTS = "rights.see"
    PROPOSE_ROLES = "roles.propose"
    DECIDE_ROLES = "roles.decide"
    SEE_LOGINS = "logins.see"
    END_LOGINS = "logins.end"
    SEE_TOKENS = "tokens.see"
    CHANGE_TOKENS = "tokens.change"
    SEE_SETTINGS = "settings.see"
    SEE_WORDING = "wording.see"
    SIDEBAR = "sidebar"


_ADMINISTRATOR = Role.ADMINISTRATOR
_COMPLIANCE = Role.COMPLIANCE_OFFICER
_REVIEWER = Role.REVIEWER
_MANAGER = Role.SALES_MANAGER
_HR = Role.HR
_AUDITOR = Role.AUDITOR
_STAFF = Role.STAFF
_FIRM, _DEPARTMENTS, _OWN = Reach.FIRM, Reach.DEPARTMENTS, Reach.OWN

# IT runs the house and sees no customer; compliance and audit see all and change no customer.
RIGHTS: Mapping[Right, Mapping[Role, Reach]] = {
    Right.SEE_CUSTOMERS: {
        _COMPLIANCE: _FIRM,
        _REVIEWER: _FIRM,
        _MANAGER: _DEPARTMENTS,
        _AUDITOR: _FIRM,
        _STAFF: _OWN,
    },
    Right.REVEAL_PHONES: {_COMPLIANCE: _FIRM, _MANAGER: _DEPARTMENTS, _STAFF: _OWN},
    Right.MOVE_CUSTOMERS: {_MANAGER: _DEPARTMENTS},
    Right.SEE_CONFLICTS: {
        _COMPLIANCE: _FIRM,
        _MANAGER: _DEPARTMENTS,
        _AUDITOR: _FIRM,
        _STAFF: _OWN,
    },
    Right.RESOLVE_CONFLICTS: {_MANAGER: _DEPARTMENTS},
    Right.SEE_GAPS: {_COMPLIANCE: _FIRM, _MANAGER: _DEPARTMENTS, _AUDITOR: _FIRM, _STAFF: _OWN},
    Right.SEE_OFFBOARDINGS: {
        _COMPLIANCE: _FIRM,
        _MANAGER: _DEPARTMENTS,
        _HR: _FIRM,
        _AUDITOR: _FIRM,
    },
    Right.OPEN_OFFBOARDINGS: {_MANAGER: _DEPARTMENTS, _HR: _FIRM},
    Right.APPROVE_OFFBOARDINGS: {_COMPLIANCE: _FIRM, _MANAGER: _DEPARTMENTS},
    Right.SEE_STAFF: {
        _ADMINISTRATOR: _FIRM,
        _COMPLIANCE: _FIRM,
        _MANAGER: _DEPARTMENTS,
        _HR: _FIRM,
        _AUDITOR: _FIRM,
    },
    Right.CHANGE_STAFF: {_MANAGER: _DEPARTMENTS, _HR: _FIRM},
    Right.SEE_CONTACT_WAYS: {_COMPLIANCE: _FIRM, _MANAGER: _DEPARTMENTS, _AUDITOR: _FIRM},
    Right.CHANGE_CONTACT_WAYS: {_MANAGER: _DEPARTMENTS},
    Right.SEE_ALARMS: {_ADMINISTRATOR: _FIRM, _COMPLIANCE: _FIRM, _AUDITOR: _FIRM},
    Right.SEE_EVENTS: {_ADMINISTRATOR: _FIRM, _COMPLIANCE: _FIRM, _AUDITOR: _FIRM},
    Right.REPLAY_EVENTS: {_ADMINISTRATOR: _FIRM},
    Right.SEE_OPERATION: {_ADMINISTRATOR: _FIRM, _AUDITOR: _FIRM},
    Right.LIFT_PAUSES: {_ADMINISTRATOR: _FIRM},
    Right.READ_AUDIT: {_COMPLIANCE: _FIRM, _AUDITOR: _FIRM},
    Right.SEE_RIGHTS: {_ADMINISTRATOR: _FIRM, _COMPLIANCE: _FIRM, _AUDITOR: _FIRM},
    Right.PROPOSE_ROLES: {_ADMINISTRATOR: _FIRM, _COMPLIANCE: _FIRM},
    Right.DECIDE_ROLES: {_ADMINISTRATOR: _FIRM, _COMPLIANCE: _FIRM},
    Right.SEE_LOGINS: {_ADMINISTRATOR: _FIRM, _AUDITOR: _FIRM},
    Right.END_LOGINS: {_ADMINISTRATOR: _FIRM},
    Right.SEE_TOKENS: {_ADMINISTRATOR: _FIRM, _AUDITOR: _FIRM},
    Right.CHANGE_TOKENS: {_ADMINISTRATOR: _FIRM},
    Right.SEE_SETTINGS: {_ADMINISTRATOR: _FIRM, _AUDITOR: _FIRM},
    Right.SEE_WORDING: {
        _ADMINISTRATOR: _FIRM,
        _COMPLIANCE: _FIRM,
        _REVIEWER: _FIRM,
        _AUDITOR: _FIRM,
    },
    Right.SIDEBAR: {_STAFF: _OWN},
}

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
        reach = RIGHTS[right].get(grant.role)
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
