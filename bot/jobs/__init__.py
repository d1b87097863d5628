"""When the clock strikes: every job of the capabilities, each at its time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot import clock
from bot.alarms import raise_alarm_for
from bot.capability import Job
from bot.db import connection, transaction
from bot.effects import Busy
from bot.inbox.inbox import failure_of
from bot.kegui import Kegui
from bot.models import JobRun, PlannedJob
from bot.models.job_run import Terms
from bot.operations.timetable import patience
from bot.reason import Reason
from bot.vault import WrongKey
from bot.wecom import WeComError, is_out_of_reach
from config.settings import Settings

log = structlog.get_logger(__name__)

# A reading of all takes hours; a piece of it does not.
PIECE_OF_READING = timedelta(hours=1)


def schedule(
    kegui: Kegui, jobs: Sequence[Job], leads: Callable[[], bool] = lambda: True
) -> BackgroundScheduler:
    """Return the scheduler with every job on it, not started.

    Each job goes on from when it was last begun, by whichever clock: what was due meanwhile
    strikes once at the start.

    Args:
        leads: asked before each strike; where another clock leads, nothing is done.
    """
    scheduler = BackgroundScheduler(timezone=kegui.settings.zone)
    with connection():
        PlannedJob.plan(_terms(jobs, kegui.settings))
        strikes = Strikes(kegui, leads, JobRun.last())
    for job, trigger in timetable(jobs, kegui.settings):
        _add(scheduler, trigger, job, strikes)
        if job.at_start:
            scheduler.modify_job(job.name, next_run_time=clock.now())
    return scheduler


def timetable(jobs: Sequence[Job], settings: Settings) -> list[tuple[Job, BaseTrigger]]:
    """Return every job and when it strikes."""
    return [(job, job.when(settings)) for job in jobs]


def _terms(jobs: Sequence[Job], settings: Settings) -> dict[str, Terms]:
    """Say of every job how long it may go without going well: whatever is on the timetable."""
    terms = {}
    for job, trigger in timetable(jobs, settings):
        given = patience(_interval(trigger))
        may_take = max(given, PIECE_OF_READING) if job.is_reading else given
        terms[job.name] = Terms(given, may_take, job.is_reading)
    return terms


def _interval(trigger: BaseTrigger) -> timedelta:
    first: datetime = trigger.get_next_fire_time(None, clock.now())
    second: datetime = trigger.get_next_fire_time(first, first)
    return second - first


class Strikes:
    """The beginnings of jobs: each is somebody's alone, also while two clocks think they lead."""

    def __init__(
        self, kegui: Kegui, leads: Callable[[], bool], last: Mapping[str, datetime]
    ) -> None:
        self._kegui = kegui
        self._leads = leads
        self._last = dict(last)

    def last(self, job: Job) -> datetime | None:
        """Return when a job was begun last, as far as this process knows."""
        return self._last.get(job.name)

    def strike(self, job: Job) -> None:
        """Run a job unless another clock leads, or has begun it meanwhile."""
        if not self._leads():
            return
        name = job.name
        try:
            with connection():
                begun = JobRun.begin(name, self._last.get(name))
                if begun is None:
                    self._last = JobRun.last()
                    log.warning("job_begun_elsewhere", job=name)
                    return
            self._last[name] = begun
            log.debug("job_begins", job=name)
            try:
                failure = run_once(job, self._kegui)
            except Exception as bug:
                _note_end(name, begun, Failure(failure_of(bug)))
                raise
            _note_end(name, begun, failure)
        except (PeeweeException, MaxConnectionsExceeded) as error:
            log.warning("job_waits", job=name, why=type(error).__name__)


@dataclass(frozen=True)
class Failure:
    """Why a job failed."""

    error: Reason
    is_wecom_away: bool = False


def _note_end(name: str, begun: datetime, failure: Failure | None) -> None:
    with connection(), transaction():
        if failure is None:
            JobRun.end(name, begun)
            PlannedJob.end_well(name)
        else:
            JobRun.end(name, begun, failure.error)
            PlannedJob.end_failed(name, is_wecom_away=failure.is_wecom_away)


def run_once(job: Job, kegui: Kegui) -> Failure | None:
    """Run a job; trouble outside is logged, returned, and left to the next time."""
    try:
        with connection():
            job.run(kegui)
    except (WeComError, Busy) as error:
        with connection():
            raise_alarm_for(error, kegui)
        log.warning("job_waits", job=job.name, why=str(error))
        return Failure(failure_of(error), isinstance(error, WeComError) and is_out_of_reach(error))
    except (PeeweeException, MaxConnectionsExceeded, WrongKey) as error:
        log.warning("job_waits", job=job.name, why=type(error).__name__)
        return Failure(failure_of(error))
    return None


def next_strike(trigger: BaseTrigger, last: datetime | None) -> datetime:
    """Return when a job is due that was begun ``last``: in the past, where that was missed."""
    due: datetime = trigger.get_next_fire_time(last, clock.now())
    return due


def _add(scheduler: BackgroundScheduler, trigger: BaseTrigger, job: Job, strikes: Strikes) -> None:
    scheduler.add_job(
        strikes.strike,
        trigger,
        args=(job,),
        id=job.name,
        next_run_time=next_strike(trigger, strikes.last(job)),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )
