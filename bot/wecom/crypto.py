"""WeCom's callback cryptography: wechatpy's cipher, with every check it leaves out.

wechatpy compares signatures with ``!=``, does not look at the padding, and raises many kinds of
exception on garbage. Here all comparison is in constant time, and there is one way to fail.
"""

import base64
import binascii
import hmac
import os
import struct

from wechatpy.crypto.base import WeChatCipher
from wechatpy.utils import WeChatSigner

from bot import safe_xml

BLOCK = 32
RANDOM_BYTES = 16
LENGTH_BYTES = 4
MAX_ENVELOPE_BYTES = 1024 * 1024
# What may stand before the first character of a text that is XML or JSON all the same.
BEFORE_A_DOCUMENT = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"


class CallbackRejected(Exception):
    """What came to the door is not WeCom's; ``reason`` is one static word, never content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CallbackCrypto:
    """The key triple of one door (path 90968).

    Args:
        token: signs.
        aes_key: EncodingAESKey, 43 characters.
        corp_id: the receiver that must stand in every message.
    """

    def __init__(self, token: str, aes_key: str, corp_id: str) -> None:
        self._token = token
        self._key = base64.b64decode(aes_key + "=")
        if len(self._key) != 32:
            raise ValueError("an EncodingAESKey has 43 letters and digits")
        self._cipher = WeChatCipher(self._key)
        self._corp_id = corp_id.encode()

    def verify_url(self, msg_signature: str, timestamp: str, nonce: str, echostr: str) -> bytes:
        """Return the bare bytes that WeCom wants back when it checks the URL.

        An event is signed and encrypted like an echo: one that somebody captured on its way must
        not come back in clear.

        Args:
            echostr: as it came; its ``+`` may have become blanks on the way.

        Raises:
            CallbackRejected: it is not WeCom's, or no echo.
        """
        echo = self._open(msg_signature, timestamp, nonce, echostr.replace(" ", "+"))
        if echo.lstrip(BEFORE_A_DOCUMENT).startswith((b"<", b"{", b"[")):
            raise CallbackRejected("no_echo")
        return echo

    def decrypt(self, msg_signature: str, timestamp: str, nonce: str, body: bytes) -> bytes:
        """Return the plaintext XML of an event.

        Raises:
            CallbackRejected: it is not WeCom's.
        """
        return self._open(msg_signature, timestamp, nonce, _encrypted_part(body))

    def encrypt(
        self, plaintext: bytes, timestamp: str, nonce: str, random: bytes | None = None
    ) -> bytes:
        """Return a passive reply (path 90241); ``random`` is 16 bytes, fresh if not given."""
        encrypted = self._seal(plaintext, random)
        signature = self._sign(timestamp, nonce, encrypted)
        return (
            f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt>"
            f"<MsgSignature><![CDATA[{signature}]]></MsgSignature>"
            f"<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        ).encode()

    def echo_query(self, echo: bytes, timestamp: str, nonce: str) -> dict[str, str]:
        """Return the query with which WeCom verifies a URL (path 90930)."""
        return self.signed_query(self._seal(echo), timestamp, nonce)

    def signed_query(self, encrypted: str, timestamp: str, nonce: str) -> dict[str, str]:
        """Return such a query around any text in the place of the ciphertext."""
        return {
            "msg_signature": self._sign(timestamp, nonce, encrypted),
            "timestamp": timestamp,
            "nonce": nonce,
            "echostr": encrypted,
        }

    def _seal(self, plaintext: bytes, random: bytes | None = None) -> str:
        frame = (
            (random or os.urandom(RANDOM_BYTES))
            + struct.pack("!I", len(plaintext))
            + plaintext
            + self._corp_id
        )
        padding = BLOCK - len(frame) % BLOCK
        sealed = self._cipher.encrypt(frame + bytes([padding]) * padding)
        return base64.b64encode(sealed).decode()

    def _sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        signer = WeChatSigner()
        signer.add_data(self._token, timestamp, nonce, encrypted)
        return str(signer.signature)

    def _open(self, msg_signature: str, timestamp: str, nonce: str, encrypted: str) -> bytes:
        try:
            expected = self._sign(timestamp, nonce, encrypted).encode()
            genuine = hmac.compare_digest(expected, msg_signature.encode())
        except UnicodeError:
            genuine = False
        if not genuine:
            raise CallbackRejected("signature")
        return self._unframe(self._unpad(self._decipher(encrypted)))

    def _decipher(self, encrypted: str) -> bytes:
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError):
            raise CallbackRejected("base64") from None
        if not sealed or len(sealed) % BLOCK:
            raise CallbackRejected("length")
        return bytes(self._cipher.decrypt(sealed))

    @staticmethod
    def _unpad(padded: bytes) -> bytes:
        """Take off PKCS#7 with blocks of 32 (path 90968)."""
        padding = padded[-1]
        if not 1 <= padding <= BLOCK or not hmac.compare_digest(
            padded[-padding:], bytes([padding]) * padding
        ):
            raise CallbackRejected("padding")
        return padded[:-padding]

    def _unframe(self, frame: bytes) -> bytes:
        if len(frame) < RANDOM_BYTES + LENGTH_BYTES:
            raise CallbackRejected("frame")
        (length,) = struct.unpack_from("!I", frame, RANDOM_BYTES)
        rest = frame[RANDOM_BYTES + LENGTH_BYTES :]
        if length > len(rest):
            raise CallbackRejected("frame")
        if not hmac.compare_digest(rest[length:], self._corp_id):
            raise CallbackRejected("receiver")
        return rest[:length]


def _encrypted_part(body: bytes) -> str:
    """Read Encrypt out of the envelope; it is parsed before the signature can be checked, so
    nothing but flat XML without a DTD is looked at."""
    if len(body) > MAX_ENVELOPE_BYTES:
        raise CallbackRejected("body")
    try:
        root = safe_xml.read(body)
    except safe_xml.NotXML:
        raise CallbackRejected("body") from None
    node = root.find("Encrypt")
    if node is None or not node.text:
        raise CallbackRejected("body")
    return str(node.text.strip())
