"""Pauses, lifted by hand: an operator has mended what WeCom refused."""

from bot import clock
from bot.models import EndpointPause, InboxEvent
from bot.models.inbox_event import FAILED, WAITING


def lift(pause: EndpointPause) -> int:
    """End the waiting of a pause, and let the events that waited for it be worked on now.

    The next call tries for all: where the trouble is not over, the pause begins again. Returns
    the number of events that waited.
    """
    now = clock.now()
    EndpointPause.update(until=now, probe_until=None).where(
        EndpointPause.name == pause.name
    ).execute()
    mark = f"- {pause.endpoint}: paused: " if pause.endpoint != "*" else ": paused: "
    woken: int = (
        InboxEvent.update(due_at=now)
        .where(
            InboxEvent.state.in_((WAITING, FAILED)),
            InboxEvent.due_at > now,
            InboxEvent.error.contains(mark),
        )
        .execute()
    )
    return woken
