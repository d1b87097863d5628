"""Access tokens: one for each secret, shared, renewed before they end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot import clock

# Renewed so long before the end that nobody meets an expired one (path 91039: 7200 s).
EARLY = timedelta(minutes=10)


@dataclass(frozen=True)
class Token:
    """An access token; the value never shows in a representation."""

    value: str = field(repr=False)
    expires_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        return self.expires_at - now > EARLY


class TokenStore(Protocol):
    """Where the processes of an installation share their tokens."""

    def get(self, secret_name: str) -> Token | None:
        """Return the stored token, expired or not."""

    def refresh(self, secret_name: str, stale: str | None, fetch: Callable[[], Token]) -> Token:
        """Replace the token whose value is ``stale``, by one fetch at a time anywhere.

        Who comes second, with the same stale token, gets the first one's result.
        """


class MemoryTokenStore:
    """The tokens of one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._lock = threading.Lock()

    def get(self, secret_name: str) -> Token | None:
        return self._tokens.get(secret_name)

    def refresh(self, secret_name: str, stale: str | None, fetch: Callable[[], Token]) -> Token:
        with self._lock:
            current = self._tokens.get(secret_name)
            if current and current.value != stale and current.expires_at > clock.now():
                return current
            self._tokens[secret_name] = fetch()
            return self._tokens[secret_name]
