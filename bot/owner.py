"""The connections of the role that owns the tables: what others made there, they never run.

PostgreSQL looks functions and operators up in all schemas of `search_path`, and takes the one that
fits best, wherever it stands. So nobody else may make any where the owner looks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import structlog
from psycopg import sql

log = structlog.get_logger(__name__)

# Of the application's role: the queue makes its tables here, and the owner never looks into it.
QUEUE_SCHEMA = "kegui_queue"
MOST_NAMED = 5

TRUSTED = """
  SELECT oid FROM pg_roles WHERE rolsuper OR rolname IN (current_user, 'pg_database_owner')
  UNION SELECT datdba FROM pg_database WHERE datname = current_database()
"""
MAY_CREATE = f"""
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
WHERE nspname = %s AND privilege_type = 'CREATE'
  AND grantee <> nspowner AND grantee NOT IN ({TRUSTED})
ORDER BY 1
"""  # noqa: S608 - our own words
OWNER_IF_STRANGE = f"""
SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace
WHERE nspname = %s AND nspowner NOT IN ({TRUSTED})
"""  # noqa: S608 - our own words
# Indexes, row types and arrays belong to what they are of.
LEFT_THERE = f"""
SELECT pg_describe_object(kind, object, 0), quote_ident(pg_get_userbyid(owner))
FROM (
  SELECT 'pg_proc'::regclass AS kind, oid AS object, proowner AS owner, pronamespace AS place
    FROM pg_proc
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner, oprnamespace FROM pg_operator
  UNION ALL SELECT 'pg_class'::regclass, oid, relowner, relnamespace FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typnamespace FROM pg_type
    WHERE typrelid = 0 AND typelem = 0
  UNION ALL SELECT 'pg_collation'::regclass, oid, collowner, collnamespace FROM pg_collation
  UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner, connamespace FROM pg_conversion
) AS found
WHERE place = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND owner NOT IN ({TRUSTED})
ORDER BY 1
"""  # noqa: S608 - our own words
# Who writes the inbox is the application.
APPLICATIONS = """
SELECT DISTINCT quote_ident(pg_get_userbyid(grantee))
FROM pg_class, aclexplode(relacl)
WHERE relname = 'inbox_event' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
  AND privilege_type = 'INSERT' AND grantee NOT IN (0, relowner)
"""


class UnsafeSchema(Exception):
    """Others could have the owner run what they made; the text says what to do."""


def pin(server: psycopg.Connection) -> None:
    """Let the connection look names up in PostgreSQL's own schema and that of our tables only."""
    with _asking(server):
        pass


def check(server: psycopg.Connection) -> None:
    """Pin the connection, and see that nobody else has or may put anything where it looks.

    Raises:
        UnsafeSchema: somebody has or may.
    """
    with _asking(server) as schema:
        _check(server, schema)


def close_schema(server: psycopg.Connection) -> None:
    """Pin the connection, take from all others what lets them make things where it looks, and see
    that they have made nothing there.

    Raises:
        UnsafeSchema: it cannot be taken from somebody, or something was made.
    """
    with _asking(server) as schema:
        could = _names(server, MAY_CREATE, schema)
        for role in could:
            _do(server, "REVOKE CREATE ON SCHEMA {} FROM {}", sql.Identifier(schema), sql.SQL(role))
        # PostgreSQL only warns who has no right to take it away.
        if taken := sorted({*could}.difference(_names(server, MAY_CREATE, schema))):
            log.warning("create_on_schema_revoked", schema=schema, roles=taken)
        _check(server, schema)


def make_queue_schema(server: psycopg.Connection) -> None:
    """Make the schema of the queue, unless it is there, and give it to the application's role."""
    queue = sql.Identifier(QUEUE_SCHEMA)
    with _asking(server) as schema:
        if not _names(server, "SELECT nspname FROM pg_namespace WHERE nspname = %s", QUEUE_SCHEMA):
            _do(server, "CREATE SCHEMA {}", queue)
        for role in _names(server, APPLICATIONS, schema):
            _do(server, "GRANT USAGE, CREATE ON SCHEMA {} TO {}", queue, sql.SQL(role))


@contextmanager
def _asking(server: psycopg.Connection) -> Iterator[str]:
    """Give the schema of our tables; in the block names mean only what PostgreSQL itself means."""
    # Before, nothing is looked up but by its full name.
    row = server.execute("SELECT pg_catalog.current_schema()").fetchone()
    [schema] = row or [None]
    server.execute("SET search_path = pg_catalog, pg_temp")
    if isinstance(schema, bytes):
        # A database without an encoding, which `kegui migrate` refuses.
        schema = schema.decode()
    if schema is None:
        raise UnsafeSchema(
            "the database's role finds no schema for its tables: make the one that its search_path"
            " names"
        )
    try:
        yield schema
    finally:
        path = sql.SQL("SET search_path = {}, pg_temp").format(sql.Identifier(schema))
        server.execute(path)


def _do(server: psycopg.Connection, statement: LiteralString, *names: sql.Composable) -> None:
    """Do what the owner of the schema or of the database may; who is not asks them to."""
    done = sql.SQL(statement).format(*names)
    try:
        server.execute(done)
    except psycopg.errors.InsufficientPrivilege:
        log.warning("owner_lacks_a_right", what_to_do=done.as_string(server))


def _check(server: psycopg.Connection, schema: str) -> None:
    if owners := _names(server, OWNER_IF_STRANGE, schema):
        raise UnsafeSchema(
            f"the schema {schema} belongs to {owners[0]}, who could have this role run anything:"
            " give the schema to the owner of the tables"
        )
    if roles := _names(server, MAY_CREATE, schema):
        named = ", ".join(roles)
        [quoted] = _names(server, "SELECT quote_ident(%s)", schema)
        raise UnsafeSchema(
            f"{named} may make objects in the schema {schema}, and could have this role run"
            " anything: run `kegui migrate`, or as the schema's owner or a superuser"
            f" REVOKE CREATE ON SCHEMA {quoted} FROM {named}"
        )
    if found := _rows(server, LEFT_THERE, schema):
        shown = "; ".join(f"{what} of {role}" for what, role in found[:MOST_NAMED])
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise UnsafeSchema(
            f"in the schema {schema} stands what others made, and this role could be made to run"
            f" it: {shown}{more}. Find out who made it and what it does, then drop it"
        )


def _names(server: psycopg.Connection, query: str, name: str) -> list[str]:
    return [row[0] for row in _rows(server, query, name)]


def _rows(server: psycopg.Connection, query: str, name: str) -> list[tuple[str, ...]]:
    return server.execute(query.encode(), (name,)).fetchall()
