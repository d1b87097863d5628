"""gunicorn: a few processes with threads; the access log stays off, addresses carry codes.

A thread serves one connection at a time, so a reverse proxy that takes whole requests from
slow clients (nginx does) belongs in front of it.
"""

import os
from typing import Any

from gunicorn.glogging import Logger

from config import logging as _logging
from config import settings as _settings

_loaded = _settings.load()


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
