"""When a job of the timetable has not gone well for too long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Seconds of trouble pass by themselves before anybody could look.
SHORTEST_PATIENCE = timedelta(minutes=2)
# A reading that moves on for so long and never ends is in trouble, too.
LONGEST_READING = timedelta(hours=24)


@dataclass(frozen=True)
class Planned:
    """A job of the timetable.

    ``well_at``: when it last went well, or was put on the timetable; ``moved_at``: when its work
    last went on, where that can be seen before the end; ``failed_at``: when it last failed.
    """

    name: str
    patience: timedelta
    may_take: timedelta
    well_at: datetime
    moved_at: datetime | None = None
    failed_at: datetime | None = None

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


def patience(interval: timedelta) -> timedelta:
    """Return how long a job may go without going well: twice its interval."""
    return max(2 * interval, SHORTEST_PATIENCE)
