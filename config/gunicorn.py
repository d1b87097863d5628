"""What gunicorn is told: a few processes with threads; its access log stays off, addresses carry
codes. What is done as they start and end is in ``bot.web_server``.

A thread serves one connection at a time, so a reverse proxy that takes whole requests from
slow clients (nginx does) must stand in front of it.
"""

import os

from config import settings as _settings

_loaded = _settings.load()


def workers_for(database_url: str) -> int:
    """Return how many processes serve: two share the work before SQLite's one writer writes."""
    most = 2 if database_url.startswith("sqlite") else 4
    return min(most, os.cpu_count() or 1)


logger_class = "bot.web_server.JSONLogger"
bind = _loaded.bind
worker_class = "bot.web_server.Worker"
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
# Whom to believe about a visitor is decided in one place: by KEGUI_TRUSTED_PROXIES, in bot.app.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
limit_request_line = 4094
limit_request_fields = 50
