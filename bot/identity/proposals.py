"""Maker and checker: one person proposes, another decides; the database holds them apart."""

from collections.abc import Mapping
from typing import Any

from peewee import IntegrityError

from bot import clock
from bot.audit.log import Who
from bot.db import database
from bot.identity.access import LOCAL, humans_behind
from bot.kegui import Kegui
from bot.models import Proposal, Staff
from bot.models.proposal import APPROVED, OPEN, REJECTED, WITHDRAWN


class SamePerson(Exception):
    """Who stands behind a proposal may not decide on it, under whatever name or token."""


class NotBound(Exception):
    """A local administrator of whom nobody knows which member they are; ``actor`` names them."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"{actor} is bound to no member")
        self.actor = actor


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
    humans: frozenset[str] | None = None,
    **terms: Any,
) -> Proposal:
    """Write a proposal down, in the caller's transaction.

    Args:
        maker: whose proposal it is, if that is not ``by``.
        humans: who then stands behind it, and may not decide on it.

    Raises:
        NotBound: a local administrator proposes who is bound to no member.
        AlreadyProposed: of this kind one is open for this subject.
    """
    check_bound(by)
    proposer, proposer_too = _two(by.people if humans is None else humans)
    try:
        with database.atomic():
            proposal = Proposal.create(
                kind=kind,
                subject=subject,
                terms=terms,
                proposed_by=maker or by.actor,
                proposer=proposer,
                proposer_too=proposer_too,
                proposed_at=clock.now(),
                reason=reason,
            )
    except IntegrityError:
        raise AlreadyProposed(Proposal.get(kind=kind, subject=subject, state=OPEN)) from None
    kegui.audit.record(
        by,
        f"{kind}.propose",
        subject,
        proposal=proposal.id,
        proposed_by=maker,
        humans=_humans_beside(by),
        **terms,
    )
    return proposal


def check_bound(by: Who) -> None:
    """Refuse who proposes or decides while nobody knows which member they are.

    Raises:
        NotBound: a local administrator acts, by themselves or by a token, who is bound to nobody.
    """
    for human in sorted(by.people):
        if human.startswith(LOCAL):
            raise NotBound(human)


def humans_of(proposal: Proposal) -> frozenset[str]:
    """Return the people who stand behind a proposal, as they are known now."""
    kept = [one for one in (proposal.proposer, proposal.proposer_too) if one]
    return humans_behind(*kept or [proposal.proposed_by])


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


def approve(
    proposal: Proposal, by: Who, kegui: Kegui, reason: str = "", **details: object
) -> Mapping[str, Any]:
    """Decide for it, in the transaction of what then happens; returns the terms.

    Args:
        details: what the audit log says of it besides.

    Raises:
        SamePerson: it is the decider's own, or of who answers for the token or made it.
        NotBound: see ``check_bound``.
        NotOpen: it is decided.
    """
    _decide(proposal, APPROVED, by, kegui, reason, **details)
    return dict(proposal.terms)


def reject(proposal: Proposal, by: Who, kegui: Kegui, reason: str) -> None:
    """Decide against it.

    Raises:
        SamePerson: it is the decider's own: they withdraw it.
        NotBound: see ``check_bound``.
        NotOpen: it is decided.
    """
    _decide(proposal, REJECTED, by, kegui, reason)


def withdraw(proposal: Proposal, by: Who, kegui: Kegui, reason: str = "") -> None:
    """End it without a decision: its maker's right, and that of whoever cancels its subject.

    Raises:
        NotOpen: it is decided.
    """
    _decide(proposal, WITHDRAWN, by, kegui, reason)


def _decide(
    proposal: Proposal, state: str, by: Who, kegui: Kegui, reason: str, **details: object
) -> None:
    if not database.in_transaction():
        raise RuntimeError("a decision belongs in the transaction of what it allows")
    if state != WITHDRAWN:
        check_bound(by)
        if by.is_person(*humans_of(proposal)):
            raise SamePerson
    decider, decider_too = _two(by.people)
    try:
        with database.atomic():
            changed = (
                Proposal.update(
                    state=state,
                    decided_by=by.actor,
                    decider=decider,
                    decider_too=decider_too,
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
        humans=_humans_beside(by),
        reason=reason or None,
        **details,
    )


def _two(humans: frozenset[str]) -> tuple[str | None, str | None]:
    """The people behind an actor: one, or of a token its owner and its maker; or nobody."""
    one, other, *_more = [*sorted(humans), None, None]
    return one, other


def _humans_beside(by: Who) -> str | None:
    """Who stands behind an actor of another name, for the audit log."""
    return ",".join(sorted(by.people - {by.actor})) or None
