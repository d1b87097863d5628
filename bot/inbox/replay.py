"""Work on a settled event again."""

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import InboxEvent
from bot.queue import Lane


def replay(event_id: int, by: Who, kegui: Kegui) -> InboxEvent | None:
    """Let the workers answer an event again; what it already caused is not done twice.

    None when it is not settled: it will be worked on by itself.
    """
    with transaction():
        again = inbox.replay(event_id, now=clock.now())
        if again is not None:
            kegui.audit.record(by, "event.replay", f"event {again.id}")
    if again is not None:
        kegui.queue.wake(Lane.WORK, f"event:{again.id}")
    return again
