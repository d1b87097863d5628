"""When the clock strikes: the whole schedule, one line for each job."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot import clock
from bot.alarms import report
from bot.db import connection, transaction
from bot.effects import Busy
from bot.jobs import (
    access,
    alarms,
    api_access,
    audit,
    conflicts,
    handovers,
    inbox,
    keys,
    leavers,
    notices,
    readings,
)
from bot.kegui import Kegui
from bot.models import JobRun, PlannedJob
from bot.models.job_run import Terms
from bot.operations.timetable import patience
from bot.vault import WrongKey
from bot.wecom import WeComError, is_out_of_reach
from config.settings import Settings

log = structlog.get_logger(__name__)

Job = Callable[[Kegui], None]

# What these read is one reading: whichever of them ends it, it went well.
READINGS: Sequence[Job] = (readings.first_import, readings.go_on, readings.everything)
# A reading of all takes hours; a piece of it does not.
PIECE_OF_READING = timedelta(hours=1)


def schedule(kegui: Kegui, leads: Callable[[], bool] = lambda: True) -> BackgroundScheduler:
    """Return the scheduler with every job on it, not started.

    Each job goes on from when it was last begun, by whichever clock: what was due meanwhile
    strikes once at the start.

    Args:
        leads: asked before each strike; where another clock leads, nothing is done.
    """
    scheduler = BackgroundScheduler(timezone=kegui.settings.zone)
    with connection():
        PlannedJob.plan(_terms(kegui.settings))
        strikes = Strikes(kegui, leads, JobRun.last())
    for job, trigger in timetable(kegui.settings):
        _add(scheduler, trigger, job, strikes)
    _soon(scheduler, readings.first_import)
    return scheduler


def timetable(settings: Settings) -> list[tuple[Job, BaseTrigger]]:
    """Return every job and when it strikes."""
    zone = settings.zone

    def every(seconds: float, job: Job) -> tuple[Job, BaseTrigger]:
        return job, IntervalTrigger(seconds=seconds, timezone=zone)

    def at(hour: int, minute: int, job: Job) -> tuple[Job, BaseTrigger]:
        return job, CronTrigger(hour=hour, minute=minute, timezone=zone)

    return [
        every(3, audit.seal),
        every(15, notices.send_digests),
        every(15, conflicts.wake_untold),
        every(60, alarms.look_for_outages),
        every(15, alarms.look_for_refusals_of_everybody),
        every(60, alarms.look_for_silent_members),
        every(60, alarms.look_for_late_jobs),
        every(60, alarms.end_finished_alarms),
        every(60, alarms.tell_untold),
        every(60, leavers.take_access),
        every(settings.transfer_poll_seconds, handovers.wake_pending),
        every(60, readings.first_import),
        every(300, access.look_for_forged),
        every(300, readings.go_on),
        every(3600, readings.unassigned),
        every(3600, keys.go_on),
        at(0, 5, audit.anchor),
        every(60, audit.look),
        every(300, audit.keep_anchors),
        at(1, 20, audit.verify),
        every(3600, audit.verify_again),
        at(2, 10, readings.everything),
        at(3, 40, inbox.archive),
        at(4, 40, api_access.forget_old_answers),
    ]


def _terms(settings: Settings) -> dict[str, Terms]:
    """Say of every job how long it may go without going well: whatever is on the timetable."""
    terms = {}
    for job, trigger in timetable(settings):
        given = patience(_interval(trigger))
        is_reading = job in READINGS
        may_take = max(given, PIECE_OF_READING) if is_reading else given
        terms[job_name(job)] = Terms(given, may_take, is_reading)
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
        return self._last.get(job_name(job))

    def strike(self, job: Job) -> None:
        """Run a job unless another clock leads, or has begun it meanwhile."""
        if not self._leads():
            return
        name = job_name(job)
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
                _note_end(name, begun, Failure(type(bug).__name__))
                raise
            _note_end(name, begun, failure)
        except (PeeweeException, MaxConnectionsExceeded) as error:
            log.warning("job_waits", job=name, why=type(error).__name__)


@dataclass(frozen=True)
class Failure:
    """Why a job failed."""

    error: str
    is_wecom_away: bool = False


def _note_end(name: str, begun: datetime, failure: Failure | None) -> None:
    with connection(), transaction():
        if failure is None:
            JobRun.end(name, begun, None)
            PlannedJob.end_well(name)
        else:
            JobRun.end(name, begun, failure.error)
            PlannedJob.end_failed(name, is_wecom_away=failure.is_wecom_away)


def run_once(job: Job, kegui: Kegui) -> Failure | None:
    """Run a job; trouble outside is logged, returned, and left to the next time."""
    name = job_name(job)
    try:
        with connection():
            job(kegui)
    except (WeComError, Busy) as error:
        with connection():
            report(error, kegui)
        log.warning("job_waits", job=name, why=str(error))
        return Failure(str(error), isinstance(error, WeComError) and is_out_of_reach(error))
    except (PeeweeException, MaxConnectionsExceeded, WrongKey) as error:
        log.warning("job_waits", job=name, why=type(error).__name__)
        return Failure(type(error).__name__)
    return None


def next_strike(trigger: BaseTrigger, last: datetime | None) -> datetime:
    """Return when a job is due that was begun ``last``: in the past, where that was missed."""
    due: datetime = trigger.get_next_fire_time(last, clock.now())
    return due


def _soon(scheduler: BackgroundScheduler, job: Job) -> None:
    """Let a job strike for the first time when the clock starts."""
    scheduler.modify_job(job_name(job), next_run_time=clock.now())


def _add(scheduler: BackgroundScheduler, trigger: BaseTrigger, job: Job, strikes: Strikes) -> None:
    scheduler.add_job(
        strikes.strike,
        trigger,
        args=(job,),
        id=job_name(job),
        next_run_time=next_strike(trigger, strikes.last(job)),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )


def job_name(job: Job) -> str:
    """Return what a job is called in `job_run` and in the log."""
    return f"{job.__module__.rpartition('.')[2]}.{job.__name__}"
