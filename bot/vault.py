"""The vault: what is stored encrypted, and with which key."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
NONCE_BYTES = 12


class VaultError(Exception):
    """Something stored cannot be opened: another key, or it was changed."""


class Vault:
    """Seals and opens small values under keys derived from the master key.

    Args:
        master_key: 32 bytes as base64url (``KEGUI_DATA_KEY``).
    """

    def __init__(self, master_key: str) -> None:
        self._master = base64.urlsafe_b64decode(master_key)
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, purpose: str, value: bytes) -> bytes:
        """Encrypt ``value``; only the same ``purpose`` opens it again."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher(purpose).encrypt(nonce, value, purpose.encode())
        return VERSION + nonce + sealed

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` made.

        Raises:
            VaultError: the key or the purpose is another one, or the value was changed.
        """
        sealed = bytes(sealed)
        if sealed[:1] != VERSION:
            raise VaultError("not sealed by this vault")
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher(purpose).decrypt(nonce, body, purpose.encode())
        except (InvalidTag, ValueError):
            raise VaultError("sealed with another key, or changed since") from None

    def fingerprint(self, purpose: str, value: str) -> str:
        """Return a keyed digest: equal values match, nobody without the key can guess."""
        return hmac.new(
            self._derive(f"fingerprint {purpose}"), value.encode(), hashlib.sha256
        ).hexdigest()

    def key(self, purpose: str) -> bytes:
        """Return 32 bytes of their own for ``purpose``: from them nobody finds any other key."""
        return self._derive(f"key {purpose}")

    def _cipher(self, purpose: str) -> AESGCM:
        if purpose not in self._ciphers:
            self._ciphers[purpose] = AESGCM(self._derive(f"seal {purpose}"))
        return self._ciphers[purpose]

    def _derive(self, info: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=info.encode()).derive(self._master)
