"""Is the process alive, and is the house ready: names of what is missing, never a value."""

from apiflask import APIBlueprint
from flask import Response, jsonify, send_file
from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from bot import migrations
from bot.db import connection, database
from bot.operations import signed_tables
from bot.queue import Queue, QueueAway
from bot.vault import WrongKey
from bot.wiring import open_vault
from config.settings import Settings


def blueprint(settings: Settings, queue: Queue) -> APIBlueprint:
    """Make /healthz, /readyz and, where WeCom asks for it, the domain verification file."""
    health = APIBlueprint("health", __name__, enable_openapi=False)

    @health.get("/healthz")
    def healthz() -> Response:
        """The process lives."""
        return jsonify(status="ok")

    @health.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Database, migrations, queue, configuration and signed tables: 503 with what is missing
        or unfit."""
        database = _database_troubles()
        missing = [
            *settings.missing(),
            *map(str, signed_tables.misfits()),
            *database,
            *_queue_troubles(queue),
        ]
        if not database:
            missing += key_troubles(settings)
        status = "ok" if not missing else "not ready"
        return jsonify(status=status, missing=missing), 503 if missing else 200

    if settings.domain_verify_file is not None:
        path = settings.domain_verify_file.resolve()

        @health.get(f"/{path.name}")
        def domain_verify_file() -> Response:
            """WeCom reads this file to believe that the domain is ours."""
            return send_file(path, mimetype="text/plain")

    return health


def _database_troubles() -> list[str]:
    try:
        with connection():
            database.execute_sql("SELECT 1")
            return ["migrations"] if migrations.pending() else []
    except (PeeweeException, MaxConnectionsExceeded):
        return ["database"]


def key_troubles(settings: Settings) -> list[str]:
    """Say that the data key is another database's, if it is; the tables must be there."""
    if settings.data_key is None:
        return []
    try:
        open_vault(settings).check()
    except WrongKey:
        return ["data key"]
    except (PeeweeException, MaxConnectionsExceeded):
        return ["database"]
    return []


def _queue_troubles(queue: Queue) -> list[str]:
    try:
        queue.sizes()
    except QueueAway:
        return ["queue"]
    return []
