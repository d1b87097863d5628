"""Each request has an id: on its log lines, in its answer, and never somebody else's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from flask import Flask, abort
from flask.testing import FlaskClient
from structlog.testing import LogCapture

from bot.api import request_id

log = structlog.get_logger("test")


@pytest.fixture
def lines() -> Iterator[LogCapture]:
    config, capture = structlog.get_config(), LogCapture()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, capture],
        # Otherwise the logger keeps the first test's processors.
        cache_logger_on_first_use=False,
    )
    yield capture
    structlog.configure(**config)


@pytest.fixture
def client(lines: LogCapture) -> FlaskClient:
    app = Flask("test")
    request_id.register(app)

    @app.get("/<name>")
    def page(name: str) -> str:
        if name == "broken":
            raise ValueError(name)
        if name == "nothing":
            abort(404)
        log.info("page", name=name)
        structlog.contextvars.bind_contextvars(left_behind=name)
        return name

    return app.test_client()


def test_the_answer_has_the_id_of_the_lines(client: FlaskClient, lines: LogCapture) -> None:
    answer = client.get("/one")

    [line] = lines.entries
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert len(line["request_id"]) == 32


def test_a_proxys_id_is_kept(client: FlaskClient, lines: LogCapture) -> None:
    answer = client.get("/one", headers={"X-Request-ID": "3f2a-Proxy_7.1"})

    assert answer.headers["X-Request-ID"] == "3f2a-Proxy_7.1"
    assert lines.entries[0]["request_id"] == "3f2a-Proxy_7.1"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "x" * 65,
        'a"quote-in-it',
        "with space",
        "陈女士陈女士陈女士",
        "../../etc/passwd",
    ],
)
def test_any_other_is_replaced(client: FlaskClient, lines: LogCapture, given: str) -> None:
    answer = client.get("/one", headers={"X-Request-ID": given.encode().decode("latin-1")})

    assert len(answer.headers["X-Request-ID"]) == 32
    assert lines.entries[0]["request_id"] == answer.headers["X-Request-ID"]


def test_the_next_request_of_the_thread_inherits_nothing(
    client: FlaskClient, lines: LogCapture
) -> None:
    with ThreadPoolExecutor(1) as thread:
        answers = [thread.submit(client.get, f"/{name}").result() for name in ("one", "two")]
        thread.submit(log.info, "outside").result()

    first, second, outside = lines.entries
    assert [first["request_id"], second["request_id"]] == [
        answer.headers["X-Request-ID"] for answer in answers
    ]
    assert first["request_id"] != second["request_id"]
    assert "left_behind" not in second
    assert not {"request_id", "left_behind"} & set(outside)


@pytest.mark.parametrize(("path", "status"), [("/broken", 500), ("/nothing", 404)])
def test_what_goes_wrong_has_an_id_too(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.headers["X-Request-ID"]
