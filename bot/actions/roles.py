"""Give people roles and take them back: proposed by one, decided by another."""

from peewee import IntegrityError

from bot import clock
from bot.actions import proposals
from bot.audit import Who
from bot.db import database, transaction
from bot.kegui import Kegui
from bot.models import Proposal, RoleGrant
from bot.rules.rights import FROM_WECOM, OVER_DEPARTMENTS, Role

GRANT = "role.grant"
REVOKE = "role.revoke"


class NotPossible(Exception):
    """The role cannot be given so; the text says why."""


def check(role: Role, department_id: int | None) -> None:
    """Refuse what no grant can say.

    Raises:
        NotPossible: WeCom gives the role itself, or it needs a department and has none.
    """
    if role in FROM_WECOM:
        raise NotPossible(f"{role} comes from WeCom and is granted to nobody")
    if (role in OVER_DEPARTMENTS) != (department_id is not None):
        needs = "needs" if role in OVER_DEPARTMENTS else "goes over the whole firm, without"
        raise NotPossible(f"{role} {needs} a department")


def propose(
    kind: str,
    actor: str,
    role: Role,
    department_id: int | None,
    by: Who,
    kegui: Kegui,
    reason: str = "",
) -> Proposal:
    """Propose to give a role, or to take it back.

    Raises:
        NotPossible: see ``check``.
        AlreadyProposed: the same is open.
    """
    check(role, department_id)
    place = "" if department_id is None else f" over {department_id}"
    with transaction():
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
        SamePerson, NotOpen: see ``bot.actions.proposals``.
    """
    with transaction():
        if not is_approved:
            proposals.reject(proposal, by, kegui, reason)
            return
        terms = proposals.approve(proposal, by, kegui, reason)
        role, department_id = Role(terms["role"]), terms["department_id"]
        act = grant if proposal.kind == GRANT else revoke
        act(terms["actor"], role, department_id, by, kegui)


def grant(actor: str, role: Role, department_id: int | None, by: Who, kegui: Kegui) -> bool:
    """Give a role, in the caller's transaction; False when the person has it.

    Raises:
        NotPossible: see ``check``.
    """
    check(role, department_id)
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
    """Take a role back, in the caller's transaction; False when the person does not have it."""
    place = (
        RoleGrant.department_id.is_null()
        if department_id is None
        else RoleGrant.department_id == department_id
    )
    revoked = (
        RoleGrant.update(revoked_by=by.actor, revoked_at=clock.now())
        .where(
            RoleGrant.actor == actor,
            RoleGrant.role == str(role),
            RoleGrant.revoked_at.is_null(),
            place,
        )
        .execute()
    )
    if revoked:
        kegui.audit.record(by, REVOKE, actor, role=role, department_id=department_id)
    return bool(revoked)
