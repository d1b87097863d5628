"""What time it is: UTC and timezone-aware, everywhere inside."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)
