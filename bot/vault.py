"""The vault: what is stored encrypted, where it belongs, and with which key.

Data keys seal; the master key (``KEGUI_DATA_KEY``) wraps them, and is changed without touching
what they sealed. Key 1 is the first master key itself: from it come the keys that must outlive
every change, those of MACs, signatures and look-ups.
"""

import base64
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

log = structlog.get_logger(__name__)

# How a sealed value begins; the number of its key follows.
MARK = b"\x02"
NONCE_BYTES = 12
KEY_BYTES = 32
ID_BYTES = 2
HEAD_BYTES = len(MARK) + ID_BYTES
ROOT = 1
MOST_KEYS = 2 ** (8 * ID_BYTES) - 1
# Other processes seal with a new key after so long; what it sealed they open at once.
READ_AGAIN_SECONDS = 5.0


class VaultError(Exception):
    """Something stored cannot be opened: another key, or it was changed."""


class WrongKey(VaultError):
    """``KEGUI_DATA_KEY`` is not the key under which this database was begun or last rotated."""

    def __init__(
        self,
        text: str = "KEGUI_DATA_KEY is not the key of this database: set the key under which it was"
        " begun or last rotated; in a rotation the former one is KEGUI_DATA_KEY_PREVIOUS",
    ) -> None:
        super().__init__(text)


@dataclass(frozen=True)
class Cell:
    """A column that is sealed: what for, which names its keys, and where it stands."""

    purpose: str
    column: str

    def place(self, row: str) -> bytes:
        """Name the one place where a sealed value belongs."""
        return f"{self.purpose}\0{self.column}\0{row}".encode()


@dataclass(frozen=True)
class WrappedKey:
    """A data key as the database has it."""

    id: int
    wrapped: bytes


@dataclass(frozen=True)
class Ring:
    """The data keys, opened.

    ``is_wrapped_by_present``: the present master key wraps them all, and no former one.
    """

    keys: Mapping[int, bytes]
    is_wrapped_by_present: bool = True

    @property
    def sealing(self) -> int:
        return max(self.keys)


