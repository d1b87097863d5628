"""Requests at a callback door, byte by byte, as no honest client would send them."""

import base64
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bot.sandbox.crypto import Seal, sign
from bot.sandbox.place import CALLBACKS, Place

TIMEOUT_SECONDS = 20
TIMESTAMP = str(int(time.time()))
NONCE = "nonce-that-no-log-may-hold"


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 is no answer at all."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Knock:
    """One request; ``chunked`` sends the body without saying how long it is."""

    query: str = ""
    body: bytes = b""
    method: str = "POST"
    content_type: str = "text/xml"
    chunked: bool = False


class Door:
    """One door of a running Kegui and the keys that fit it."""

    def __init__(self, place: Place, name: str) -> None:
        prefix, self.path = CALLBACKS[name]
        self.name = name
        self.url = place.web_url
        self.corp_id = place.environment["KEGUI_CORP_ID"]
        self._token = place.environment[f"KEGUI_{prefix}_TOKEN"]
        self._aes_key = place.environment[f"KEGUI_{prefix}_AES_KEY"]

    def seal(self, receiver: str | None = None) -> Seal:
        return Seal(self._token, self._aes_key, receiver or self.corp_id)

    def query(self, encrypted: str, at: str = TIMESTAMP, /, **changes: str | None) -> str:
        """Return the query that signs ``encrypted``; a change to None leaves a parameter out."""
        signed: dict[str, str | None] = {
            "msg_signature": sign(self._token, at, NONCE, encrypted),
            "timestamp": at,
            "nonce": NONCE,
        }
        return urlencode({name: one for name, one in (signed | changes).items() if one is not None})

    def signed(self, encrypted: str, at: str = TIMESTAMP, /, **changes: str | None) -> Knock:
        """Wrap something that is said to be encrypted; the signature fits."""
        return Knock(self.query(encrypted, at, **changes), envelope(encrypted))

    def sealed(self, message: bytes, receiver: str | None = None, at: str = TIMESTAMP) -> Knock:
        """Wrap a message as WeCom would: encrypted, and signed at a moment (Unix seconds)."""
        return self.signed(self.seal(receiver).encrypt(message), at)

    def enciphered(self, padded: bytes) -> Knock:
        """Encrypt bytes that may be no frame at all, or padded by another rule."""
        key = base64.b64decode(self._aes_key + "=")
        encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
        sealed = encryptor.update(padded) + encryptor.finalize()
        return self.signed(base64.b64encode(sealed).decode())

    def knock(self, knock: Knock) -> Answer:
        """Send one request on a connection of its own, and read the whole answer."""
        return exchange(self.url, self.request(knock))

    def request(self, knock: Knock) -> list[bytes]:
        """Return the bytes of a request: its head, then its body in parts."""
        head = [
            f"{knock.method} {self.path}?{knock.query} HTTP/1.1",
            "Host: kegui",
            f"Content-Type: {knock.content_type}",
            "Connection: close",
        ]
        if knock.chunked:
            head.append("Transfer-Encoding: chunked")
            body = [b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(knock.body)]
            body.append(b"0\r\n\r\n")
        else:
            head.append(f"Content-Length: {len(knock.body)}")
            body = _parts(knock.body)
        return ["\r\n".join([*head, "", ""]).encode("latin-1"), *body]


def envelope(encrypted: str) -> bytes:
    """Return the outer XML around something encrypted."""
    return f"<xml><ToUserName>ww</ToUserName><Encrypt>{encrypted}</Encrypt></xml>".encode()


def remark_changed(corp_id: str, number: int) -> bytes:
    """Return a good event; each number is another one."""
    return (
        f"<xml><ToUserName>{corp_id}</ToUserName><FromUserName>sys</FromUserName>"
        "<CreateTime>1790000000</CreateTime><MsgType>event</MsgType>"
        "<Event>change_external_contact</Event><ChangeType>edit_external_contact</ChangeType>"
        f"<UserID>zhangsan</UserID><ExternalUserID>wm_{number}</ExternalUserID></xml>"
    ).encode()


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), TIMEOUT_SECONDS)


def exchange(url: str, parts: Iterable[bytes]) -> Answer:
    """Send raw bytes and read the answer, also when the other side stops listening early."""
    began = time.monotonic()
    with connect(url) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        received = bytearray()
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    number = int(status.split(" ")[1]) if status.startswith("HTTP/1.1 ") else 0
    return Answer(number, headers, body, time.monotonic() - began)


def _parts(body: bytes, size: int = 65536) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]
