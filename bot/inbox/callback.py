"""The doors that WeCom calls: verify, decrypt, put in the inbox, answer."""

import socket
import time
from contextlib import suppress

import structlog
from flask import Blueprint, Response, abort, g, request
from gunicorn.http.errors import ParseException
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from bot import clock, events, metrics
from bot.inbox import inbox
from bot.inbox.intake import Intake
from bot.queue import Queue, Waker
from bot.vault import Vault, WrongKey
from bot.wecom.crypto import CallbackCrypto, CallbackRejected
from config.settings import Door, Settings

log = structlog.get_logger(__name__)
MAX_BODY_BYTES = 1024 * 1024
# WeCom waits five seconds in all; who is silent for this long inside a body only holds a thread.
SILENCE_SECONDS = 3
MOST_DIGITS = 12
STATUS = {"signature": 403, "receiver": 403, "stale": 403, "no_echo": 403, "too_large": 413}


def blueprint(settings: Settings, queue: Queue, vault: Vault | None) -> Blueprint:
    """Make the three doors; one without keys answers 404.

    Without a vault (``KEGUI_DATA_KEY`` not set yet) the URLs can be verified, which WeCom wants
    before anything else, but no event is accepted.
    """
    doors = Blueprint("callback", __name__)
    intake = Intake(Waker(queue).wake)
    cryptos = {door: crypto for door in PATHS if (crypto := _crypto(settings, door))}

    def verify(door: Door) -> Response:
        """WeCom checks the URL: answer the decrypted echo, bare, within a second."""
        crypto = cryptos.get(door) or abort(404)
        try:
            echo = crypto.verify_url(*_signature(), request.args.get("echostr", ""))
            _check_moment(settings)
        except CallbackRejected as rejected:
            return _reject(door, rejected.reason)
        return Response(echo, mimetype="text/plain")

    def receive(door: Door) -> Response:
        """Take one event; 200 only when it would survive a power cut."""
        crypto = cryptos.get(door) or abort(404)
        try:
            plaintext = crypto.decrypt(*_signature(), _body())
            _check_moment(settings)
            event = events.parse(plaintext)
        except CallbackRejected as rejected:
            return _reject(door, rejected.reason)
        except events.MalformedEvent:
            return _reject(door, "event")
        if vault is None:
            log.error("callback_not_stored", door=door, error="KEGUI_DATA_KEY is not set")
            return Response(status=503)
        try:
            row = inbox.new_row(door, event, plaintext, vault=vault, now=clock.now())
            event_id = intake.put(row)
        except (PeeweeException, MaxConnectionsExceeded, TimeoutError, WrongKey) as error:
            # Not 200: WeCom may or may not send it again, so the readings repair what is lost.
            log.error("callback_not_stored", door=door, error=type(error).__name__)
            return Response(status=503)
        if event_id is None:
            log.info("event_repeated", door=door)
        else:
            log.info("event_received", door=door, event_id=event_id, lane=row.lane)
            if event.is_mended:
                log.warning("event_mended", door=door, event_id=event_id)
        return Response(status=200)

    doors.before_request(_begin)
    doors.after_request(_count)
    doors.before_request(intake.enter)
    doors.teardown_request(lambda _error: intake.leave())
    for door, path in PATHS.items():
        for method, view in (("GET", verify), ("POST", receive)):
            doors.add_url_rule(
                path,
                f"{view.__name__}_{door}",
                view,
                methods=[method],
                # Whoever types the address at WeCom may end it with a slash.
                strict_slashes=False,
                defaults={"door": door},
                provide_automatic_options=False,
            )
    return doors


PATHS: dict[Door, str] = {
    "customer": "/wecom/callback",
    "contacts": "/wecom/callback/contacts",
    "archive": "/wecom/callback/archive",
}


def _begin() -> None:
    g.began = time.perf_counter()


def _count(response: Response) -> Response:
    door, status = (request.view_args or {}).get("door", ""), str(response.status_code)
    metrics.DOOR_SECONDS.labels(door, status).observe(time.perf_counter() - g.began)
    return response


def _crypto(settings: Settings, door: Door) -> CallbackCrypto | None:
    keys = settings.callback_keys(door)
    return CallbackCrypto(*keys, settings.corp_id) if keys and settings.corp_id else None


def _signature() -> tuple[str, str, str]:
    return tuple(request.args.get(name, "") for name in ("msg_signature", "timestamp", "nonce"))  # type: ignore[return-value]


def _check_moment(settings: Settings) -> None:
    """Look at the moment that was signed, after the signature.

    Raises:
        CallbackRejected: it is no moment of today: somebody sends again what was captured.
    """
    timestamp = request.args.get("timestamp", "")
    is_a_moment = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MOST_DIGITS
    now, window = clock.now().timestamp(), settings.callback_window.total_seconds()
    if not is_a_moment or abs(now - int(timestamp)) > window:
        raise CallbackRejected("stale")


def _body() -> bytes:
    """Read the body of the request.

    Raises:
        CallbackRejected: it is too large, broken off, or comes too slowly.
    """
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SILENCE_SECONDS)
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise CallbackRejected("too_large") from None
    except (BadRequest, ParseException):
        _stop_listening(connection)
        raise CallbackRejected("body") from None
    # Of a body in chunks werkzeug gives the first MiB and says nothing of the rest.
    if request.content_length is None and len(body) >= MAX_BODY_BYTES:
        raise CallbackRejected("too_large")
    return body


def _stop_listening(connection: socket.socket | None) -> None:
    """Wait for nothing more from this client: gunicorn would, before it closes."""
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def _reject(door: Door, reason: str) -> Response:
    log.warning("callback_rejected", door=door, reason=reason)
    metrics.CALLBACKS_REJECTED.labels(door, reason).inc()
    return Response(status=STATUS.get(reason, 400))
