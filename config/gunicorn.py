"""gunicorn: a few processes with threads; the access log stays off, addresses carry codes."""

import os

from config import settings as _settings

_loaded = _settings.load()

bind = _loaded.bind
worker_class = "gthread"
workers = min(4, os.cpu_count() or 1)
threads = 16
timeout = 30
graceful_timeout = 20
keepalive = 5
accesslog = None
limit_request_line = 4094
limit_request_fields = 50