def wrap(master_key: str, key_id: int, key: bytes) -> bytes:
    """Encrypt a data key under a master key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _wrapping(master_key).encrypt(nonce, key, b"data key %d" % key_id)


def unwrap(master_keys: Iterable[str], wrapped: Iterable[WrappedKey]) -> Ring:
    """Open all data keys.

    Args:
        master_keys: the present one, then those that may have wrapped them before.

    Raises:
        WrongKey: one was wrapped by none of these.
    """
    masters = list(master_keys)
    keys, by_present = {}, True
    for one in wrapped:
        number, keys[one.id] = _unwrapped(masters, one)
        by_present = by_present and number == 0
    # Before the first word about keys is written, the master key seals by itself.
    return Ring(keys or {ROOT: raw(masters[0])}, by_present)


def _unwrapped(masters: list[str], one: WrappedKey) -> tuple[int, bytes]:
    nonce, body = one.wrapped[:NONCE_BYTES], one.wrapped[NONCE_BYTES:]
    for number, master in enumerate(masters):
        try:
            return number, _wrapping(master).decrypt(nonce, body, b"data key %d" % one.id)
        except (InvalidTag, ValueError):
            continue
    raise WrongKey


def new_key() -> bytes:
    """Make a data key."""
    return os.urandom(KEY_BYTES)


def fingerprint_of(master_key: str) -> str:
    """Return what tells a master key from another, and nothing else of it."""
    key = _derive(raw(master_key), "fingerprint backup")
    return hmac.new(key, b"data key", hashlib.sha256).hexdigest()


def raw(master_key: str) -> bytes:
    """Return the 32 bytes of a master key in base64url."""
    return base64.urlsafe_b64decode(master_key)


def _head(number: int) -> bytes:
    return MARK + number.to_bytes(ID_BYTES, "big")


def _wrapping(master_key: str) -> AESGCM:
    return AESGCM(_derive(raw(master_key), "wrap data keys"))


def _derive(key: bytes, info: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info.encode()).derive(key)


class Vault:
    """Seals and opens small values; safe to share between threads.

    Args:
        master_key: 32 bytes as base64url (``KEGUI_DATA_KEY``).
        previous: the master key before it, while they are changed (``KEGUI_DATA_KEY_PREVIOUS``).
        read: reads the wrapped data keys; without it the master key seals by itself.
    """

    def __init__(
        self,
        master_key: str,
        previous: str | None = None,
        read: Callable[[], Iterable[WrappedKey]] = tuple,
    ) -> None:
        self._masters = [master_key, *([previous] if previous else [])]
        self._read = read
        self._ring: Ring | None = None
        self._read_at = float("-inf")
        self._ciphers: dict[tuple[int, str], AESGCM] = {}
        self._roots: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def ring(self) -> Ring:
        """Return the data keys, as they were a few seconds ago or later.

        Raises:
            WrongKey: they are not ours to open.
            PeeweeException: they were never read, and cannot be now.
        """
        ring = self._ring
        if ring is None or time.monotonic() - self._read_at > READ_AGAIN_SECONDS:
            return self._read_again()
        return ring

    def check(self) -> Ring:
        """Read the data keys now, and be told if the master key is not theirs.

        Raises:
            WrongKey, PeeweeException, MaxConnectionsExceeded: see ``ring``.
        """
        return unwrap(self._masters, self._read())

    def _known(self) -> Ring:
        return self._ring or self._read_again()

    def _read_again(self) -> Ring:
        try:
            ring = self.check()
        except (WrongKey, PeeweeException, MaxConnectionsExceeded) as error:
            # The database is away, or the master key was changed behind this process: what is known
            # already opens what was sealed until now.
            if self._ring is None:
                raise
            log.error("data_keys_not_read", error=type(error).__name__)
            ring = self._ring
        with self._lock:
            self._ring, self._read_at = ring, time.monotonic()
        return ring

    def seal(self, cell: Cell, row: str, value: bytes) -> bytes:
        """Encrypt ``value``; it opens again in the same cell of the same row only."""
        number, nonce = self.ring().sealing, os.urandom(NONCE_BYTES)
        head = _head(number)
        sealed = self._cipher(number, cell.purpose).encrypt(nonce, value, head + cell.place(row))
        return head + nonce + sealed

    def open(self, cell: Cell, row: str, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` made for this place.

        Raises:
            VaultError: the key or the place is another one, or the value was changed.
        """
        sealed = bytes(sealed)
        head, rest = sealed[:HEAD_BYTES], sealed[HEAD_BYTES:]
        if head[:1] != MARK:
            raise VaultError("not sealed by this vault")
        number = int.from_bytes(head[1:], "big")
        if number not in self._known().keys and number not in self._read_again().keys:
            raise VaultError("sealed with a key that is not there")
        nonce, body = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
        try:
            return self._cipher(number, cell.purpose).decrypt(nonce, body, head + cell.place(row))
        except (InvalidTag, ValueError):
            raise VaultError("sealed with another key or for another row, or changed") from None

    def head(self) -> bytes:
        """Return how a value begins that is sealed now."""
        return _head(self.ring().sealing)

    def fingerprint(self, purpose: str, value: str) -> str:
        """Return a keyed digest: equal values match, nobody without the key can guess."""
        key = self._root(f"fingerprint {purpose}")
        return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()

    def key(self, purpose: str) -> bytes:
        """Return 32 bytes of their own for ``purpose``: from them nobody finds any other key."""
        return self._root(f"key {purpose}")

    def _root(self, info: str) -> bytes:
        if info not in self._roots:
            self._roots[info] = _derive(self._known().keys[ROOT], info)
        return self._roots[info]

    def _cipher(self, number: int, purpose: str) -> AESGCM:
        if (number, purpose) not in self._ciphers:
            key = self._known().keys[number]
            self._ciphers[number, purpose] = AESGCM(_derive(key, f"seal {purpose}"))
        return self._ciphers[number, purpose]
