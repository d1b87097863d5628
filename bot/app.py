"""The web process: the doors for WeCom, the REST API, the console, health."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

import structlog
from apiflask import APIFlask
from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix

from bot import api, console, db
from bot.api import request_id
from bot.capabilities import CAPABILITIES
from bot.inbox import callback
from bot.operations import health, signed_tables
from bot.queue import Queue
from bot.vault import Vault
from bot.wiring import connect, make_kegui, open_vault, queue_url
from config import logging, settings
from config.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


log = structlog.get_logger(__name__)
DOORS = frozenset(callback.PATHS.values())
TLS_SECONDS = 365 * 24 * 3600


class BehindProxies:
    """Believe what a trusted proxy says of the visitor; what anybody else says is not heard.

    Args:
        trusted: addresses, or networks as 10.0.0.0/8.
    """

    def __init__(self, app: "WSGIApplication", trusted: Sequence[str]) -> None:
        self._plain = app
        self._fixed = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._trusted = [ip_network(one) for one in trusted]

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        is_trusted = self._is_trusted(environ.get("REMOTE_ADDR", ""))
        return (self._fixed if is_trusted else self._plain)(environ, start_response)

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted)


class NoSessions(SessionInterface):
    """WeCom keeps no cookies."""

    def open_session(self, _app: Flask, _request: Request) -> None:
        """Open none."""


class WithDoors:
    """WeCom's doors before the house: an application of their own, which does for a request only
    what a door needs."""

    def __init__(self, house: "WSGIApplication", doors: "WSGIApplication") -> None:
        self._house = house
        self._doors = doors

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        is_door = environ.get("PATH_INFO", "").removesuffix("/") in DOORS
        return (self._doors if is_door else self._house)(environ, start_response)


def create_app(loaded: Settings | None = None) -> APIFlask:
    """Make the WSGI application of these settings, or of the environment's.

    With the corporation's id and one token and key it starts and answers WeCom's verification;
    the rest of the house says what it waits for, and opens when that is configured.
    """
    loaded = loaded or settings.load()
    logging.configure(loaded.log_level)
    connect(loaded)
    app = APIFlask(__name__, title="Kegui", version="1", docs_path=None, spec_path=None)
    doors = Flask(__name__, static_folder=None)
    doors.session_interface = NoSessions()
    for one in (app, doors):
        _begin(one)
    if loaded.secret_key is not None:
        app.secret_key = loaded.secret_key.get_secret_value()
    for misfit in signed_tables.misfits():
        # The doors stay open: what WeCom sends is kept, and the workers wait.
        log.error("table_does_not_fit", what=str(misfit))
    missing = loaded.missing()
    kegui = None if missing else make_kegui(loaded)
    queue = kegui.queue if kegui else Queue(queue_url(loaded))
    vault = kegui.vault if kegui else _vault(loaded)
    doors.register_blueprint(callback.blueprint(loaded, queue, vault))
    app.wsgi_app = WithDoors(app.wsgi_app, doors.wsgi_app)  # type: ignore[method-assign]
    app.register_blueprint(health.blueprint(loaded, queue))
    if kegui is not None:
        api.register(app, kegui, CAPABILITIES)
        console.register(app, kegui, CAPABILITIES)
    else:
        api.register_unconfigured(app, missing)
        console.register_unconfigured(app, missing, loaded.zone)
    if loaded.trusted_proxies:
        app.wsgi_app = BehindProxies(app.wsgi_app, loaded.trusted_proxies)  # type: ignore[method-assign]
    for one in (app, doors):
        one.after_request(_protect)
    app.teardown_request(_close)
    return app


def _begin(app: Flask) -> None:
    # A path with two slashes would be answered with an address that Host names.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = callback.MAX_BODY_BYTES
    request_id.register(app)


def _protect(response: Response) -> Response:
    """What every answer says, to people and machines: nobody guesses what it is, and whoever came
    by TLS comes so again."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={TLS_SECONDS}")
    return response


def _vault(loaded: Settings) -> Vault | None:
    return open_vault(loaded) if loaded.data_key else None


def _close(_error: BaseException | None) -> None:
    db.close()
