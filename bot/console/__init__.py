"""The console: when a person clicks. One blueprint per screen; it shows and changes nothing."""

from pathlib import Path
from typing import Any

from apiflask import APIBlueprint, APIFlask
from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from werkzeug.exceptions import HTTPException, NotFound

from bot.console import (
    alarms,
    conflicts,
    customers,
    events,
    gaps,
    home,
    language,
    offboardings,
    operation,
    pages,
)
from bot.kegui import Kegui

SCREENS = (home, customers, offboardings, conflicts, gaps, alarms, events, operation)
TRANSLATIONS = Path(__file__).parent / "translations"


def register(app: APIFlask, kegui: Kegui) -> None:
    """Add the console's pages to the application."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    Babel(
        app,
        default_locale=language.CHINESE,
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=language.chosen,
    )
    pages.hold(app, kegui)
    pages.add_words(app, kegui.settings.zone)
    app.register_blueprint(_console())
    app.after_request(pages.protect)
    _show_missing_pages(app)


def _console() -> APIBlueprint:
    console = APIBlueprint(
        "console",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/console/static",
        enable_openapi=False,
    )
    console.before_request(pages.open_connection)
    console.after_request(language.remember)
    console.register_error_handler(500, _broken)
    for screen in SCREENS:
        console.register_blueprint(screen.blueprint)
    return console


def _broken(_error: Exception) -> ResponseReturnValue:
    """The log has the cause; a person gets a page that needs no database."""
    return render_template("broken.html"), 500


def _show_missing_pages(app: APIFlask) -> None:
    """A person who asks for a page that is not there gets a page; a machine its own answer."""
    handlers: Any = app.error_handler_spec[None]
    before = handlers[404].get(NotFound) or handlers[None].get(HTTPException)

    def not_found(error: NotFound) -> ResponseReturnValue:
        if pages.is_page(request.path) or before is None:
            return render_template("not_found.html"), 404
        answer: ResponseReturnValue = before(error)
        return answer

    app.register_error_handler(404, not_found)
