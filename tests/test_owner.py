"""The application's role does not become the owner: what it leaves in a schema, nobody runs."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from bot import db
from bot.audit.log import AuditLog
from bot.models import AuditEntry
from bot.queue import Lane, Queue
from bot.vault import Vault
from tests import children
from tests.backup.test_backup import KEY
from tests.conftest import POSTGRES_URL

pytestmark = pytest.mark.postgres

# Better than PostgreSQL's own for `a varchar column = a parameter`, wherever it stands: so the
# owner ran it with each entry of the audit log.
OPERATOR = """
CREATE FUNCTION same(one varchar, other text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF current_user OPERATOR(pg_catalog.=) '{owner}' THEN
    EXECUTE 'ALTER TABLE public.audit_entry DISABLE TRIGGER USER';
    EXECUTE 'DELETE FROM public.audit_entry WHERE subject::text OPERATOR(pg_catalog.=) $1'
      USING 'token stolen'::text;
    EXECUTE 'ALTER TABLE public.audit_entry ENABLE TRIGGER USER';
  END IF;
  RETURN one::text OPERATOR(pg_catalog.=) other;
END $$;
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = text, FUNCTION = same)
"""


@dataclass(frozen=True)
class TwoRoles:
    """A database with an owner and an application's role, as docs/installation.md makes them."""

    owner_name: str
    application_name: str
    owner: str
    application: str
    superuser: str

    def kegui(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        env = {
            "KEGUI_DATABASE_URL": self.application,
            "KEGUI_DATABASE_OWNER_URL": self.owner,
            "KEGUI_DATA_KEY": KEY,
        }
        return children.kegui(*arguments, environment=env)

    def run(self, url: str, *statements: str) -> None:
        with psycopg.connect(url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement.encode())

    def attack(self) -> None:
        """Put the operator where the owner looks names up."""
        self.run(self.application, OPERATOR.format(owner=self.owner_name))

    def cover_up(self) -> None:
        """Take away what is left of removed entries: this the application may do."""
        gone = "writer::text NOT IN (SELECT writer::text FROM audit_entry)"
        self.run(self.application, f"DELETE FROM audit_writer WHERE {gone}")

    def entries(self) -> list[str]:
        """What the audit log says, which must be whole."""
        made = db.connect(self.owner)
        with db.connection():
            assert list(AuditLog(Vault(KEY)).verify()[1]) == []
            found = [f"{row.act} {row.subject}" for row in AuditEntry.select()]
        made.close_all()
        return found


@pytest.fixture
def roles(postgres_database: str) -> Iterator[TwoRoles]:
    name = f"kegui_test_{uuid4().hex[:12]}"
    owner, application = f"{name}_owner", f"{name}_app"
    address = urlsplit(POSTGRES_URL)
    place = f"{address.hostname}:{address.port}/{name}"
    made = TwoRoles(
        owner,
        application,
        f"postgresql://{owner}@{place}",
        f"postgresql://{application}@{place}",
        f"{POSTGRES_URL}/{name}",
    )
    with psycopg.connect(postgres_database, autocommit=True) as server:
        for role in (owner, application):
            server.execute(f"CREATE ROLE {role} LOGIN".encode())
        encoding = "ENCODING 'UTF8' TEMPLATE template0"
        server.execute(f"CREATE DATABASE {name} OWNER {owner} {encoding}".encode())
        rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES"
        made.run(
            made.owner,
            f"ALTER DEFAULT PRIVILEGES {rights} TO {application}",
            f"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {application}",
        )
        yield made
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        for role in (application, owner):
            server.execute(f"DROP ROLE {role}".encode())


def let_create(roles: TwoRoles) -> None:
    """As anybody may who gives out rights."""
    roles.run(roles.owner, f"GRANT CREATE ON SCHEMA public TO {roles.application_name}")


def make_token(roles: TwoRoles) -> None:
    assert roles.kegui("token", "create", "--name", "stolen", "--scope", "admin").returncode == 0


def test_the_applications_role_cannot_have_the_owner_empty_the_audit_log(
    roles: TwoRoles, tmp_path: Path
) -> None:
    let_create(roles)
    assert roles.kegui("migrate").returncode == 0
    make_token(roles)
    with suppress(psycopg.errors.InsufficientPrivilege):
        roles.attack()

    assert roles.kegui("backup", str(tmp_path / "to")).returncode == 0
    roles.cover_up()

    assert "token.create token stolen" in roles.entries()


def test_what_was_put_there_before_is_found_and_never_run(roles: TwoRoles, tmp_path: Path) -> None:
    let_create(roles)
    roles.attack()
    fresh = roles.kegui("migrate")
    assert fresh.returncode == 1
    assert "operator public.=(character varying,text) of" in fresh.stderr
    assert "Traceback" not in fresh.stderr
    roles.run(roles.owner, "DROP OPERATOR public.= (varchar, text)", "DROP FUNCTION same")
    assert roles.kegui("migrate").returncode == 0
    make_token(roles)
    assert roles.kegui("backup", str(tmp_path / "before")).returncode == 0

    let_create(roles)
    roles.attack()

    backup, restore = ["backup", str(tmp_path / "to")], ["restore", str(tmp_path / "before")]
    for command in (backup, restore):
        refused = roles.kegui(*command)
        assert refused.returncode == 1
        assert f"REVOKE CREATE ON SCHEMA public FROM {roles.application_name}" in refused.stderr
    for command in (["migrate"], backup, restore, ["migrate", "--down"]):
        refused = roles.kegui(*command)
        assert refused.returncode == 1
        assert f"of {roles.application_name}" in refused.stderr
    roles.cover_up()
    assert [entry for entry in roles.entries() if not entry.startswith("keys.")] == [
        "token.create token stolen",
        "backup.make database",
    ]


@pytest.mark.parametrize(
    "left",
    [
        "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        "CREATE TABLE of_tomorrow (id int)",
        "CREATE VIEW customers AS SELECT 1 AS one",
        "CREATE DOMAIN phone AS text CHECK (value <> '')",
        "CREATE AGGREGATE array_agg (text) (SFUNC = array_append, STYPE = text[])",
    ],
)
def test_whatever_the_application_makes_beside_the_tables_is_named(
    roles: TwoRoles, left: str
) -> None:
    let_create(roles)
    roles.run(roles.application, left.replace("array_append", "textcat").replace("text[]", "text"))

    refused = roles.kegui("migrate")

    assert refused.returncode == 1
    assert f"of {roles.application_name}" in refused.stderr


def test_a_schema_that_the_application_put_before_ours_is_refused(roles: TwoRoles) -> None:
    """The first place where PostgreSQL looks is a schema with the role's own name."""
    assert roles.kegui("migrate").returncode == 0
    roles.run(
        roles.superuser,
        f"CREATE SCHEMA {roles.owner_name} AUTHORIZATION {roles.application_name}",
        f"GRANT USAGE ON SCHEMA {roles.owner_name} TO {roles.owner_name}",
    )

    refused = roles.kegui("migrate")

    assert refused.returncode == 1
    assert f"belongs to {roles.application_name}" in refused.stderr


def test_who_may_not_take_the_right_away_is_told_who_can(roles: TwoRoles) -> None:
    """On PostgreSQL 14 and before, everybody may, and the schema is the superuser's."""
    roles.run(
        roles.superuser,
        "ALTER SCHEMA public OWNER TO postgres",
        f"GRANT CREATE ON SCHEMA public TO PUBLIC, {roles.owner_name}",
    )

    refused = roles.kegui("migrate")

    assert refused.returncode == 1
    assert "a superuser REVOKE CREATE ON SCHEMA public FROM PUBLIC" in refused.stderr
    roles.run(roles.superuser, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert roles.kegui("migrate").returncode == 0


def test_the_queue_has_a_schema_of_its_own_where_the_application_may_make_tables(
    roles: TwoRoles,
) -> None:
    assert roles.kegui("migrate").returncode == 0
    queue = Queue(roles.application)

    queue.wake(Lane.WELCOME, "event:1")

    assert queue.take(Lane.WELCOME) == ["event:1"]
    queue.close()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        roles.run(roles.application, "CREATE TABLE mine (id int)")


def test_a_queue_in_a_database_of_its_own_makes_its_schema(roles: TwoRoles) -> None:
    queue = Queue(roles.owner)

    queue.wake(Lane.WORK, "event:1")

    assert queue.take(Lane.WORK) == ["event:1"]
    queue.close()


def test_a_restore_makes_the_queue_a_schema_of_its_own(roles: TwoRoles, tmp_path: Path) -> None:
    assert roles.kegui("migrate").returncode == 0
    make_token(roles)
    backup = str(tmp_path / "to")
    assert roles.kegui("backup", backup).returncode == 0
    # Onto a server that knows nothing of the queue.
    roles.run(roles.superuser, "DROP SCHEMA kegui_queue CASCADE")
    restored = roles.kegui("restore", backup, "--replace")
    assert restored.returncode == 0, restored.stderr
    queue = Queue(roles.application)
    assert queue.sizes() == {Lane.WELCOME: 0, Lane.WORK: 0}
    queue.close()


def test_our_functions_look_nothing_up_where_others_may_make_things(roles: TwoRoles) -> None:
    assert roles.kegui("migrate").returncode == 0
    with psycopg.connect(roles.owner) as server:
        paths = server.execute(
            "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()

    assert {name: path for name, path in paths if path != ["search_path=pg_catalog, pg_temp"]} == {}
    assert len(paths) >= 4
