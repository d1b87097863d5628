"""The console's gate: who asks, whether they may, and over whom; what no view decides is closed."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import structlog
from flask import abort, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect

from bot import clock
from bot.audit.log import Who
from bot.console import language
from bot.console.pages import kegui
from bot.customers.rights import SEE_CUSTOMERS
from bot.db import transaction
from bot.identity import logins, moved
from bot.identity.access import Access, Scope, access_of, humans_behind
from bot.models import Customer, Login
from bot.rights import Extent, Right

PUBLIC = "public"
SIGNED_IN = "signed in"
TOKEN = "login"  # noqa: S105 - the name under which the cookie keeps it
PURPOSE = "purpose"

log = structlog.get_logger(__name__)
csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., Any])


def allow(
    needed: Right | str, *, step_up: bool = False, shows_customers: bool = False
) -> Callable[[View], View]:
    """Open a view to those who have a right, to whoever is ``SIGNED_IN``, or to the ``PUBLIC``.

    Args:
        step_up: a second factor must have been proved in the last minutes.
        shows_customers: whoever may see those of the whole firm says first, once in each login,
            what for.
    """

    def mark(view: View) -> View:
        view.needed = needed  # type: ignore[attr-defined]
        view.needs_step_up = step_up  # type: ignore[attr-defined]
        view.shows_customers = shows_customers  # type: ignore[attr-defined]
        return view

    return mark


def check() -> ResponseReturnValue | None:
    """Let the request pass, send it to the login or to a second factor, or refuse it."""
    if request.endpoint is None or request.endpoint.endswith(".static"):
        return None
    csrf.protect()
    view = _view()
    needed = getattr(view, "needed", None)
    g.login, g.access = _known()
    if needed == PUBLIC:
        return None
    if g.access is None:
        return _to_login()
    if needed is None or (needed != SIGNED_IN and not me().may(needed)):
        log.warning("refused", actor=me().actor, endpoint=request.endpoint)
        abort(403)
    if getattr(view, "needs_step_up", False) and not is_stepped_up():
        return to_step_up()
    if getattr(view, "shows_customers", False) and _must_say_what_for():
        return redirect(url_for("console.purpose.show", next=here()))
    return None


def me() -> Access:
    """Who asks."""
    return cast(Access, g.access)


def my_login() -> Login:
    """The login with which they ask."""
    return cast(Login, g.login)


def is_signed_in() -> bool:
    return g.get("access") is not None


def scope(right: Right) -> Scope:
    """Over which members the asker's right goes; read once for a request and all such rights."""
    known: dict[Extent, Scope] = g.setdefault("scopes", {})
    extent = me().extent(right)
    if extent not in known:
        known[extent] = me().scope(right)
    return known[extent]


def who() -> Who:
    """The asker, as the audit log names them: from where, and what for."""
    actor = me().actor
    purpose = str(session.get(PURPOSE, ""))
    address = request.remote_addr or ""
    return Who(actor, address, purpose, humans_behind(actor), is_proved=is_stepped_up())


def visitor() -> logins.Visitor:
    return logins.Visitor(request.remote_addr or "", request.user_agent.string)


def record_look(act: str, subject: str, /, **details: object) -> None:
    """Write down that the asker sees personal data; unwritten, nothing is shown."""
    with transaction():
        kegui().audit.record(who(), act, subject, **details)


def customers_shown(external_userids: Iterable[str | None]) -> list[str]:
    """Those of these customers whom the asker may know by name."""
    asked = [one for one in external_userids if one]
    if not me().may(SEE_CUSTOMERS):
        return []
    within = scope(SEE_CUSTOMERS)
    if within.is_firm:
        return asked
    found = Customer.select(Customer.external_userid).where(Customer.external_userid.in_(asked))
    return [row.external_userid for row in within.of_customers(found, Customer.external_userid)]


def today() -> Any:
    """The day it is in the firm."""
    return clock.now().astimezone(kegui().settings.zone).date()


def enter(actor: str, method: str) -> None:
    """Begin a login in this browser; what its cookie held before is worth nothing any more."""
    leave()
    session[TOKEN] = logins.begin(actor, method, visitor(), kegui())


def leave() -> None:
    """End this browser's login."""
    if g.get("login") is not None:
        logins.end([g.login], Who(g.login.actor, request.remote_addr or ""), kegui())
    session.clear()


def local_path(target: str) -> str:
    """Return a path of ours, as it was asked for, or the page above it where only a form can be
    sent; anything that leads elsewhere gives the home."""
    is_ours = (
        target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and not any(ord(letter) < 0x20 or letter == "\\" for letter in target)
    )
    if not is_ours:
        return url_for("console.home.show")
    path, mark, query = target.partition("?")
    page = language.page_at(path)
    return page if page != path else path + mark + query


def here() -> str:
    """The address to come back to: this page, or the page whose form was sent."""
    if request.method in ("GET", "HEAD"):
        return request.full_path.rstrip("?")
    referrer = request.referrer or ""
    own = request.host_url.rstrip("/")
    return referrer.removeprefix(own) if referrer.startswith(own + "/") else "/"


def is_stepped_up() -> bool:
    """Whether the asker proved a second factor in the last minutes."""
    return logins.is_stepped_up(my_login(), clock.now())


def needs_proof(number: int) -> bool:
    """Whether the asker proves a second factor before they move so many customers more."""
    return not is_stepped_up() and moved.needs_proof(number, who())


def to_step_up(back: str = "") -> ResponseReturnValue:
    """Ask for a second factor, then come back, perhaps to a form that has what was typed."""
    return redirect(url_for("console.step_up.show", next=back or here()))


def _must_say_what_for() -> bool:
    return not session.get(PURPOSE) and scope(SEE_CUSTOMERS).is_firm


def _view() -> Any:
    return current_app.view_functions[request.endpoint or ""]


def _known() -> tuple[Login | None, Access | None]:
    """Who the cookie says it is, if that login holds and they are still of the firm."""
    token = session.get(TOKEN)
    login = logins.current(token, kegui()) if token else None
    if login is None:
        return None, None
    access = access_of(login.actor, today())
    if access is None:
        logins.end([login], Who(login.actor, request.remote_addr or ""), kegui(), "has_left")
        session.clear()
        return None, None
    return login, access


def _to_login() -> ResponseReturnValue:
    return redirect(url_for("console.login.show", next=here()))
