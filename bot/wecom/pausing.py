"""When a call may be made: not while a pause holds, and what each answer says about pauses."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from bot import clock
from bot.wecom.budgets import Budgets
from bot.wecom.errors import (
    GETTOKEN,
    OperatorNeeded,
    Paused,
    Throttled,
    Transient,
    WeComError,
)
from bot.wecom.pauses import Pause, PauseStore

log = structlog.get_logger(__name__)

OPERATOR_PAUSE = timedelta(seconds=300)
# Repeated wrong secrets ban our address for an hour (path 90313, 45009): never hammer.
WRONG_SECRET_PAUSE = timedelta(hours=1)
WRONG_SECRET = (40001, 40013, 40091)
TOO_MANY_AT_ONCE = 45033
FAILURES_BEFORE_PAUSE = 3
OUTAGE_PAUSE_SECONDS = 10.0
LONGEST_OUTAGE_PAUSE_SECONDS = 120.0
CACHE_SECONDS = 1.0
# Above the time-out of any one call: whoever tries first is not joined by a second one.
PROBE = timedelta(seconds=15)
PROBE_LOOK = timedelta(seconds=1)
# -1: "system busy"; of it and of silence, three in a row are an outage.
OUTAGE_CODES = (None, -1)


class Pausing:
    """Guards the calls of one process by the pauses of all; safe to share between threads."""

    def __init__(self, pauses: PauseStore, budgets: Budgets) -> None:
        self._pauses = pauses
        self._budgets = budgets
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, str], int] = {}
        self._known: dict[tuple[str, str], tuple[float, Pause | None]] = {}

    def refuse_if_paused(self, secret_name: str, endpoint: str) -> Pause | None:
        """Return the pause whose time is over but not its cause, if there is one.

        Raises:
            Paused: a pause holds.
        """
        pause = self._look(secret_name, endpoint)
        if pause is not None and pause.until > clock.now():
            raise Paused(endpoint, pause.until, pause.reason, pause.errcode)
        return pause

    @contextmanager
    def unless_paused(self, secret_name: str, endpoint: str) -> Iterator[None]:
        """Let the call of the block be made unless a pause holds, and learn from how it ends.

        Of those who come when a pause's time is over, one calls; the others wait for how that
        went. Trouble begins or lengthens the pause, any other answer ends it.

        Raises:
            Paused: the call must not be made.
        """
        probe = self.refuse_if_paused(secret_name, endpoint)
        if probe is not None:
            self._known.pop((secret_name, endpoint), None)
            now = clock.now()
            if not self._pauses.probe(probe, now + PROBE):
                raise Paused(endpoint, now + PROBE_LOOK, probe.reason, probe.errcode)
        try:
            yield
        except WeComError as error:
            # What is refused may be another endpoint: no token, no call.
            if error.endpoint == endpoint:
                self._learn(secret_name, endpoint, error, probe)
            raise
        self._works(secret_name, endpoint, probe)

    def _look(self, secret_name: str, endpoint: str) -> Pause | None:
        """Return the pause that the store knows; it is asked once a second at most."""
        place = (secret_name, endpoint)
        asked_at, pause = self._known.get(place, (float("-inf"), None))
        if time.monotonic() - asked_at > CACHE_SECONDS:
            pause = self._pauses.get(secret_name, endpoint)
            self._known[place] = (time.monotonic(), pause)
        return pause

    def _learn(
        self, secret_name: str, endpoint: str, error: WeComError, probe: Pause | None
    ) -> None:
        """Begin the pause that a failure asks for, if it does."""
        if isinstance(error, Paused):
            return
        if isinstance(error, Throttled):
            if error.errcode == TOO_MANY_AT_ONCE:
                self._budgets.of(endpoint).halve()
            length = timedelta(seconds=error.wait_seconds)
        elif isinstance(error, OperatorNeeded):
            wrong_secret = endpoint == GETTOKEN and error.errcode in WRONG_SECRET
            length = WRONG_SECRET_PAUSE if wrong_secret else OPERATOR_PAUSE
        elif isinstance(error, Transient) and error.errcode in OUTAGE_CODES:
            self._count_failure(secret_name, endpoint, error, probe)
            return
        else:
            self._works(secret_name, endpoint, probe)
            return
        self._pause(secret_name, endpoint, length, error.errmsg or "refused", error.errcode)

    def _count_failure(
        self, secret_name: str, endpoint: str, error: WeComError, probe: Pause | None
    ) -> None:
        """After three failures in a row everybody waits, after each that follows longer."""
        place = (secret_name, endpoint)
        with self._lock:
            in_a_row = self._failures[place] = self._failures.get(place, 0) + 1
        if probe is None and in_a_row < FAILURES_BEFORE_PAUSE:
            return
        known = self._pauses.get(secret_name, endpoint)
        if known is not None and known.until > clock.now():
            # Calls that were under way when the trouble began say nothing new.
            return
        before = known.failures if known is not None else 0
        seconds = min(OUTAGE_PAUSE_SECONDS * 2 ** min(before, 5), LONGEST_OUTAGE_PAUSE_SECONDS)
        reason = "network errors" if error.errcode is None else "system busy"
        self._pause(secret_name, endpoint, timedelta(seconds=seconds), reason, error.errcode)

    def _works(self, secret_name: str, endpoint: str, probe: Pause | None) -> None:
        """WeCom answers this endpoint: what paused it is over."""
        with self._lock:
            self._failures.pop((secret_name, endpoint), None)
        if probe is not None:
            self._pauses.clear(probe.secret_name, probe.endpoint)
            self._known.pop((secret_name, endpoint), None)
            log.info("wecom_pause_over", endpoint=endpoint, secret=secret_name)

    def _pause(
        self,
        secret_name: str,
        endpoint: str,
        length: timedelta,
        reason: str,
        errcode: int | None,
    ) -> None:
        self._pauses.set(Pause(secret_name, endpoint, clock.now() + length, reason, errcode))
        self._known.pop((secret_name, endpoint), None)
        log.warning("wecom_paused", endpoint=endpoint, secret=secret_name, errcode=errcode)
