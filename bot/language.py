"""Chinese or English: which of the two is spoken, and the one catalogue of their texts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from flask import Flask, has_app_context, request
from flask_babel import Babel, force_locale

CHINESE = "zh"
ENGLISH = "en"
LANGUAGES = (CHINESE, ENGLISH)
COOKIE = "lang"
API = "/api"
TRANSLATIONS = Path(__file__).parent / "console" / "translations"


def of_request() -> str:
    """The language of this request: what a program accepts, or what a person has chosen."""
    is_api = request.path == API or request.path.startswith(f"{API}/")
    return accepted() if is_api else chosen()


def accepted() -> str:
    """Chinese, unless the caller would rather read English."""
    for tag, quality in request.accept_languages:
        spoken = tag.lower().partition("-")[0]
        if quality > 0 and spoken in LANGUAGES:
            return spoken
    return CHINESE


def chosen() -> str:
    """The language asked for now, the one chosen before (a cookie keeps it), or Chinese."""
    for choice in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if choice in LANGUAGES:
            return choice
    return CHINESE


def teach(app: Flask) -> None:
    """Let an application speak both languages; doing it again changes nothing."""
    if "babel" not in app.extensions:
        Babel(
            app,
            default_locale=CHINESE,
            default_translation_directories=str(TRANSLATIONS),
            locale_selector=of_request,
        )


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Speak one language in the block, also where there is no request: in jobs, commands and
    messages."""
    if has_app_context():
        with force_locale(language):
            yield
        return
    with _without_requests().app_context(), force_locale(language):
        yield


@cache
def _without_requests() -> Flask:
    app = Flask(__name__)
    teach(app)
    return app
