"""The console: when a person clicks. What every screen has; the capabilities bring theirs."""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any

import structlog
from apiflask import APIBlueprint, APIFlask
from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFError
from peewee import OperationalError, PeeweeException
from playhouse.pool import MaxConnectionsExceeded
from werkzeug.exceptions import HTTPException, MethodNotAllowed, default_exceptions

from bot import db
from bot.audit.log import AuditUnwritable
from bot.capability import Capability
from bot.console import form_limits, gate, language, navigation, pages, registered, theme
from bot.identity.access import LOCAL
from bot.identity.proposals import NotBound
from bot.kegui import Kegui
from bot.language import teach
from bot.vault import WrongKey

log = structlog.get_logger(__name__)


def register(app: APIFlask, kegui: Kegui, capabilities: Sequence[Capability]) -> None:
    """Add the console's pages to the application."""
    app.config |= {
        "SESSION_COOKIE_NAME": "kegui",
        "SESSION_COOKIE_HTTPONLY": True,
        # WeCom sends the browser back to us by a link: Strict would lose the login on the way.
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": kegui.settings.public_url.startswith("https://"),
        # The gate asks for the token itself: the API and WeCom's doors know none.
        "WTF_CSRF_CHECK_DEFAULT": False,
        # A form lives as long as the login under which it was shown.
        "WTF_CSRF_TIME_LIMIT": None,
    }
    gate.csrf.init_app(app)
    pages.bind(app, kegui)
    registered.bind(app, capabilities)
    _dress(app, kegui.settings.zone)
    app.jinja_env.globals |= {
        "navigation": navigation.navigation,
        "person": navigation.person,
        "may": navigation.may,
    }
    app.register_blueprint(_console(capabilities))
    _answer_missing_pages(app, lambda: (render_template("not_found.html"), 404), is_open=True)


def register_unconfigured(app: APIFlask, missing: Sequence[str], zone: tzinfo) -> None:
    """Where settings are missing every page says which; nobody is known yet, nor asked."""
    _dress(app, zone)
    app.register_blueprint(_blueprint())
    _answer_missing_pages(
        app, lambda: (render_template("not_configured.html", missing=missing), 503)
    )


def _dress(app: APIFlask, zone: tzinfo) -> None:
    """What every page needs, whoever reads it: words, looks, headers."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    teach(app)
    pages.add_words(app, zone)
    app.jinja_env.globals["theme"] = theme.chosen
    app.after_request(pages.protect)


def _blueprint() -> APIBlueprint:
    return APIBlueprint(
        "console",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/console/static",
        enable_openapi=False,
    )


def _console(capabilities: Sequence[Capability]) -> APIBlueprint:
    console = _blueprint()
    console.before_request(pages.open_connection)
    console.before_request(gate.check)
    console.after_request(language.remember)
    console.register_error_handler(500, _broken)
    console.register_error_handler(403, _denied)
    console.register_error_handler(CSRFError, _stale)
    console.register_error_handler(NotBound, _not_bound)
    console.register_error_handler(form_limits.TooMuch, _too_much)
    console.register_error_handler(AuditUnwritable, _unrecorded)
    console.register_error_handler(OperationalError, _refused)
    console.register_error_handler(MaxConnectionsExceeded, _no_connection_left)
    console.register_error_handler(WrongKey, _wrong_key)
    console.register_blueprint(theme.blueprint)
    for capability in capabilities:
        for page in capability.pages:
            console.register_blueprint(page.blueprint)
    return console


def _broken(_error: Exception) -> ResponseReturnValue:
    """The log has the cause; a person gets a page that needs no database."""
    return render_template("broken.html"), 500


def _refused(error: OperationalError) -> ResponseReturnValue:
    """Say that the database's disk is full, or that it is away; any other refusal is a page that
    breaks."""
    is_full = db.is_full(error)
    if not is_full and not db.is_away(error):
        raise error
    log.error("database_refused", error=type(error).__name__, is_full=is_full)
    return _full() if is_full else _away()


def _no_connection_left(error: MaxConnectionsExceeded) -> ResponseReturnValue:
    """All connections of this process are taken."""
    log.warning("database_refused", error=type(error).__name__)
    return _away()


def _wrong_key(_error: WrongKey) -> ResponseReturnValue:
    """Nothing that is sealed opens: only IT can mend that."""
    log.error("wrong_data_key")
    return render_template("broken.html", is_wrong_key=True), 503


def _full() -> ResponseReturnValue:
    return render_template("broken.html", is_full=True), 503


def _away() -> ResponseReturnValue:
    page = render_template("broken.html", is_away=True)
    return page, 503, {"Retry-After": str(db.RETRY_SECONDS)}


def _denied(_error: Exception) -> ResponseReturnValue:
    """Say which roles may do that, and whom to ask."""
    return render_template("denied.html", roles=navigation.roles_that_may()), 403


def _not_bound(error: NotBound) -> ResponseReturnValue:
    """Say how a local administrator becomes a person whom two-person rules know."""
    return render_template("unbound.html", name=error.actor.removeprefix(LOCAL)), 403


def _stale(_error: Exception) -> ResponseReturnValue:
    """The form was shown under another login, or did not come from one of our pages."""
    return render_template("stale.html", back=gate.local_path(gate.here())), 400


def _too_much(error: Exception) -> ResponseReturnValue:
    """Say which field holds too much, and how much it may hold."""
    return render_template("too_large.html", too_much=error), 422


def _unrecorded(error: Exception) -> ResponseReturnValue:
    """No entry, no act: what cannot be written down is neither done nor shown."""
    log.error("audit_unwritable", error=str(error))
    cause = error.__cause__
    # Of an act and its entry either may be the one for which the disk has no room left.
    if isinstance(cause, PeeweeException) and db.is_full(cause):
        return _full()
    return render_template("unrecorded.html"), 503


def _answer_missing_pages(
    app: APIFlask, page: Callable[[], ResponseReturnValue], *, is_open: bool = False
) -> None:
    """A person who asks for a page that is not there gets ``page``, a machine its own answer.

    Args:
        is_open: the house is open: then a form's address that is asked for as a page, and a form
            that is too large, are pages as well.
    """
    answers: dict[int, Callable[[], ResponseReturnValue]] = {404: page}
    if is_open:
        answers[405] = lambda: (render_template("not_found.html"), 405)
        answers[413] = lambda: (render_template("too_large.html"), 413)
    handlers: Any = app.error_handler_spec[None]
    for status, answer in answers.items():
        of_machines = handlers[status].get(default_exceptions[status])
        before = of_machines or handlers[None].get(HTTPException)
        app.register_error_handler(status, _for_people(answer, before))


def _for_people(
    page: Callable[[], ResponseReturnValue], before: Callable[[Any], ResponseReturnValue] | None
) -> Callable[[Any], ResponseReturnValue]:
    def answer(error: HTTPException) -> ResponseReturnValue:
        if not pages.is_page(request.path) and before is not None:
            return before(error)
        shown = make_response(page())
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            shown.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return shown

    return answer
