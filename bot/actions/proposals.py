"""Maker and checker: one person proposes, another decides; the database holds them apart."""

from collections.abc import Mapping
from typing import Any

from peewee import IntegrityError

from bot import clock
from bot.audit import Who
from bot.db import database
from bot.kegui import Kegui
from bot.models import Proposal, Staff
from bot.models.proposal import APPROVED, OPEN, REJECTED, WITHDRAWN

SYSTEM = "api:"


class SamePerson(Exception):
    """Whoever proposed something may not decide on it, themselves or through a token."""


class NotOpen(Exception):
    """Somebody has decided already, or nobody proposed it."""


class AlreadyProposed(Exception):
    """The same stands open already; ``proposal`` is it."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(f"proposal {proposal.id} is open")
        self.proposal = proposal


def propose(
    kind: str,
    subject: str,
    by: Who,
    kegui: Kegui,
    /,
    *,
    reason: str = "",
    maker: str | None = None,
    **terms: Any,
) -> Proposal:
    """Write a proposal down, in the caller's transaction.

    Args:
        maker: whose proposal it is and who may not decide on it, if that is not ``by``.

    Raises:
        AlreadyProposed: of this kind one is open for this subject.
    """
    try:
        with database.atomic():
            proposal = Proposal.create(
                kind=kind,
                subject=subject,
                terms=terms,
                proposed_by=maker or by.actor,
                proposed_at=clock.now(),
                reason=reason,
            )
    except IntegrityError:
        raise AlreadyProposed(Proposal.get(kind=kind, subject=subject, state=OPEN)) from None
    kegui.audit.record(
        by, f"{kind}.propose", subject, proposal=proposal.id, proposed_by=maker, **terms
    )
    return proposal


def open_one(kind: str, subject: str) -> Proposal | None:
    """Return what is proposed and not decided."""
    found: Proposal | None = Proposal.get_or_none(kind=kind, subject=subject, state=OPEN)
    return found


def proposer_of(kind: str, subject: str) -> str | None:
    """Return who made the latest proposal of a subject, decided or not."""
    made = Proposal.select().where(Proposal.kind == kind, Proposal.subject == subject)
    latest: Proposal | None = made.order_by(Proposal.id.desc()).first()
    # A proposal stands as it was made, also when its maker has another userid since.
    return Staff.spelled(latest.proposed_by) if latest else None


def approve(proposal: Proposal, by: Who, kegui: Kegui, reason: str = "") -> Mapping[str, Any]:
    """Decide for it, in the transaction of what then happens; returns the terms.

    Raises:
        SamePerson: it is the decider's own, or of whoever answers for the token that decides.
        NotOpen: it is decided.
    """
    _decide(proposal, APPROVED, by, kegui, reason)
    return dict(proposal.terms)


def reject(proposal: Proposal, by: Who, kegui: Kegui, reason: str) -> None:
    """Decide against it.

    Raises:
        SamePerson: it is the decider's own: they withdraw it.
        NotOpen: it is decided.
    """
    _decide(proposal, REJECTED, by, kegui, reason)


def withdraw(proposal: Proposal, by: Who, kegui: Kegui, reason: str = "") -> None:
    """End it without a decision: its maker's right, and that of whoever cancels its subject.

    Raises:
        NotOpen: it is decided.
    """
    _decide(proposal, WITHDRAWN, by, kegui, reason)


def _decide(proposal: Proposal, state: str, by: Who, kegui: Kegui, reason: str) -> None:
    if not database.in_transaction():
        raise RuntimeError("a decision belongs in the transaction of what it allows")
    is_system = proposal.proposed_by.startswith(SYSTEM)
    is_own = by.is_person(proposal.proposed_by) and not is_system
    if is_own and state != WITHDRAWN:
        raise SamePerson
    try:
        with database.atomic():
            changed = (
                Proposal.update(
                    state=state,
                    decided_by=by.actor,
                    decided_at=clock.now(),
                    decision_reason=reason,
                )
                .where(Proposal.id == proposal.id, Proposal.state == OPEN)
                .execute()
            )
    except IntegrityError:
        raise SamePerson from None
    if not changed:
        raise NotOpen
    verb = {APPROVED: "approve", REJECTED: "reject", WITHDRAWN: "withdraw"}[state]
    kegui.audit.record(
        by,
        f"{proposal.kind}.{verb}",
        proposal.subject,
        proposal=proposal.id,
        proposed_by=proposal.proposed_by,
        reason=reason or None,
    )
