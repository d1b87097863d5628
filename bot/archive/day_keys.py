"""A key for each day of messages: what is sealed under it is gone when the key is destroyed.

The vault seals the day keys themselves, so a change of the master key touches a key for each day
and no message.
"""

import os
import threading
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot import clock
from bot.models import ArchiveDayKey
from bot.models.data_key import DAY_KEY
from bot.vault import KEY_BYTES, NONCE_BYTES, Vault, VaultError

MESSAGE = "archive_message.sealed"
MEDIA = "archive_media.sealed"
# What was destroyed is known to no process after so long.
KNOWN_SECONDS = 60.0
MOST_KNOWN = 5000


class DayKeys:
    """Seals and opens what belongs to a day; safe to share between threads."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._ciphers: dict[str, AESGCM] = {}
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def seal(self, day: str, place: str, row: str, value: bytes) -> bytes:
        """Encrypt a value for a place in a row; the day's key must be there: see ``make``."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(day).encrypt(nonce, value, _place(day, place, row))

    def open(self, day: str, place: str, row: str, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` made.

        Raises:
            VaultError: the key is gone or another one, or the value was changed or moved.
        """
        sealed = bytes(sealed)
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher(day).decrypt(nonce, body, _place(day, place, row))
        except (InvalidTag, ValueError):
            raise VaultError("sealed with another key or for another row, or changed") from None

    def make(self, days: set[str]) -> None:
        """Make the keys of days that have none, in the transaction of what they will seal."""
        unknown = sorted(day for day in days if not self._is_known(day))
        if not unknown:
            return
        there = {
            row.day
            for row in ArchiveDayKey.select(ArchiveDayKey.day).where(ArchiveDayKey.day.in_(unknown))
        }
        for day in unknown:
            if day not in there:
                sealed = self._vault.seal(DAY_KEY, day, os.urandom(KEY_BYTES))
                ArchiveDayKey.insert(
                    day=day, sealed=sealed, created_at=clock.now()
                ).on_conflict_ignore().execute()

    def forget(self) -> None:
        """Know no key any more: what was made in a transaction that failed is none."""
        with self._lock:
            self._ciphers.clear()

    def _is_known(self, day: str) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._read_at > KNOWN_SECONDS or len(self._ciphers) > MOST_KNOWN:
                self._ciphers.clear()
                self._read_at = now
            return day in self._ciphers

    def _cipher(self, day: str) -> AESGCM:
        known = self._ciphers.get(day) if self._is_known(day) else None
        if known is not None:
            return known
        row = ArchiveDayKey.get_or_none(ArchiveDayKey.day == day)
        if row is None:
            raise VaultError("the key of this day is gone")
        made = AESGCM(self._vault.open(DAY_KEY, day, row.sealed))
        with self._lock:
            self._ciphers[day] = made
        return made


def _place(day: str, place: str, row: str) -> bytes:
    return f"{day}\0{place}\0{row}".encode()
