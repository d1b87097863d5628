"""How long somebody who guesses has to wait."""

from datetime import timedelta

FREE = 4
LONGEST = timedelta(minutes=15)
# After such a silence nobody remembers the failures.
FORGOTTEN_AFTER = timedelta(hours=24)


def wait_after(failures: int) -> timedelta:
    """Return the pause after so many failures in a row: none after a few slips of the hand, then
    twice as long each time.

    >>> [wait_after(n).total_seconds() for n in (4, 5, 6, 30)]
    [0.0, 2.0, 4.0, 900.0]
    """
    if failures <= FREE:
        return timedelta()
    return min(timedelta(seconds=2 ** min(failures - FREE, 12)), LONGEST)
