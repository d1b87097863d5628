"""The jobs of the timetable: when each was begun, how it ended, and when it last went well."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import BooleanField, CharField, FloatField, JSONField

from bot import clock
from bot.db import Model, UTCDateTimeField
from bot.reason import CODE_LENGTH, NO_REASON, Reason, ReasonColumns


class JobRun(Model):
    """One job's last beginning, by whichever clock led."""

    job = CharField(max_length=96, primary_key=True)
    struck_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(null=True)
    error_code = CharField(max_length=CODE_LENGTH, default="")
    error_facts = JSONField(default=dict)
    error = ReasonColumns()

    @classmethod
    def last(cls) -> dict[str, datetime]:
        """Return when each job was begun last."""
        return {row.job: row.struck_at for row in cls.select()}

    @classmethod
    def begin(cls, job: str, last: datetime | None) -> datetime | None:
        """Note that a job begins, and return when; None: somebody began it after ``last``."""
        now = clock.now()
        if last is None:
            first = cls.insert(job=job, struck_at=now).on_conflict_ignore().returning(cls.job)
            return now if list(first.execute()) else None
        again = cls.update(struck_at=now, finished_at=None, **NO_REASON.columns("error"))
        return now if again.where(cls.job == job, cls.struck_at == last).execute() else None

    @classmethod
    def end(cls, job: str, struck_at: datetime, error: Reason = NO_REASON) -> None:
        """Note how a job ended."""
        cls.update(finished_at=clock.now(), **error.columns("error")).where(
            cls.job == job, cls.struck_at == struck_at
        ).execute()


@dataclass(frozen=True)
class Terms:
    """How long a job may go without going well, and how long it may be at work while nothing
    fails; ``is_reading``: it reads from WeCom, and how far that has come counts too."""

    patience: timedelta
    may_take: timedelta
    is_reading: bool = False


class PlannedJob(Model):
    """A job of the timetable with its terms (in seconds).

    ``well_at``: when it last went well, or was put on the timetable; ``failed_at``: when it last
    failed since then; ``away_at``: the same, where it failed because WeCom was out of reach.
    """

    job = CharField(max_length=96, primary_key=True)
    patience = FloatField()
    may_take = FloatField()
    is_reading = BooleanField(default=False)
    well_at = UTCDateTimeField()
    failed_at = UTCDateTimeField(null=True)
    away_at = UTCDateTimeField(null=True)

    @classmethod
    def plan(cls, timetable: Mapping[str, Terms]) -> None:
        """Write down which jobs there are, and forget those that are on no timetable now."""
        now = clock.now()
        rows = [
            {
                "job": job,
                "patience": terms.patience.total_seconds(),
                "may_take": terms.may_take.total_seconds(),
                "is_reading": terms.is_reading,
                "well_at": now,
            }
            for job, terms in timetable.items()
        ]
        cls.insert_many(rows).on_conflict(
            conflict_target=[cls.job], preserve=[cls.patience, cls.may_take, cls.is_reading]
        ).execute()
        cls.delete().where(cls.job.not_in(list(timetable))).execute()

    @classmethod
    def end_well(cls, job: str) -> None:
        """Note that a job went well."""
        ended = cls.update(well_at=clock.now(), failed_at=None, away_at=None)
        ended.where(cls.job == job).execute()

    @classmethod
    def end_failed(cls, job: str, *, is_wecom_away: bool) -> None:
        """Note that a job failed, and whether that was because WeCom was out of reach."""
        now = clock.now()
        failed = cls.update(failed_at=now, away_at=now if is_wecom_away else None)
        failed.where(cls.job == job).execute()
