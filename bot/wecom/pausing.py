"""When a call may be made: not while a pause holds, and what each answer says about pauses."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from bot import clock
from bot.wecom.budgets import WELCOME, Budgets
from bot.wecom.errors import (
    GETTOKEN,
    TOO_OFTEN,
    Ask,
    Concern,
    OperatorNeeded,
    Paused,
    Refused,
    Throttled,
    Transient,
    Unreadable,
    WeComError,
    meaning_of,
)
from bot.wecom.pauses import Pause, PauseStore

log = structlog.get_logger(__name__)

OPERATOR_PAUSE = timedelta(seconds=300)
# Repeated wrong secrets ban our address for an hour (path 90313, 45009): never hammer.
WRONG_SECRET_PAUSE = timedelta(hours=1)
WRONG_SECRET = (40001, 40013, 40091)
REFUSED_SECRET = (*WRONG_SECRET, 41002, 41004, 41024, 45031)
TOO_MANY_AT_ONCE = 45033
FAILURES_BEFORE_PAUSE = 3
OUTAGE_PAUSE_SECONDS = 10.0
LONGEST_OUTAGE_PAUSE_SECONDS = 120.0
CACHE_SECONDS = 1.0
# What a welcome calls. A customer who is not tried is lost for certain, so WeCom is tried again
# every five seconds there: three from one try to the next, and what the worker takes to look.
WELCOME_LANE = (("app", WELCOME), ("app", GETTOKEN))
WELCOME_PAUSE = timedelta(seconds=3)
# Above the time-out of any one call: whoever tries first is not joined by a second one.
PROBE = timedelta(seconds=15)
WELCOME_PROBE = timedelta(seconds=8)
PROBE_LOOK = timedelta(seconds=1)
# -1: "system busy"; of it and of silence, three in a row are an outage.
OUTAGE_CODES = (None, -1)
# So many different records, one after the other: then it is not theirs.
REFUSALS_OF_EVERYBODY = 5
FORGET_SECONDS = 60.0

Place = tuple[str, str]


class Pausing:
    """Guards the calls of one process by the pauses of all; safe to share between threads."""

    def __init__(self, pauses: PauseStore, budgets: Budgets) -> None:
        self._pauses = pauses
        self._budgets = budgets
        self._lock = threading.Lock()
        # What failed, and what was refused, since the last call that went well.
        self._failed: dict[Place, set[object]] = {}
        self._refused: dict[Place, set[object]] = {}
        self._forgot_at: dict[Place, float] = {}
        self._known: dict[Place, tuple[float, Pause | None]] = {}

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
    def unless_paused(
        self, secret_name: str, endpoint: str, record: str | None = None
    ) -> Iterator[None]:
        """Let the call of the block be made unless a pause holds, and learn from how it ends.

        Of those who come when a pause's time is over, one calls; the others wait for how that
        went. Trouble begins or lengthens the pause, any other answer ends it.

        Args:
            record: tells whom the call is about from others; None: about nobody.

        Raises:
            Paused: the call must not be made.
        """
        place = (secret_name, endpoint)
        probe = self.refuse_if_paused(secret_name, endpoint)
        began = clock.now()
        if probe is not None:
            self._known.pop(place, None)
            lasts = WELCOME_PROBE if place in WELCOME_LANE else PROBE
            if not self._pauses.probe(probe, began + lasts):
                raise Paused(endpoint, began + PROBE_LOOK, probe.reason, probe.errcode)
        # Of a call about nobody each one counts.
        about: object = record if record is not None else object()
        try:
            yield
        except WeComError as error:
            # What is refused may be another endpoint: no token, no call.
            if error.endpoint == endpoint:
                self._learn(place, error, probe, about, began)
            raise
        self._works(place, probe)
        self._serves(place)

    def _look(self, secret_name: str, endpoint: str) -> Pause | None:
        """Return the pause that the store knows; it is asked once a second at most."""
        place = (secret_name, endpoint)
        asked_at, pause = self._known.get(place, (float("-inf"), None))
        if time.monotonic() - asked_at > CACHE_SECONDS:
            pause = self._pauses.get(secret_name, endpoint)
            self._known[place] = (time.monotonic(), pause)
        return pause

    def _learn(
        self,
        place: Place,
        error: WeComError,
        probe: Pause | None,
        about: object,
        began: datetime,
    ) -> None:
        """Begin the pause that a failure asks for, if it does."""
        endpoint = place[1]
        if isinstance(error, Paused):
            return
        meaning = meaning_of(endpoint, error.errcode)
        if isinstance(error, Refused) or meaning.concerns is Concern.RECORD:
            # Nobody else waits for what is said of one member, customer or message.
            self._works(place, probe)
            if meaning.asks is Ask.MEND:
                self._note_refusal(place, error.errcode, about)
        elif isinstance(error, Throttled):
            if error.errcode == TOO_MANY_AT_ONCE:
                self._budgets.of(endpoint).halve()
            length = timedelta(seconds=error.wait_seconds)
            self._pause(place, _until(place, length, error, began), error)
        elif isinstance(error, OperatorNeeded):
            # In the welcome lane one odd answer about one customer says nothing of the others.
            if endpoint == WELCOME and not self._fails(place, probe, about):
                return
            is_wrong = endpoint == GETTOKEN and error.errcode in WRONG_SECRET
            length = WRONG_SECRET_PAUSE if is_wrong else OPERATOR_PAUSE
            self._pause(place, _until(place, length, error, began), error)
        elif isinstance(error, Transient) and error.errcode in OUTAGE_CODES:
            self._count_failure(place, error, probe, about, began)
        else:
            self._works(place, probe)

    def _fails(self, place: Place, probe: Pause | None, about: object) -> bool:
        """Note a failure; whether so many in a row are everybody's trouble."""
        with self._lock:
            failed = self._failed.setdefault(place, set())
            failed.add(about)
            return probe is not None or len(failed) >= FAILURES_BEFORE_PAUSE

    def _count_failure(
        self,
        place: Place,
        error: WeComError,
        probe: Pause | None,
        about: object,
        began: datetime,
    ) -> None:
        """After three failures in a row everybody waits, after each that follows longer."""
        # An answer that cannot be read may be so for this record alone, however often it is asked
        # for; and a welcome is tried by itself.
        of_one = isinstance(error, Unreadable) or place[1] == WELCOME
        if not self._fails(place, probe, about if of_one else object()):
            return
        known = self._pauses.get(*place)
        if known is not None and probe is None:
            # Calls that were under way when the trouble began say nothing new.
            return
        before = known.failures if known is not None else 0
        seconds = min(OUTAGE_PAUSE_SECONDS * 2 ** min(before, 5), LONGEST_OUTAGE_PAUSE_SECONDS)
        until = _until(place, timedelta(seconds=seconds), error, began)
        self._pause(place, until, error, _OUTAGES[error.errcode])

    def _works(self, place: Place, probe: Pause | None) -> None:
        """WeCom answers this endpoint: what paused it is over."""
        with self._lock:
            self._failed.pop(place, None)
        if probe is not None:
            self._pauses.clear(probe.secret_name, probe.endpoint)
            self._known.pop(place, None)
            log.info("wecom_pause_over", endpoint=place[1], secret=place[0])

    def _serves(self, place: Place) -> None:
        """WeCom did what was asked: it does not refuse everybody, whichever process thought so."""
        now = time.monotonic()
        with self._lock:
            self._refused.pop(place, None)
            is_due = now - self._forgot_at.get(place, float("-inf")) > FORGET_SECONDS
            if is_due:
                self._forgot_at[place] = now
        if is_due:
            self._pauses.forget_refusals(*place)

    def _note_refusal(self, place: Place, errcode: int | None, about: object) -> None:
        """Of different records one after the other it is not theirs: an operator must look."""
        with self._lock:
            refused = self._refused.setdefault(place, set())
            is_another = about not in refused
            refused.add(about)
            if not is_another or len(refused) != REFUSALS_OF_EVERYBODY:
                return
            refused.clear()
            self._forgot_at.pop(place, None)
        self._pauses.note_refusals(*place, errcode, REFUSALS_OF_EVERYBODY)
        log.error("wecom_refuses_everybody", endpoint=place[1], secret=place[0], errcode=errcode)

    def _pause(self, place: Place, until: datetime, error: WeComError, reason: str = "") -> None:
        reason = reason or error.errmsg or "refused"
        self._pauses.set(Pause(*place, until, reason, error.errcode))
        self._known.pop(place, None)
        log.warning("wecom_paused", endpoint=place[1], secret=place[0], errcode=error.errcode)


_OUTAGES = {None: "network errors", -1: "system busy"}


def _until(place: Place, length: timedelta, error: WeComError, began: datetime) -> datetime:
    """Return until when nobody calls; in the welcome lane that is short, but after a refused
    secret and after 45009."""
    is_lasting = error.errcode == TOO_OFTEN or (
        place[1] == GETTOKEN and error.errcode in REFUSED_SECRET
    )
    if place in WELCOME_LANE and not is_lasting:
        return max(clock.now(), began + min(length, WELCOME_PAUSE))
    return clock.now() + length
