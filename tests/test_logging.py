"""Logs: one JSON object a line, from us and from libraries, and no address with a token."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from bot.wecom import Transient, WeComError
from config import logging as our_logging
from tests.wecom.speaking import Listener, speak

LIBRARIES = ("urllib3", "requests", "wechatpy", "apscheduler", "peewee", "huey")


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    root.handlers, root.level = handlers, level
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)
    structlog.configure(**config)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    return read


def test_our_line_is_one_json_object_with_its_facts(lines: Any) -> None:
    our_logging.configure()

    structlog.get_logger("bot.worker").warning("claim_lost", inbox_event=7, 客户="陈女士")

    [line] = lines()
    assert (line["event"], line["level"], line["logger"]) == (
        "claim_lost",
        "warning",
        "bot.worker",
    )
    assert (line["inbox_event"], line["客户"]) == (7, "陈女士")
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


def test_a_librarys_line_has_the_same_shape(lines: Any) -> None:
    our_logging.configure()

    logging.getLogger("gunicorn.error").error("worker %s died", 7)

    [line] = lines()
    assert (line["event"], line["level"], line["logger"]) == (
        "worker 7 died",
        "error",
        "gunicorn.error",
    )
    assert line["timestamp"]


def test_an_exception_stays_on_its_line(lines: Any) -> None:
    our_logging.configure()

    for log in (structlog.get_logger("bot"), logging.getLogger("library")):
        try:
            raise ValueError("two\nlines")
        except ValueError:
            log.exception("failed")

    for line in lines():
        assert line["event"] == "failed"
        assert line["exception"].startswith("Traceback")
        assert "ValueError: two\nlines" in line["exception"]


def test_what_json_does_not_know_is_told_all_the_same(lines: Any) -> None:
    our_logging.configure()

    structlog.get_logger("bot").info("odd", value=object())

    [line] = lines()
    assert "object" in line["value"]


@pytest.mark.parametrize(("level", "told"), [("DEBUG", 3), ("INFO", 2), ("ERROR", 1)])
def test_the_level_decides_what_is_told(lines: Any, level: str, told: int) -> None:
    our_logging.configure(level)
    log = structlog.get_logger("bot")

    log.debug("one")
    log.info("two")
    log.error("three")

    assert len(lines()) == told


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_that_print_addresses_are_kept_quiet_at_every_level(
    lines: Any, name: str
) -> None:
    our_logging.configure("DEBUG")

    logging.getLogger(f"{name}.inner").debug("GET /?access_token=secret")
    logging.getLogger(f"{name}.inner").info("GET /?access_token=secret")

    assert lines() == []


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"errcode":0}',
        b'HTTP/1.1 200 OK\r\nBroken header\r\nContent-Length: 13\r\n\r\n{"errcode":0}',
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0\r\n",
    ],
)
def test_no_line_of_a_call_tells_the_secret(lines: Any, answer: bytes) -> None:
    our_logging.configure("DEBUG")
    listener = Listener(answer, hangs_up=True)

    with pytest.raises(WeComError) as raised:
        speak(api_base=listener.url).customers.follow_users()
    listener.close()

    assert isinstance(raised.value, Transient)
    assert "secret-of-the-app" not in json.dumps(lines())
