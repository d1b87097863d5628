"""Budgets: how many calls to one endpoint at once, and how many a second."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WELCOME = "externalcontact/send_welcome_msg"
# After 45033 the welcome's parallel calls are halved, and come back one by one.
RESTORE_AFTER_CALLS = 20


class Budget:
    """One endpoint's: at most ``parallel`` calls at once and ``per_second`` starts a second."""

    def __init__(
        self,
        parallel: int,
        per_second: float | None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._most = parallel
        self._allowed = parallel
        self._running = 0
        self._good_calls = 0
        self._per_second = per_second
        self._next_start = 0.0
        self._now = now
        self._sleep = sleep
        self._changed = threading.Condition()

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Wait for room, and hold it for the block."""
        with self._changed:
            while self._running >= self._allowed:
                self._changed.wait()
            self._running += 1
            delay = self._delay()
        try:
            if delay > 0:
                self._sleep(delay)
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify()

    def halve(self) -> None:
        """WeCom said: too many at once."""
        with self._changed:
            self._allowed = max(1, self._allowed // 2)
            self._good_calls = 0

    def succeed(self) -> None:
        """A call went well: slowly allow more again."""
        with self._changed:
            self._good_calls += 1
            if self._allowed < self._most and self._good_calls % RESTORE_AFTER_CALLS == 0:
                self._allowed += 1
                self._changed.notify()

    @property
    def allowed(self) -> int:
        return self._allowed

    def _delay(self) -> float:
        """Seconds until this call may start; each start takes its place in the queue."""
        if self._per_second is None:
            return 0.0
        now = self._now()
        start = max(now, self._next_start)
        self._next_start = start + 1 / self._per_second
        return start - now


class Budgets:
    """The budgets of one process; the welcome has its own, above the others."""

    def __init__(
        self, *, welcome_parallel: int = 64, parallel: int = 5, per_second: float = 20
    ) -> None:
        self._parallel = parallel
        self._per_second = per_second
        self._budgets = {WELCOME: Budget(welcome_parallel, None)}
        self._lock = threading.Lock()

    def of(self, endpoint: str) -> Budget:
        with self._lock:
            if endpoint not in self._budgets:
                self._budgets[endpoint] = Budget(self._parallel, self._per_second)
            return self._budgets[endpoint]
