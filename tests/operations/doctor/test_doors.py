"""Doors that answer the verification in other ways than WeCom wants."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.sandbox.crypto import Seal
from tests.operations.doctor.conftest import Patient

DOORS = ("customer door", "contacts door", "archive door")
Spoil = Callable[[bytes], bytes]


@contextmanager
def spoiling_proxy(patient: Patient, spoil: Spoil, status: int = 200) -> Iterator[str]:
    """Answer each door's echo, spoilt, with a cryptography of its own."""
    settings = patient.environment
    seals = {
        "/wecom/callback" + path: Seal(
            settings[f"KEGUI_{name}CALLBACK_TOKEN"],
            settings[f"KEGUI_{name}CALLBACK_AES_KEY"],
            settings["KEGUI_CORP_ID"],
        )
        for path, name in (("", ""), ("/contacts", "CONTACTS_"), ("/archive", "ARCHIVE_"))
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            body = b"abcdefghijkl"
            if address.path in seals:
                query = {name: values[0] for name, values in parse_qs(address.query).items()}
                body = seals[address.path].open(
                    query["msg_signature"], query["timestamp"], query["nonce"], query["echostr"]
                )
                body = spoil(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_and_answer(echo: bytes) -> bytes:
    time.sleep(1.1)
    return echo


@pytest.mark.parametrize(
    ("spoil", "problem", "word"),
    [
        (lambda echo: echo, "", ""),
        (lambda echo: b'"' + echo + b'"', "door_decorated", "quotes"),
        (lambda echo: echo + b"\n", "door_decorated", "newline"),
        (lambda echo: b"\xef\xbb\xbf" + echo, "door_decorated", "BOM"),
        (lambda echo: b"<html>welcome</html>", "door_wrong_answer", ""),
        (wait_and_answer, "door_slow", "1.1"),
    ],
    ids=["bare", "quotes", "newline", "BOM", "another site", "slow"],
)
def test_an_answer_that_wecom_would_not_take(
    patient: Patient, spoil: Spoil, problem: str, word: str
) -> None:
    with spoiling_proxy(patient, spoil) as url:
        report = patient.examine(KEGUI_PUBLIC_URL=url)

    assert report.failed == (dict.fromkeys(DOORS, problem) if problem else {})
    assert all(word in report.row(door)["seen"] for door in DOORS)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (302, "door_blocked"),
        (403, "door_blocked"),
        (404, "door_not_found"),
        (502, "door_unreachable"),
    ],
)
def test_an_answer_of_the_proxy_itself(patient: Patient, status: int, problem: str) -> None:
    with spoiling_proxy(patient, lambda echo: b"<html>proxy</html>", status) as url:
        report = patient.examine(KEGUI_PUBLIC_URL=url)

    assert {door: report.failed.get(door) for door in DOORS} == dict.fromkeys(DOORS, problem)
