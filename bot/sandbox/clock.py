"""The sandbox's clock: real time plus an offset that only ever jumps forward."""

import time


class Clock:
    """Runs as fast as real time, so that 20 seconds stay 20 seconds."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Return the sandbox's time in unix seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> float:
        """Jump forward and return the new time.

        Raises:
            ValueError: time does not run backwards.
        """
        if seconds < 0:
            raise ValueError("advance_seconds must not be negative")
        self._offset += seconds
        return self.now()

    def reset(self) -> None:
        """Return to real time."""
        self._offset = 0.0
