"""What no API can do for a handover: written down for a person, who says when it is done."""

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.identity.proposals import SamePerson
from bot.kegui import Kegui
from bot.models import Handover, HandWork
from bot.models.handover import CANCELLED
from bot.reason import Reason


class NotPossible(Exception):
    """Somebody else was quicker, or the handover was cancelled."""


def leave_to_a_person(handover: Handover, kind: str, subject: str, reason: Reason) -> None:
    """Write it down, once for each thing."""
    HandWork.insert(
        handover=handover, kind=kind, subject=subject, **reason.columns()
    ).on_conflict_ignore().execute()


def mark(work: HandWork, by: Who, kegui: Kegui, *, is_done: bool) -> None:
    """Note that somebody did it, or that it is still to be done after all.

    Raises:
        SamePerson: it is the asker's own leave.
        NotPossible: it stands so already, or nobody need do it any more.
    """
    if by.is_person(work.handover.userid):
        raise SamePerson
    if work.handover.state == CANCELLED:
        raise NotPossible
    with transaction():
        changed = (
            HandWork.update(
                done_at=clock.now() if is_done else None, done_by=by.actor if is_done else None
            )
            .where(HandWork.id == work.id, HandWork.done_at.is_null(is_done))
            .execute()
        )
        if not changed:
            raise NotPossible
        kegui.audit.record(
            by,
            "hand_work.done" if is_done else "hand_work.reopen",
            work.handover.subject,
            kind=work.kind,
            config_id=work.subject,
        )
