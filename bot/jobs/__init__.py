"""When the clock strikes: the whole schedule, one line for each job."""

from collections.abc import Callable

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from peewee import PeeweeException

from bot import clock
from bot.actions.alarms import report
from bot.db import connection
from bot.effects import Busy
from bot.jobs import alarms, api_access, conflicts, handovers, notices, readings
from bot.kegui import Kegui
from bot.wecom import WeComError

log = structlog.get_logger(__name__)

Job = Callable[[Kegui], None]


def schedule(kegui: Kegui) -> BackgroundScheduler:
    """Return the scheduler with every job on it, not started."""
    zone = kegui.settings.zone
    scheduler = BackgroundScheduler(timezone=zone)

    def every(seconds: float, job: Job) -> None:
        _add(scheduler, IntervalTrigger(seconds=seconds, timezone=zone), job, kegui)

    def at(hour: int, minute: int, job: Job) -> None:
        _add(scheduler, CronTrigger(hour=hour, minute=minute, timezone=zone), job, kegui)

    every(15, notices.send_digests)
    every(15, conflicts.wake_untold)
    every(60, alarms.look_for_silent_members)
    every(60, alarms.end_finished_alarms)
    every(kegui.settings.transfer_poll_seconds, handovers.wake_pending)
    every(60, readings.first_import)
    _soon(scheduler, readings.first_import)
    every(300, readings.go_on)
    every(3600, readings.unassigned)
    at(2, 10, readings.everything)
    at(4, 40, api_access.forget_old_answers)
    return scheduler


def _soon(scheduler: BackgroundScheduler, job: Job) -> None:
    """Let a job strike for the first time when the clock starts."""
    scheduler.modify_job(_id(job), next_run_time=clock.now())


def run_once(job: Job, kegui: Kegui) -> None:
    """Run a job; trouble outside is logged and left to the next time."""
    name = f"{job.__module__.rpartition('.')[2]}.{job.__name__}"
    try:
        with connection():
            job(kegui)
    except (WeComError, Busy) as error:
        with connection():
            report(error, kegui)
        log.warning("job_waits", job=name, why=str(error))
    except PeeweeException as error:
        log.warning("job_waits", job=name, why=type(error).__name__)


def _add(scheduler: BackgroundScheduler, trigger: object, job: Job, kegui: Kegui) -> None:
    scheduler.add_job(
        run_once,
        trigger,
        args=(job, kegui),
        id=_id(job),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )


def _id(job: Job) -> str:
    return f"{job.__module__}.{job.__name__}"
