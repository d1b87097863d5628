"""Pauses: after trouble nobody calls an endpoint with a secret for a while, then one call tries.

A pause stays known after its time until a call has shown that the trouble is over. Until then
one call at a time may try, whichever process makes it: an outage of hours costs a few dozen calls.
"""

import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bot import clock

EVERY_ENDPOINT = "*"


@dataclass(frozen=True)
class Pause:
    """No calls to ``endpoint`` with ``secret_name`` until ``until``; "*" means all endpoints.

    ``since`` is when the trouble began, ``failures`` how often it was met again since then.
    """

    secret_name: str
    endpoint: str
    until: datetime
    reason: str
    errcode: int | None
    since: datetime | None = None
    failures: int = 0


class PauseStore(Protocol):
    """Where the processes of an installation share their pauses."""

    def get(self, secret_name: str, endpoint: str) -> Pause | None:
        """Return the pause of the endpoint or of the whole secret, the one that ends later.

        One whose time is over is returned too: nobody has shown yet that its cause is.
        """

    def set(self, pause: Pause) -> Pause:
        """Begin a pause, or lengthen the one that there is; a shorter one cuts nothing.

        Returns what holds now, with the beginning of the trouble and the failures counted.
        """

    def probe(self, pause: Pause, until: datetime) -> bool:
        """Whether the caller is the one who may call now, to see whether the trouble is over.

        Nobody else gets the same answer before ``until``, or before the pause is set anew.
        """

    def clear(self, secret_name: str, endpoint: str) -> None:
        """End a pause: its cause is over."""

    def note_refusals(
        self, secret_name: str, endpoint: str, errcode: int | None, records: int
    ) -> None:
        """Remember that an endpoint refused so many different records one after the other."""

    def forget_refusals(self, secret_name: str, endpoint: str) -> None:
        """The endpoint has served somebody."""


class MemoryPauseStore:
    """The pauses of one process."""

    def __init__(self) -> None:
        self._pauses: dict[tuple[str, str], Pause] = {}
        self._probes: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()

    def get(self, secret_name: str, endpoint: str) -> Pause | None:
        with self._lock:
            pauses = [self._pauses.get((secret_name, name)) for name in (endpoint, EVERY_ENDPOINT)]
        known = [pause for pause in pauses if pause is not None]
        return max(known, key=lambda pause: pause.until, default=None)

    def set(self, pause: Pause) -> Pause:
        place = (pause.secret_name, pause.endpoint)
        with self._lock:
            before = self._pauses.get(place)
            self._probes.pop(place, None)
            if before is None:
                held = replace(pause, since=clock.now(), failures=1)
            else:
                later = max(before, pause, key=lambda one: one.until)
                held = replace(later, since=before.since, failures=before.failures + 1)
            self._pauses[place] = held
            return held

    def probe(self, pause: Pause, until: datetime) -> bool:
        place = (pause.secret_name, pause.endpoint)
        now = clock.now()
        with self._lock:
            held = self._pauses.get(place)
            if held is None or held.until > now or self._probes.get(place, now) > now:
                return False
            self._probes[place] = until
            return True

    def clear(self, secret_name: str, endpoint: str) -> None:
        with self._lock:
            self._pauses.pop((secret_name, endpoint), None)
            self._probes.pop((secret_name, endpoint), None)

    def note_refusals(
        self, secret_name: str, endpoint: str, errcode: int | None, records: int
    ) -> None:
        """Whoever has no database tells nobody: the log line stands."""

    def forget_refusals(self, secret_name: str, endpoint: str) -> None:
        """Nothing was remembered."""
