"""The sandbox as a web application, served by one process with many threads."""

import os
import re
import threading
import time
from email.utils import formatdate
from typing import Any

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from gunicorn import util
from gunicorn.app.base import BaseApplication

from bot.sandbox import archive, contact_ways, control, jsapi, login
from bot.sandbox.callbacks import Courier
from bot.sandbox.endpoints import ENDPOINTS
from bot.sandbox.gate import Gate
from bot.sandbox.state import World

SETTLE_SECONDS = 0.25
SURROGATE = re.compile("[\ud800-\udfff]")
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class _Json(DefaultJSONProvider):
    """JSON as WeCom writes it: raw UTF-8, but an escape for half a character."""

    ensure_ascii = False
    sort_keys = False

    def dumps(self, obj: Any, **options: Any) -> str:
        return SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", super().dumps(obj, **options))


def create_app(*, background: bool = False) -> Flask:
    """Make a platform of its own; ``background`` starts the threads that deliver and settle."""
    app = Flask("bot.sandbox")
    app.json = _Json(app)
    world = World()
    courier = Courier(world)
    world.send = courier.send
    app.extensions["world"] = world
    gate = Gate(world, ENDPOINTS)
    app.register_blueprint(control.blueprint(world, gate, courier))
    app.register_blueprint(archive.blueprint(world))
    app.register_blueprint(login.blueprint(world))
    app.register_blueprint(jsapi.blueprint(world))
    app.register_blueprint(contact_ways.blueprint(world))

    @app.route("/cgi-bin/<path:endpoint>", methods=METHODS)
    def call(endpoint: str) -> Response:
        return gate.answer(endpoint, request)

    @app.get("/")
    def alive() -> dict[str, str]:
        return {"sandbox": "WeCom"}

    if background:
        courier.start()
        threading.Thread(target=_settle_for_ever, args=(world,), daemon=True).start()
    return app


def _settle_for_ever(world: World) -> None:
    """Let what is due happen by the normal flow of time as well."""
    pause = threading.Event()
    while not pause.wait(SETTLE_SECONDS):
        world.settle()


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)
        # Newer gunicorns open a socket in the home directory, which two sandboxes would share.
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)

    def load(self) -> Flask:
        # Here and not earlier: threads do not survive the fork.
        app = create_app(background=True)
        world: World = app.extensions["world"]

        def http_date(timestamp: float | None = None) -> str:
            at = (timestamp or time.time()) + world.switches.date_offset_seconds
            return formatdate(at, usegmt=True)

        # gunicorn writes the Date header by itself and lets nobody change it.
        util.http_date = http_date
        return app


def serve(host: str = "127.0.0.1", port: int = 8900, **options: Any) -> None:
    """Serve until told to stop; ``options`` are gunicorn's, the state needs one worker.

    Raises:
        SystemExit: in production.
    """
    if os.environ.get("KEGUI_ENV", "").lower() == "production":
        raise SystemExit("the sandbox does not start with KEGUI_ENV=production")
    chosen = {
        "threads": 160,
        "worker_connections": 2000,
        "keepalive": 60,
        "timeout": 0,
        "graceful_timeout": 1,
        "loglevel": "warning",
        "limit_request_line": 8190,
        **options,
        "bind": f"{host}:{port}",
        "worker_class": "gthread",
        "workers": 1,
    }
    _Server(chosen).run()
