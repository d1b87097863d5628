"""What time it is: UTC and timezone-aware, everywhere inside."""

from datetime import UTC, datetime, timedelta

# Longer than any lease lasts, and than the clocks of two hosts may differ: what lies further ahead
# was written before the clock was set back.
MOST_AHEAD = timedelta(minutes=2)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def holds(until: datetime, now: datetime) -> bool:
    """Whether a lease holds that was taken until then.

    One that would hold for longer than any is given was taken before the clock was set back.
    """
    return now < until < now + MOST_AHEAD
