"""Checks of what Kegui stands on: database, its role and clock, vault, queue."""

import os
from dataclasses import dataclass
from datetime import datetime

from peewee import PeeweeException, PostgresqlDatabase
from playhouse.pool import MaxConnectionsExceeded

from bot import clock, db, migrations
from bot.identity.access import meetings
from bot.models.audit import ADD_ONLY
from bot.operations import data_keys
from bot.operations.doctor.findings import FAILED, Finding, failed, not_checked, ok, warning
from bot.queue import Queue, QueueAway
from bot.vault import WrongKey
from bot.wiring import connect, open_vault, queue_url
from config.settings import Settings

CLOCK_WARNING_SECONDS, CLOCK_FAILURE_SECONDS = 3.0, 10.0
# Administration, backups and a second look need some as well.
SPARE_CONNECTIONS = 10
MOST_WEB_PROCESSES = 4
# What the role has there besides tables.
LEFT_IN_SCHEMA = """
SELECT count(*) FROM (
  SELECT pronamespace AS place, proowner AS owner FROM pg_proc
  UNION ALL SELECT oprnamespace, oprowner FROM pg_operator
  UNION ALL SELECT typnamespace, typowner FROM pg_type WHERE typrelid = 0 AND typelem = 0
) AS made
WHERE place = to_regnamespace(quote_ident(current_schema()))::oid
  AND owner = to_regrole(quote_ident(current_user))::oid
"""


@dataclass(frozen=True)
class Processes:
    """How many of each run against one database, on all machines together."""

    web: int = 1
    worker: int = 1
    clock: int = 1

    @property
    def connections(self) -> int:
        return db.POOL_SIZE * (self.web + self.worker + self.clock)


def web_processes_of_one_machine() -> int:
    """As many as config/gunicorn.py starts on PostgreSQL."""
    return min(MOST_WEB_PROCESSES, os.cpu_count() or 1)


def check_database(settings: Settings, processes: Processes) -> list[Finding]:
    """Database, migrations, role, connections and clock; each depends on the first."""
    rest = ["migrations", "database role", "connections", "database clock"]
    try:
        connect(settings)
        with db.connection():
            if (encoding := db.encoding()) != "UTF8":
                wrong = failed("database", "wrong_encoding", encoding=encoding)
                return [wrong, *(not_checked(name, "database") for name in rest)]
            role, *others = _check_server(processes)
            usable = role.status != FAILED
            migrated = _check_migrations() if usable else not_checked("migrations", "database role")
            return [ok("database"), migrated, role, *others]
    except (PeeweeException, MaxConnectionsExceeded, OSError, ValueError) as error:
        # The driver's own words may quote the address with its password.
        found = failed("database", "database_unreachable", error=type(error).__name__)
        return [found, *(not_checked(name, "database") for name in rest)]


def _check_migrations() -> Finding:
    pending = migrations.pending()
    if pending:
        return failed("migrations", "migrations_pending", count=len(pending))
    return ok("migrations")


def _check_server(processes: Processes) -> list[Finding]:
    if not isinstance(db.database.obj, PostgresqlDatabase):
        # A file on this machine: no role, no connections to count, our own clock.
        return [ok(name) for name in ("database role", "connections", "database clock")]
    owns, lacks, may_change, may_create, now, most, reserved = db.database.execute_sql(
        "SELECT count(*) FILTER (WHERE pg_has_role(current_user, tableowner, 'MEMBER')),"
        " count(*) FILTER (WHERE NOT (has_table_privilege(place, 'SELECT')"
        " AND has_table_privilege(place, 'INSERT') AND (add_only"
        " OR has_table_privilege(place, 'UPDATE') AND has_table_privilege(place, 'DELETE')))),"
        " count(*) FILTER (WHERE add_only AND has_table_privilege(place, 'UPDATE, DELETE')),"
        " has_schema_privilege(current_schema(), 'CREATE')"
        " OR has_database_privilege(current_database(), 'CREATE'),"
        " clock_timestamp(),"
        " current_setting('max_connections')::int,"
        " current_setting('superuser_reserved_connections')::int"
        " FROM (SELECT tableowner,"
        " quote_ident(schemaname) || '.' || quote_ident(tablename) AS place,"
        " tablename = ANY(%s) AS add_only"
        " FROM pg_tables WHERE schemaname = current_schema()) AS tables",
        (list(ADD_ONLY),),
    ).fetchone()
    [left] = db.database.execute_sql(LEFT_IN_SCHEMA).fetchone()
    return [
        _judge_role(owns, lacks, may_change, may_create, left),
        judge_connections(most - reserved, processes.connections, reserved),
        _judge_database_clock(now),
    ]


