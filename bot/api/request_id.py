"""Each web request has an id: on all of its log lines, and in the answer as X-Request-ID."""

import re
from random import getrandbits

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

HEADER = "X-Request-ID"
# Anything else could forge a log line or carry what no log may hold.
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)


def register(app: Flask) -> None:
    """Give ids to the requests of ``app``; a proxy's own is kept when it is a short plain token.

    Must come before whatever logs.
    """
    app.before_request(_begin)
    app.after_request(_answer)
    app.teardown_request(_end)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if SANE.fullmatch(given) else f"{getrandbits(128):032x}"
    # The thread has served others.
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _answer(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response


def _end(_error: BaseException | None) -> None:
    clear_contextvars()
