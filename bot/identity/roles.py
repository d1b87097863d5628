"""Give people roles and take them back: proposed by one, decided by another."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from peewee import Expression, IntegrityError

from bot import clock
from bot.audit.log import Who
from bot.db import database, locked, transaction
from bot.identity import proposals, second_factors, tokens
from bot.identity.access import LOCAL, access_of, apart_from, humans_behind
from bot.identity.rights import CHANGE_TOKENS
from bot.kegui import Kegui
from bot.models import Department, Proposal, RoleGrant, Staff
from bot.models.granting import genuine
from bot.rights import FROM_WECOM, OVER_DEPARTMENTS, Role

MAKES_TOKENS = tuple(CHANGE_TOKENS.roles)
GRANT = "role.grant"
REVOKE = "role.revoke"


class Obstacle(StrEnum):
    """Why a role cannot be given or taken back."""

    FROM_WECOM = "from wecom"
    NEEDS_DEPARTMENT = "needs department"
    WHOLE_FIRM = "whole firm"
    UNKNOWN_DEPARTMENT = "unknown department"
    UNKNOWN_PERSON = "unknown person"
    HAS_IT = "has it"
    LACKS_IT = "lacks it"
    LAST_ADMINISTRATOR = "last administrator"
    APART = "apart"


class NotPossible(Exception):
    """The role cannot be given or taken back so; ``why`` names the rule, the text says it.

    ``roles``: of those that must not meet in one person, the ones that are held.
    """

    def __init__(self, why: Obstacle, text: str, roles: Iterable[Role] = ()) -> None:
        super().__init__(text)
        self.why = why
        self.roles = sorted(roles)


class OwnRole(Exception):
    """Nobody decides on a role of their own."""


class NotTheirs(Exception):
    """Only whoever proposed something withdraws it."""


def check(role: Role, department_id: int | None) -> None:
    """Refuse what no grant can say.

    Raises:
        NotPossible: WeCom gives the role itself, or it needs a department and has none.
    """
    if role in FROM_WECOM:
        raise NotPossible(Obstacle.FROM_WECOM, f"{role} comes from WeCom and is granted to nobody")
    if role in OVER_DEPARTMENTS and department_id is None:
        raise NotPossible(Obstacle.NEEDS_DEPARTMENT, f"{role} needs a department")
    if role not in OVER_DEPARTMENTS and department_id is not None:
        raise NotPossible(
            Obstacle.WHOLE_FIRM, f"{role} goes over the whole firm, without a department"
        )


def propose(
    kind: str,
    actor: str,
    role: Role,
    department_id: int | None,
    by: Who,
    kegui: Kegui,
    reason: str = "",
) -> Proposal:
    """Propose to give a role, or to take it back; one may ask for a role for oneself.

    Raises:
        NotPossible: see ``check``; the person or the department is unknown, the person has left,
            has the role already or one that must not meet it, does not have what is to be taken
            back, or is the last administrator.
        NotBound: see ``bot.identity.proposals``.
        AlreadyProposed: the same is open.
    """
    check(role, department_id)
    place = "" if department_id is None else f" over {department_id}"
    with transaction():
        held = _held(actor, role, department_id)
        if kind == GRANT:
            _check_person(actor, kegui)
            _check_department(department_id)
            if held is not None:
                raise NotPossible(Obstacle.HAS_IT, f"{actor} is {role}{place} already")
            check_apart(actor, role)
        elif held is None:
            raise NotPossible(Obstacle.LACKS_IT, f"nobody granted {actor} to be {role}{place}")
        else:
            _check_another_remains(actor, role, kegui)
        return proposals.propose(
            kind,
            f"{actor} as {role}{place}",
            by,
            kegui,
            reason=reason,
            actor=actor,
            role=str(role),
            department_id=department_id,
        )


def decide(proposal: Proposal, by: Who, kegui: Kegui, *, is_approved: bool, reason: str) -> None:
    """Carry a proposal out, or refuse it.

    Raises:
        OwnRole: it is about the decider.
        NotPossible: the person who would get the role has left meanwhile or got one that must not
            meet it, or whoever would lose it has become the last administrator.
        SamePerson, NotBound, NotOpen: see ``bot.identity.proposals``.
    """
    if by.is_person(*humans_behind(proposal.terms["actor"])):
        raise OwnRole
    with transaction():
        if not is_approved:
            proposals.reject(proposal, by, kegui, reason)
            return
        terms = proposals.approve(proposal, by, kegui, reason)
        role, department_id = Role(terms["role"]), terms["department_id"]
        if proposal.kind == GRANT:
            _check_person(terms["actor"], kegui)
            grant(terms["actor"], role, department_id, by, kegui)
        else:
            _check_another_remains(terms["actor"], role, kegui)
            revoke(terms["actor"], role, department_id, by, kegui)


def withdraw(proposal: Proposal, by: Who, kegui: Kegui) -> None:
    """Take one's own proposal back.

    Raises:
        NotTheirs: another has made it: they reject it.
        NotOpen: it is decided.
    """
    if not by.is_person(*proposals.humans_of(proposal)):
        raise NotTheirs
    with transaction():
        proposals.withdraw(proposal, by, kegui)


def grant(actor: str, role: Role, department_id: int | None, by: Who, kegui: Kegui) -> bool:
    """Give a role, in the caller's transaction; False when the person has it.

    Raises:
        NotPossible: see ``check`` and ``check_apart``; the department is unknown, or the person
            has left.
    """
    check(role, department_id)
    if Department.select().exists():
        # A house that has read nothing yet takes the terminal's word.
        _check_department(department_id)
    if Staff.select().where(Staff.userid == actor, Staff.left_at.is_null(False)).exists():
        raise NotPossible(Obstacle.UNKNOWN_PERSON, f"{actor} has left the firm")
    held = RoleGrant.get_or_none(*_now(actor, role, department_id))
    if held is not None and not held.is_genuine:
        # It grants nothing, and is in the way.
        revoke(actor, role, department_id, by, kegui)
        held = None
    if held is None:
        check_apart(actor, role)
    try:
        with database.atomic():
            RoleGrant.create(
                actor=actor,
                role=str(role),
                department_id=department_id,
                granted_by=by.actor,
                granted_at=clock.now(),
            )
    except IntegrityError:
        return False
    kegui.audit.record(by, GRANT, actor, role=role, department_id=department_id)
    return True


def revoke(actor: str, role: Role, department_id: int | None, by: Who, kegui: Kegui) -> bool:
    """Take a role back, in the caller's transaction; False when the person does not have it.

    Who may make no tokens any more loses those that they made.
    """
    revoked = RoleGrant.change(
        *_now(actor, role, department_id), revoked_by=by.actor, revoked_at=clock.now()
    )
    if revoked:
        kegui.audit.record(by, REVOKE, actor, role=role, department_id=department_id)
        if role in MAKES_TOKENS and not any(
            _held(actor, other, None) is not None for other in MAKES_TOKENS
        ):
            tokens.revoke_made_by(actor, by, kegui)
    return bool(revoked)


def check_apart(actor: str, role: Role) -> None:
    """Refuse a role that must not meet another in one person, under whatever name they have it.

    Raises:
        NotPossible: they have the other one.
    """
    for human in humans_behind(actor):
        # Of one who is bound to nobody only the own name is known.
        if others := apart_from(role, human):
            named = ", ".join(sorted(others))
            raise NotPossible(
                Obstacle.APART,
                f"{human} is {named}: nobody is that and {role} (config/roles.toml)",
                others,
            )


def _held(actor: str, role: Role, department_id: int | None) -> RoleGrant | None:
    held: RoleGrant | None = RoleGrant.get_or_none(*_now(actor, role, department_id))
    return held if held is not None and held.is_genuine else None


def _now(actor: str, role: Role, department_id: int | None) -> tuple[Expression, ...]:
    """What is true of the grant that somebody holds."""
    return (
        RoleGrant.actor == actor,
        RoleGrant.role == str(role),
        RoleGrant.revoked_at.is_null(),
        RoleGrant.department_id.is_null()
        if department_id is None
        else RoleGrant.department_id == department_id,
    )


def _check_person(actor: str, kegui: Kegui) -> None:
    if access_of(actor, _today(kegui)) is None:
        raise NotPossible(Obstacle.UNKNOWN_PERSON, f"nobody of the firm is called {actor}")


def _check_another_remains(actor: str, role: Role, kegui: Kegui) -> None:
    """The house is not left without an administrator who can come in."""
    if role is not Role.ADMINISTRATOR:
        return
    held = RoleGrant.select().where(RoleGrant.role == str(role), RoleGrant.revoked_at.is_null())
    today = _today(kegui)
    # Of two who take the last two roles at once the second waits, and sees that one is gone.
    others = {row.actor for row in genuine(locked(held.order_by(RoleGrant.id)))} - {actor}
    if not any(_can_come_in(other, today) for other in others):
        raise NotPossible(
            Obstacle.LAST_ADMINISTRATOR, f"{actor} is the last administrator: appoint another first"
        )


def _can_come_in(actor: str, today: date) -> bool:
    """Whether somebody is of the firm and, without WeCom, has an app that was confirmed."""
    if access_of(actor, today) is None:
        return False
    return not actor.startswith(LOCAL) or second_factors.has_one(actor)


def _check_department(department_id: int | None) -> None:
    if department_id is not None and Department.get_or_none(id=department_id) is None:
        raise NotPossible(Obstacle.UNKNOWN_DEPARTMENT, f"there is no department {department_id}")


def _today(kegui: Kegui) -> date:
    return clock.now().astimezone(kegui.settings.zone).date()
