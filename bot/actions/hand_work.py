"""What no API can do for a handover: written down for a person, who says when it is done."""

from bot import clock
from bot.audit import Who
from bot.db import transaction
from bot.kegui import Kegui
from bot.models import Handover, HandWork


def leave_to_a_person(handover: Handover, kind: str, subject: str, text: str) -> None:
    """Write it down, once for each thing."""
    HandWork.insert(
        handover=handover, kind=kind, subject=subject, text=text
    ).on_conflict_ignore().execute()


def mark_done(work: HandWork, by: Who, kegui: Kegui) -> bool:
    """Note that somebody did it; False when it was done before."""
    with transaction():
        is_first = bool(
            HandWork.update(done_at=clock.now(), done_by=by.actor)
            .where(HandWork.id == work.id, HandWork.done_at.is_null())
            .execute()
        )
        if is_first:
            kegui.audit.record(
                by, "hand_work.done", work.handover.subject, kind=work.kind, number=work.id
            )
    return is_first
