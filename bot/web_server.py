"""gunicorn's processes: how they log, wait, start and end. It reads this module as its
configuration, the values of ``config.gunicorn`` with it.

Those who send half a request are hung up on after a while, and wait for nobody's patience; they
can come again.
"""

import gc
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

import structlog
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from bot import metrics
from bot.operations import cpu_pinning, metrics_page
from bot.queue import Queue
from bot.wiring import queue_url
from config import logging as _logging
from config import settings as _settings
from config.gunicorn import *  # noqa: F403 - gunicorn takes each name as a setting

log = structlog.get_logger(__name__)

_loaded = _settings.load()
_metrics_listeners: list[socket.socket] = []
_worker_ends = ExitStack()
# WeCom waits for five seconds in all.
_HEAD_SECONDS = 3.0


class JSONLogger(Logger):  # type: ignore[misc]
    """gunicorn's own lines in our form, and without the addresses it would quote."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        _logging.configure(_loaded.log_level)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Invalid request"):
            # The rest quotes what came: a whole request line, with signature and nonce.
            msg, args = "invalid request", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Error handling request"):
            args = tuple(str(one).partition("?")[0] for one in args)
        super().exception(msg, *args, **kwargs)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads that wait for the head of a request for some seconds and no longer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> Any:
        self._begun[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._begun.pop(conn, None)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        self._begun.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Called by the main thread each second: hang up on those who are overdue."""
        super().murder_pending()
        now = time.monotonic()
        for conn, begun in list(self._begun.items()):
            if now - begun > _HEAD_SECONDS:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


def when_ready(_server: Any) -> None:
    """Warn of what must stand in front and does not, and open the metrics' address once: every
    process forked later inherits it and may answer."""
    if _loaded.is_reached_from_other_machines and not _loaded.trusted_proxies:
        log.warning(
            "no_reverse_proxy",
            bind=_loaded.bind,
            what_to_do="put a reverse proxy as deploy/nginx in front: a client that sends requests"
            " slowly holds up everybody; set KEGUI_TRUSTED_PROXIES to its address",
        )
    host, _, port = _loaded.metrics_bind.rpartition(":")
    if not port:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), int(port)), family=family)
    except (OSError, OverflowError) as error:
        # The doors matter more than the figures.
        log.error(
            "metrics_not_served",
            bind=_loaded.metrics_bind,
            error=str(error),
            what_to_do="free the address or set KEGUI_METRICS_BIND to another, then restart",
        )
        return
    _metrics_listeners.append(listener)


def post_fork(_server: Any, _worker: Any) -> None:
    """Keep this process on a processor of its own, before it starts its threads."""
    if _loaded.own_processor:
        cpu_pinning.take_one(f"web {_loaded.bind}")


def post_worker_init(_worker: Any) -> None:
    """Store what this process counts, and answer for all; what is loaded stays for good."""
    storing = _worker_ends.enter_context(metrics.Storing())
    for listener in _metrics_listeners:
        metrics_page.serve(listener, metrics_page.make_app(Queue(queue_url(_loaded)), storing))
    # Or some request in twenty would wait while Python looks through all of it for garbage.
    gc.collect()
    gc.freeze()


def worker_exit(_server: Any, _worker: Any) -> None:
    """Store the last seconds' counts."""
    _worker_ends.close()
