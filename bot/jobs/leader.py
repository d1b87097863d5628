"""Of several clocks one leads: it strikes while it holds the lease, and another takes over."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot import clock
from bot.capability import Job
from bot.db import connection
from bot.inbox import clock_set_back
from bot.jobs import schedule
from bot.kegui import Kegui
from bot.models import Lease

log = structlog.get_logger(__name__)

LEASE_NAME = "clock"
# A killed leader is followed within this and one look.
DURATION = timedelta(seconds=9)
LOOK_SECONDS = 2.0


class Leader:
    """One clock's claim to lead; it is lost as soon as it can not be renewed in time."""

    def __init__(self) -> None:
        self._holder = uuid4().hex
        self._sure_until = float("-inf")

    def leads(self) -> bool:
        """Whether nobody else can lead now, as far as this process knows without asking."""
        return time.monotonic() < self._sure_until

    def seek(self) -> bool:
        """Take the lease, or renew it; whether we lead."""
        asked_at = time.monotonic()
        try:
            with connection():
                held = Lease.take(LEASE_NAME, self._holder, DURATION)
        except (PeeweeException, MaxConnectionsExceeded) as error:
            # Nobody else can ask either; what was ours stays ours until its time is over.
            log.warning("clock_lease_not_renewed", error=type(error).__name__)
            return self.leads()
        self._sure_until = asked_at + DURATION.total_seconds() if held else float("-inf")
        return held

    def resign(self) -> None:
        """Let another clock lead at once."""
        self._sure_until = float("-inf")
        try:
            with connection():
                Lease.give_back(LEASE_NAME, self._holder)
        except (PeeweeException, MaxConnectionsExceeded) as error:
            log.warning("clock_lease_not_given_back", error=type(error).__name__)


def _heal() -> bool:
    with connection():
        return clock_set_back.heal(clock.now())


def keep_time(kegui: Kegui, jobs: Sequence[Job], stopping: threading.Event) -> None:
    """Strike whenever we lead, until told to stop; a job that was begun is finished first."""
    leader = Leader()
    scheduler: BackgroundScheduler | None = None
    while not stopping.is_set():
        leads = leader.seek()
        try:
            if leads and _heal() and scheduler is not None:
                # Its next strikes are all by the old time.
                scheduler.shutdown(wait=False)
                scheduler = None
            if leads and scheduler is None:
                scheduler = schedule(kegui, jobs, leader.leads)
                scheduler.start()
                log.info("clock_leads")
        except (PeeweeException, MaxConnectionsExceeded) as error:
            log.warning("clock_cannot_lead", error=type(error).__name__)
        if not leads and scheduler is not None:
            scheduler.shutdown(wait=False)
            scheduler = None
            log.warning("clock_leads_no_more")
        stopping.wait(LOOK_SECONDS)
    if scheduler is not None:
        scheduler.shutdown()
    leader.resign()
