"""What every page of the console has: its connection, its words, its headers."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import cast

from flask import Flask, Response, abort, current_app, request
from flask_babel import format_timedelta
from werkzeug.datastructures import MultiDict

from bot.alarms import told
from bot.audit.log import without_phones
from bot.console import form_limits, language
from bot.console.reasons import actor, because, code, reason
from bot.console.words import event_name, word
from bot.db import database
from bot.kegui import Kegui

PAGE_SIZE = 50
SHOWN_OF_IDENTIFIER = 5
# Doors for machines: their answers are not pages.
MACHINE_DOORS = ("/api", "/wecom", "/healthz", "/readyz", "/metrics", "/sandbox")
HEADERS = {
    # data: serves the icons that Bootstrap's own stylesheet carries.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def bind(app: Flask, kegui: Kegui) -> None:
    """Let the pages of ``app`` know whom the process serves."""
    app.extensions["console"] = kegui


def kegui() -> Kegui:
    return cast(Kegui, current_app.extensions["console"])


def open_connection() -> None:
    """Hold a connection for the request; the application closes it in its teardown."""
    if (request.endpoint or "").endswith(".static"):
        return
    # PostgreSQL cannot even be asked for a text with a NUL in it; no keyboard types one.
    if "\x00" in request.path or _has_nul(request.args):
        abort(404)
    if _has_nul(request.form):
        abort(400)
    form_limits.check()
    database.connect(reuse_if_open=True)


def _has_nul(given: MultiDict[str, str]) -> bool:
    return any("\x00" in value for _name, value in given.items(multi=True))


def is_page(path: str) -> bool:
    """Whether a person asks for ``path``, and not a machine."""
    return not any(path == door or path.startswith(door + "/") for door in MACHINE_DOORS)


def protect(response: Response) -> Response:
    """Nothing foreign runs on a page, nobody frames it, and no cache keeps customers' names."""
    if is_page(request.path):
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.mimetype == "text/html":
            response.headers["Cache-Control"] = "no-store"
    return response


def page_number() -> int:
    """Which page of a list is asked for; nonsense means the first."""
    number: int = request.args.get("page", 1, type=int)
    return number


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of the allowed values of an argument; anything else is no such page."""
    value: str = request.args.get(name, default)
    if value not in allowed:
        abort(404)
    return value


def add_words(app: Flask, zone: tzinfo) -> None:
    """Give the templates what they need to speak of states, reasons and times."""
    app.jinja_env.filters |= {
        "word": lambda key, topic: word(topic, key),
        "actor": actor,
        "reason": reason,
        "because": because,
        "code": code,
        "told": lambda alarm: told(alarm, zone),
        "moment": _moment(zone),
        "lasting": lasting,
        "masked": masked,
        "without_phones": without_phones,
    }
    app.jinja_env.globals |= {
        "console_zone": str(zone),
        "event_name": event_name,
        "longest": form_limits.longest,
        "html_language": language.html_language,
        "first_page": language.first_page,
        "same_page": language.same_page,
    }


def masked(identifier: str) -> str:
    """The beginning of an identifier, for whoever may not know whose it is: rows stay apart.

    Of a short one, as a sandbox gives them, no more than a half.
    """
    return identifier[: min(SHOWN_OF_IDENTIFIER, len(identifier) // 2)] + "…"


def lasting(lasts: timedelta) -> str:
    """About how long something lasts, in the reader's language."""
    return re.sub(r"(?<=\d)(?=[^\d\s.,])", " ", format_timedelta(lasts))


def _moment(zone: tzinfo) -> Callable[[datetime | None, str], str]:
    """People read times as the firm's clock shows them, whatever the server's zone."""

    def moment(at: datetime | None, pattern: str = "%Y-%m-%d %H:%M") -> str:
        return "" if at is None else at.astimezone(zone).strftime(pattern)

    return moment


def upto(number: int, most: int | None) -> str:
    """A number as people read it, with a plus where the counting ended."""
    return f"{number}+" if most is not None and number >= most else str(number)
