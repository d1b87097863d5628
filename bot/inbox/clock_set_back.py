"""The machine's clock was set back: nothing waits until the old time comes again."""

from datetime import datetime

import structlog

from bot import clock
from bot.db import transaction
from bot.inbox import inbox
from bot.models import EndpointPause, JobRun, PlannedJob

log = structlog.get_logger(__name__)


def heal(now: datetime) -> bool:
    """Let all be tried now that waits for a time by the old clock; whether it was set back.

    A job strikes four times a minute and its row says when: one that lies ahead of us tells.
    What is tried too early because of this does no harm: effects know themselves, and of the
    calls to an endpoint that was paused one tries for all.
    """
    if not JobRun.select().where(JobRun.struck_at > now + clock.MOST_AHEAD).exists():
        return False
    with transaction():
        JobRun.update(struck_at=now).where(JobRun.struck_at > now).execute()
        PlannedJob.update(well_at=now).where(PlannedJob.well_at > now).execute()
        EndpointPause.update(until=now, probe_until=None).where(EndpointPause.until > now).execute()
        events = inbox.hasten(now=now)
    log.warning("clock_was_set_back", events=events)
    return True