def _judge_role(owns: int, lacks: int, may_change: int, may_create: bool, left: int) -> Finding:
    """Of how many tables the application's role is the owner, on how many it lacks a right, how
    many of the audit log's it may change, and whether it may put functions where the owner looks
    them up, or how many things of its own stand there."""
    if lacks:
        return failed("database role", "role_lacks_rights", count=lacks)
    if owns:
        return warning("database role", "role_owns_tables")
    if left:
        return warning("database role", "role_left_objects", count=left)
    if may_create:
        return warning("database role", "role_may_create")
    if may_change:
        return warning("database role", "role_may_change_audit", count=may_change)
    return ok("database role")


def judge_connections(available: int, needed: int, reserved: int = 0) -> Finding:
    """Every process may open its whole pool at the same moment."""
    if needed > available:
        wanted = needed + reserved + SPARE_CONNECTIONS
        return failed(
            "connections", "few_connections", available=available, needed=needed, wanted=wanted
        )
    return ok("connections", available=available, needed=needed)


def _judge_database_clock(now: datetime) -> Finding:
    return judge_clock(
        "database clock", "数据库 / the database", (now - clock.now()).total_seconds()
    )


def judge_clock(check: str, other: str, offset: float) -> Finding:
    """``offset``: how many seconds the other clock is ahead of ours."""
    facts = {"other": other, "seconds": round(offset)}
    if abs(offset) > CLOCK_FAILURE_SECONDS:
        return failed(check, "clock_off", **facts)
    if abs(offset) > CLOCK_WARNING_SECONDS:
        return warning(check, "clock_off", **facts)
    return ok(check)


def check_vault(settings: Settings) -> Finding:
    """The key opens the tokens, and the first and the last event that were stored."""
    if settings.data_key is None:
        return not_checked("data key", "KEGUI_DATA_KEY")
    vault = open_vault(settings)
    try:
        vault.check()
        with db.connection():
            unreadable = data_keys.unreadable(vault)
    except WrongKey:
        return failed("data key", "data_key_changed", what="data_key")
    except (PeeweeException, MaxConnectionsExceeded):
        return not_checked("data key", "database")
    if unreadable is not None:
        return failed("data key", "data_key_changed", what=unreadable)
    if not vault.ring().is_wrapped_by_present:
        return warning("data key", "data_key_rotates")
    return ok("data key")


def check_roles() -> Finding:
    """Which roles must not meet in one person can be read, and they meet in nobody."""
    try:
        with db.connection():
            met = meetings()
    except (PeeweeException, MaxConnectionsExceeded):
        return not_checked("roles", "migrations")
    except (KeyError, ValueError, TypeError):
        return failed("roles", "roles_unreadable")
    if met:
        people = "; ".join(f"{person}: {', '.join(roles)}" for person, roles in met.items())
        return warning("roles", "roles_meet", people=people)
    return ok("roles")


def check_queue(settings: Settings) -> Finding:
    queue = Queue(queue_url(settings))
    try:
        queue.sizes()
        queue.close()
    except QueueAway as away:
        return failed("queue", "queue_unreachable", error=str(away))
    return ok("queue")
