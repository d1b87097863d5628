"""gunicorn: a few processes with threads; the access log stays off, addresses carry codes.

A thread serves one connection at a time, so a reverse proxy that takes whole requests from
slow clients (nginx does) belongs in front of it.
"""

import gc
import os
import socket
from contextlib import ExitStack
from typing import Any

import structlog
from gunicorn.glogging import Logger

from config import logging as _logging
from config import settings as _settings

log = structlog.get_logger(__name__)

_loaded = _settings.load()
_metrics_listeners: list[socket.socket] = []
_worker_ends = ExitStack()


def workers_for(database_url: str) -> int:
    """Return how many processes serve: SQLite has one writer, a second would only wait for it."""
    return 1 if database_url.startswith("sqlite") else min(4, os.cpu_count() or 1)


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


logger_class = JSONLogger
bind = _loaded.bind
worker_class = "gthread"
workers = workers_for(_loaded.database_url.get_secret_value())
# With a socket of its own each process gets its share; of one for all, whoever wakes first
# takes what comes together.
reuse_port = workers > 1
threads = 16
timeout = 30
graceful_timeout = 20
keepalive = 5
# Otherwise whoever may write to the home directory could steer the server.
control_socket_disable = True
accesslog = None
limit_request_line = 4094
limit_request_fields = 50


def when_ready(_server: Any) -> None:
    """Open the metrics' address once: every process forked later inherits it and may answer."""
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
    from bot import processors

    if _loaded.own_processor:
        processors.take_one(f"web {_loaded.bind}")


def post_worker_init(_worker: Any) -> None:
    """Store what this process counts, and answer for all; what is loaded stays for good."""
    from bot import exposition, metrics
    from bot.queue import Queue
    from bot.setup import queue_url

    storing = _worker_ends.enter_context(metrics.Storing())
    for listener in _metrics_listeners:
        exposition.serve(listener, exposition.make_app(Queue(queue_url(_loaded)), storing))
    # Or some request in twenty would wait while Python looks through all of it for garbage.
    gc.collect()
    gc.freeze()


def worker_exit(_server: Any, _worker: Any) -> None:
    """Store the last seconds' counts."""
    _worker_ends.close()
