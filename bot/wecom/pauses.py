"""Pauses: after trouble nobody calls an endpoint with a secret for a while."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


@dataclass(frozen=True)
class Pause:
    """No calls to ``endpoint`` with ``secret_name`` until ``until``; "*" means all endpoints."""

    secret_name: str
    endpoint: str
    until: datetime
    reason: str
    errcode: int | None


class PauseStore(Protocol):
    """Where the processes of an installation share their pauses."""

    def get(self, secret_name: str, endpoint: str) -> Pause | None:
        """Return the pause that holds now, of the endpoint or of the whole secret."""

    def set(self, pause: Pause) -> None:
        """Begin or lengthen a pause; a shorter one changes nothing."""

    def clear(self, secret_name: str, endpoint: str) -> None:
        """End a pause."""


class MemoryPauseStore:
    """The pauses of one process."""

    def __init__(self) -> None:
        self._pauses: dict[tuple[str, str], Pause] = {}
        self._lock = threading.Lock()

    def get(self, secret_name: str, endpoint: str) -> Pause | None:
        with self._lock:
            pauses = [self._pauses.get((secret_name, name)) for name in (endpoint, "*")]
        now = datetime.now(UTC)
        holding = [pause for pause in pauses if pause is not None and pause.until > now]
        return max(holding, key=lambda pause: pause.until, default=None)

    def set(self, pause: Pause) -> None:
        place = (pause.secret_name, pause.endpoint)
        with self._lock:
            self._pauses[place] = max(
                pause, self._pauses.get(place, pause), key=lambda one: one.until
            )

    def clear(self, secret_name: str, endpoint: str) -> None:
        with self._lock:
            self._pauses.pop((secret_name, endpoint), None)
