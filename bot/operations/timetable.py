"""When a job of the timetable has not gone well for too long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Seconds of trouble pass by themselves before anybody could look.
SHORTEST_PATIENCE = timedelta(minutes=2)
# A reading that moves on for so long and never ends is in trouble, too.
LONGEST_READING = timedelta(hours=24)


@dataclass(frozen=True)
class Outages:
    """``is_on``: WeCom is out of reach; ``told_until``: when the last outage of which operators
    were told was over."""

    is_on: bool = False
    told_until: datetime | None = None


@dataclass(frozen=True)
class Planned:
    """A job of the timetable.

    ``well_at``: when it last went well, or was put on the timetable; ``moved_at``: when its work
    last went on, where that can be seen before the end; ``failed_at``: when it last failed;
    ``away_at``: the same, where it failed because WeCom was out of reach.
    """

    name: str
    patience: timedelta
    may_take: timedelta
    well_at: datetime
    moved_at: datetime | None = None
    failed_at: datetime | None = None
    away_at: datetime | None = None

    def is_late(self, now: datetime) -> bool:
        """Whether it has not gone well for so long that a person must look.

        What is at work, and has not failed since it last went on, is given the time that it may
        take.
        """
        moved_at = max(self.moved_at or self.well_at, self.well_at)
        has_failed = self.failed_at is not None and self.failed_at > moved_at
        given = self.patience if has_failed else max(self.patience, self.may_take)
        is_endless = now - self.well_at > max(self.patience, LONGEST_READING)
        return now - moved_at > given or is_endless

    def is_excused(self, outages: Outages, now: datetime) -> bool:
        """Whether an outage is why it is late: operators are told of the outage alone.

        After it the job has its whole patience to go well, but fails at its own cost.
        """
        if self.away_at is None:
            return False
        if outages.is_on:
            return True
        over = outages.told_until
        return over is not None and self.away_at <= over and now - over <= self.patience


def patience(interval: timedelta) -> timedelta:
    """Return how long a job may go without going well: twice its interval."""
    return max(2 * interval, SHORTEST_PATIENCE)
