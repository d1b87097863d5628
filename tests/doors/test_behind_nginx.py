"""The web process as it must stand: behind nginx with the example's configuration."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.deploy.test_deploy import NGINX, nginx_with
from tests.doors.knocking import Door, Knock, connect, exchange, remark_changed
from tests.stack import Stack, free_port, running_stack, until

NUMBERS = count(1)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def public(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where nginx listens for the internet, here without TLS."""
    port = free_port()
    site = NGINX.read_text()
    for written, here in (
        ("127.0.0.1:8000", stack.place.web_url.removeprefix("http://")),
        ("listen 443 ssl", f"listen 127.0.0.1:{port}"),
        ("listen 8443 ssl", f"listen 127.0.0.1:{free_port()}"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
    ):
        assert written in site
        site = site.replace(written, here)
    command = nginx_with(tmp_path_factory.mktemp("nginx"), site)
    nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url))
        yield url
    finally:
        nginx.terminate()
        nginx.wait(10)


@pytest.fixture
def door(stack: Stack, public: str) -> Door:
    made = Door(stack.place, "customer")
    made.url = public
    return made


def _answers(url: str) -> bool:
    try:
        return (
            exchange(url, [b"GET /nowhere HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n"]).status
            == 404
        )
    except OSError:
        return False


def good(door: Door) -> Knock:
    return door.sealed(remark_changed(door.corp_id, next(NUMBERS)))


def test_those_who_send_half_a_request_hold_up_nobody(door: Door) -> None:
    [head, body] = door.request(good(door))

    with ExitStack() as waiting:
        for number in range(80):
            connection = waiting.enter_context(connect(door.url))
            connection.sendall(head + body[:10] if number % 2 else head[:-10])
        answers = [door.knock(good(door)) for _ in range(5)]

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 5
    assert max(answer.seconds for answer in answers) < 1


def test_a_trusted_proxy_is_believed_about_tls_and_never_about_the_path(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kegui.db"
    head = "GET /healthz HTTP/1.1\r\nHost: k\r\nConnection: close\r\n"
    with running_stack(tmp_path, url, url, "web", TRUSTED_PROXIES="127.0.0.1") as stack:
        answers = [
            exchange(stack.place.web_url, [f"{head}{claim}\r\n\r\n".encode()])
            for claim in ("X-Forwarded-Proto: https", "SCRIPT_NAME: /wecom", "PATH_INFO: /x")
        ]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert ["strict-transport-security" in answer.headers for answer in answers] == [
        True,
        False,
        False,
    ]


def test_who_sends_nothing_more_is_hung_up_on(door: Door) -> None:
    [head, body] = door.request(good(door))
    began = time.monotonic()

    with ExitStack() as waiting:
        silent = [waiting.enter_context(connect(door.url)) for _ in range(2)]
        for connection, part in zip(silent, (head[:-10], head + body[:10]), strict=True):
            connection.sendall(part)
        for connection in silent:
            connection.settimeout(15)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                continue

    assert time.monotonic() - began < 12


def test_more_connections_than_anybody_needs_are_refused(door: Door) -> None:
    [head, body] = door.request(good(door))

    with ExitStack() as waiting:
        for _ in range(300):
            connection = waiting.enter_context(connect(door.url))
            connection.sendall(head + body[:10])
        refused = until(lambda: door.knock(good(door)).status == 429, 10)

    assert refused
    until(lambda: door.knock(good(door)).status == 200, 10)


def test_a_burst_of_wecoms_is_taken_whole(door: Door) -> None:
    knocks = [good(door) for _ in range(600)]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(door.knock, knocks))

    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("path", ["/", "/api/v1/customers", "/healthz", "/metrics", "/login"])
def test_the_internet_sees_no_page_of_ours(door: Door, path: str) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n"

    assert exchange(door.url, [head.encode()]).status == 404


def test_a_body_too_large_never_comes_as_far_as_kegui(door: Door) -> None:
    [head, *_] = door.request(Knock(door.query("x"), b"x" * (2 * MIB)))

    assert exchange(door.url, [head]).status == 413
