"""The sandbox as the source of the archive: no library and no compiler, envelopes of its own."""

import base64
import binascii
import http.client
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.archive.source import NETWORK, Locked, NotOpened, Piece, SourceError

TIMEOUT_SECONDS = 30
NONCE_BYTES = 12
CANNOT_DECRYPT = 10006


class SandboxSource:
    """Asks the sandbox's own addresses, with the archive's secret.

    Args:
        base: the sandbox's address.
    """

    def __init__(self, base: str, secret: str) -> None:
        self._base = urlsplit(base)
        self._secret = secret

    def chat_data(self, seq: int, limit: int) -> bytes:
        return self._ask("chatdata", seq=seq, limit=limit)

    def decrypt(self, messages: Sequence[Locked]) -> Iterator[bytes | NotOpened]:
        for one in messages:
            try:
                yield open_message(one.key, one.message)
            except (InvalidTag, ValueError):
                yield NotOpened(CANNOT_DECRYPT)

    def media(self, file_id: str, index: str) -> Piece:
        answer = json.loads(self._ask("media", file_id=file_id, index=index))
        if answer["errcode"]:
            raise SourceError("GetMediaData", int(answer["errcode"]))
        data = base64.b64decode(answer["data"])
        return Piece(data, str(answer["next_index"]), bool(answer["is_last"]))

    def close(self) -> None:
        """It holds nothing."""

    def _ask(self, what: str, **body: Any) -> bytes:
        kind = (
            http.client.HTTPSConnection
            if self._base.scheme == "https"
            else (http.client.HTTPConnection)
        )
        line = kind(self._base.netloc, timeout=TIMEOUT_SECONDS)
        try:
            sent = json.dumps({"secret": self._secret, **body}).encode()
            headers = {"Content-Type": "application/json"}
            path = f"{self._base.path.rstrip('/')}/sandbox/archive/{what}"
            line.request("POST", path, sent, headers)
            answer = line.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            raise SourceError(what, NETWORK) from None
        finally:
            line.close()
        if answer.status != http.client.OK:
            raise SourceError(what, NETWORK)
        return content


def seal_message(key: bytes, nonce: bytes, plain: bytes) -> str:
    """Return a message in the sandbox's own envelope; ``key`` is 32 characters."""
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, None)).decode()


def open_message(key: bytes, message: str) -> bytes:
    """Open what ``seal_message`` made.

    Raises:
        InvalidTag, ValueError: it is not under this key.
    """
    try:
        content = base64.b64decode(message, validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
    return AESGCM(key).decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], None)
