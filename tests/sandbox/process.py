"""The sandbox as a process of its own, for tests that need real HTTP."""

import http.client
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.children import Child

START_SECONDS = 20


@contextmanager
def running_sandbox(host: str = "127.0.0.1") -> Iterator[str]:
    """Start a sandbox on a free port, wait until it answers, give its URL, end it."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "KEGUI_ENV"}
    arguments = ["--host", host, "--port", str(port)]
    process = Child("bot.sandbox", arguments, environment)
    try:
        _wait_until_it_answers(process, host, port)
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _wait_until_it_answers(process: Child, host: str, port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection(host, port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError("the sandbox does not answer")
