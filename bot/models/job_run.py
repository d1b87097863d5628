"""When each job of the schedule was begun, and how it ended."""

from datetime import datetime

from peewee import CharField, TextField

from bot import clock
from bot.db import Model, UTCDateTimeField


class JobRun(Model):
    """One job's last beginning, by whichever clock led."""

    job = CharField(max_length=96, primary_key=True)
    struck_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(null=True)
    error = TextField(null=True)

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
        again = cls.update(struck_at=now, finished_at=None, error=None)
        return now if again.where(cls.job == job, cls.struck_at == last).execute() else None

    @classmethod
    def end(cls, job: str, struck_at: datetime, error: str | None) -> None:
        """Note how a job ended."""
        cls.update(finished_at=clock.now(), error=error).where(
            cls.job == job, cls.struck_at == struck_at
        ).execute()
