"""How often and how much at once: frequency, parallel calls, parallel transfers (path 90312)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.sandbox.errors import Refusal
from bot.sandbox.switches import Switches

MINUTE_SECONDS, HOUR_SECONDS = 60, 3600
TOO_OFTEN, TOO_PARALLEL, SAME_RECORD = 45009, 45033, 45035


class Limits:
    """Counters of their own lock, because calls wait outside the platform's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._windows: dict[str, tuple[float, int]] = {}
            self._blocked_until: dict[str, float] = {}
            self._running: dict[str, int] = {}
            self._records: set[str] = set()

    def count(self, endpoint: str, now: float, switches: Switches) -> None:
        """Count a call.

        Raises:
            Refusal: 45009 above the limit of a minute, and then for 60 seconds.
        """
        most = switches.per_minute_for.get(endpoint, switches.per_minute)
        self._count(endpoint, most, MINUTE_SECONDS, now)

    def count_ticket(self, endpoint: str, agent_id: int, now: float, switches: Switches) -> None:
        """Count a call for a jsapi_ticket (path 90506).

        Raises:
            Refusal: 45009 above the limit of an hour, and then for an hour.
        """
        own = f"{endpoint} of {agent_id}"
        self._count(own, switches.tickets_per_hour_of_app, HOUR_SECONDS, now)
        self._count(f"{endpoint} of all", switches.tickets_per_hour, HOUR_SECONDS, now)

    def _count(self, what: str, most: int, window_seconds: float, now: float) -> None:
        with self._lock:
            if self._blocked_until.get(what, 0) > now:
                raise Refusal(TOO_OFTEN)
            began, calls = self._windows.get(what, (now, 0))
            if now - began >= window_seconds:
                began, calls = now, 0
            self._windows[what] = (began, calls + 1)
            if calls + 1 > most:
                self._blocked_until[what] = now + window_seconds
                del self._windows[what]
                raise Refusal(TOO_OFTEN)

    @contextmanager
    def running(self, endpoint: str, switches: Switches) -> Iterator[None]:
        """Hold one of the parallel places of an endpoint.

        Raises:
            Refusal: 45033 when all are taken.
        """
        most = switches.concurrency_for.get(endpoint, switches.concurrency)
        with self._lock:
            running = self._running.get(endpoint, 0)
            if most and running >= most:
                raise Refusal(TOO_PARALLEL)
            self._running[endpoint] = running + 1
        try:
            yield
        finally:
            with self._lock:
                # A reset meanwhile may have forgotten this call.
                self._running[endpoint] = max(0, self._running.get(endpoint, 0) - 1)

    @contextmanager
    def alone(self, record: str) -> Iterator[None]:
        """Hold a record alone; the empty name is free for all.

        Raises:
            Refusal: 45035 when another call holds it.
        """
        with self._lock:
            if record in self._records:
                raise Refusal(SAME_RECORD)
            self._records.update({record} - {""})
        try:
            yield
        finally:
            with self._lock:
                self._records.discard(record)
