"""A callback door of the plainest kind: notes what comes and answers as it is told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from defusedxml import ElementTree

from bot.sandbox.crypto import Seal
from tests.sandbox.stage import CORP_ID

TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


class Receiver:
    """``failures`` is how many of the next deliveries get no answer at all."""

    def __init__(self) -> None:
        self.url = ""
        self.failures = 0
        self.status = 200
        self.envelopes: list[bytes] = []
        self.plain: list[bytes] = []
        self.timestamps: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.attempts: list[float] = []
        self.seal = Seal(TOKEN, AES_KEY, CORP_ID)
        self._arrived = threading.Condition()

    def door(self) -> dict[str, str]:
        return {"url": self.url, "token": TOKEN, "aes_key": AES_KEY}

    def take(self, query: dict[str, str], body: bytes) -> bool:
        """Note a delivery; False: say nothing and hang up."""
        encrypted = ElementTree.fromstring(body).findtext("Encrypt")
        plain = self.seal.open(
            query["msg_signature"], query["timestamp"], query["nonce"], encrypted
        )
        with self._arrived:
            self.plain.append(plain)
            self.timestamps.append(int(query["timestamp"]))
            self._arrived.notify_all()
        try:
            root = ElementTree.fromstring(plain)
        except ElementTree.ParseError:
            return True
        with self._arrived:
            self.attempts.append(time.monotonic())
            self.envelopes.append(body)
            if self.failures:
                self.failures -= 1
                return False
            self.events.append({node.tag: node.text for node in root})
            self._arrived.notify_all()
        return True

    def wait_for_plain(self, count: int) -> list[bytes]:
        """Give the texts of what was delivered, also of what is no XML."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.plain) >= count, 15)
            return list(self.plain)

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.events) >= count, 15)
            return list(self.events)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Open a door on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = _query(self.path)
            body = receiver.seal.open(
                query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]
            )
            self._answer(200, body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.take(_query(self.path), body):
                self._answer(receiver.status, b"")
            else:
                self.close_connection = True

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # The default of 5 makes a burst wait for repeated connection attempts.
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/wecom/callback"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _query(path: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
