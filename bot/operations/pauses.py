"""Pauses, lifted by hand: an operator has mended what WeCom refused."""

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import EndpointPause, InboxEvent
from bot.wecom.pauses import EVERY_ENDPOINT


def lift(pause: EndpointPause, by: Who, kegui: Kegui) -> int:
    """End the waiting of a pause, and let the events that it held up be worked on now.

    The next call tries for all: where the trouble is not over, the pause begins again. Returns
    the number of events that waited.
    """
    now = clock.now()
    waits = InboxEvent.error_code != ""
    if pause.endpoint != EVERY_ENDPOINT:
        # Also the events that met the trouble first: they wait as long for their next try.
        waits &= InboxEvent.error_facts["endpoint"] == pause.endpoint
    with transaction():
        EndpointPause.update(until=now, probe_until=None).where(
            EndpointPause.name == pause.name
        ).execute()
        kegui.audit.record(by, "pause.lift", f"pause {pause.name}")
        return inbox.hasten(waits, now=now)
