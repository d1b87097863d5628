"""Callback cryptography as WeCom defines it (developer.work.weixin.qq.com path 90968)."""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

BAD_SIGNATURE = -40001
BAD_KEY = -40004
WRONG_RECEIVER = -40005
NOT_DECRYPTED = -40007
BAD_FRAME = -40008
BAD_BASE64 = -40010

RANDOM_BYTES = 16
# Wider than AES's own block: most libraries' default of 16 bytes refuses real callbacks.
PADDING_BITS = 256


class CryptoError(Exception):
    """Carries one of the codes of path 90307."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


def sign(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """Return the msg_signature of four values: lower-case SHA-1 over the sorted strings."""
    joined = "".join(sorted((token, timestamp, nonce, encrypted)))
    return hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()


class Seal:
    """Seals and opens the messages of one callback door."""

    def __init__(self, token: str, aes_key: str, receive_id: str) -> None:
        """Take the 43 characters of EncodingAESKey.

        Raises:
            CryptoError: -40004 for a key of another length or alphabet.
        """
        self.token = token
        self.receive_id = receive_id
        try:
            self._key = base64.b64decode(aes_key + "=", validate=True)
        except (binascii.Error, ValueError):
            raise CryptoError(BAD_KEY) from None
        if len(self._key) != 32:
            raise CryptoError(BAD_KEY)

    def encrypt(self, message: bytes, random: bytes | None = None) -> str:
        """Return base64; ``random`` is the frame's first 16 bytes, fresh unless a test fixes it."""
        frame = random or secrets.token_bytes(RANDOM_BYTES)
        frame += struct.pack(">I", len(message)) + message + self.receive_id.encode()
        padder = PKCS7(PADDING_BITS).padder()
        padded = padder.update(frame) + padder.finalize()
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def decrypt(self, encrypted: str) -> bytes:
        """Return the message inside.

        Raises:
            CryptoError: with the code of what did not fit.
        """
        try:
            ciphertext = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError):
            raise CryptoError(BAD_BASE64) from None
        try:
            decryptor = self._cipher().decryptor()
            padded = decryptor.update(ciphertext) + decryptor.finalize()
            unpadder = PKCS7(PADDING_BITS).unpadder()
            frame = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise CryptoError(NOT_DECRYPTED) from None
        return self._open_frame(frame)

    def open(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> bytes:
        """Check the signature, then decrypt.

        Raises:
            CryptoError: -40001 for a wrong signature, else as ``decrypt``.
        """
        expected = sign(self.token, timestamp, nonce, encrypted)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise CryptoError(BAD_SIGNATURE)
        return self.decrypt(encrypted)

    def _open_frame(self, frame: bytes) -> bytes:
        start = RANDOM_BYTES + 4
        if len(frame) < start:
            raise CryptoError(BAD_FRAME)
        (length,) = struct.unpack(">I", frame[RANDOM_BYTES:start])
        if start + length > len(frame):
            raise CryptoError(BAD_FRAME)
        if frame[start + length :] != self.receive_id.encode():
            raise CryptoError(WRONG_RECEIVER)
        return frame[start : start + length]

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))
