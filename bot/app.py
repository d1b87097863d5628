"""The web process: the doors for WeCom, the REST API, the console, health."""

from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from bot import api, callback, console, db, health, request_id
from bot.queue import Queue
from bot.setup import connect, make_kegui, queue_url
from bot.vault import Vault
from config import logging, settings
from config.settings import Settings


def create_app(loaded: Settings | None = None) -> APIFlask:
    """Make the WSGI application of these settings, or of the environment's.

    With the corporation's id and one token and key it starts and answers WeCom's verification;
    the rest of the house opens when the rest is configured.
    """
    loaded = loaded or settings.load()
    logging.configure(loaded.log_level)
    connect(loaded)
    app = APIFlask(__name__, title="Kegui", version="1", docs_path=None, spec_path=None)
    app.config["MAX_CONTENT_LENGTH"] = callback.MAX_BODY_BYTES
    request_id.register(app)
    if loaded.secret_key is not None:
        app.secret_key = loaded.secret_key.get_secret_value()
    kegui = None if loaded.missing() else make_kegui(loaded)
    queue = kegui.queue if kegui else Queue(queue_url(loaded))
    app.register_blueprint(callback.blueprint(loaded, queue, _vault(loaded)))
    app.register_blueprint(health.blueprint(loaded, queue))
    if kegui is not None:
        api.register(app, kegui)
        console.register(app, kegui)
    if loaded.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    app.teardown_request(_close)
    return app


def _vault(loaded: Settings) -> Vault | None:
    return Vault(loaded.data_key.get_secret_value()) if loaded.data_key else None


def _close(_error: BaseException | None) -> None:
    db.close()
