"""The migrations make what the models need, and can be taken back with data in the tables."""

from uuid import uuid4

import peewee
import psycopg
import pytest
from playhouse.schema_diff import diff_models

from bot import clock, db, migrations
from bot.models import (
    TABLES,
    Customer,
    InboxEvent,
    InboxHistory,
    Ownership,
    Proposal,
    Staff,
)
from bot.reason import Reason
from tests import children

# Indexes of a kind that no model can name.
ONLY_ON_POSTGRES = {
    "customer_name_bigrams",
    "customer_external_userid_bigrams",
    "archive_message_pairs",
}


def test_the_migrated_database_is_what_the_models_need(store: str) -> None:
    assert migrations.pending() == []
    found = diff_models(db.database.obj, list(TABLES))
    known = ONLY_ON_POSTGRES if isinstance(db.database.obj, peewee.PostgresqlDatabase) else set()
    assert {index.name for index in found.drop_indexes} == known
    assert not found._replace(drop_indexes=[])


def test_every_table_of_the_migrations_has_a_model(store: str) -> None:
    made = migrations.tables() - {"schema_migration"}

    assert made == {table._meta.table_name for table in TABLES}


def test_all_can_be_taken_back_and_brought_again_with_data_in_the_tables(store: str) -> None:
    Staff.create(userid="zhangsan", seen_at=clock.now())
    Customer.meet("wm_chen", channel="", met_at=clock.now())
    Ownership.claim("wm_chen", "zhangsan", at=clock.now(), reason=Reason("test"))
    Proposal.create(kind="x", subject="x", proposed_by="boss", proposed_at=clock.now())
    names = [path.stem for path in sorted(migrations.DIRECTORY.glob("0*.py"))]

    taken = []
    while name := migrations.down():
        taken += name

    assert taken == names[::-1]
    assert migrations.up() == names
    assert Customer.select().count() == 0


@pytest.mark.postgres
def test_whoever_was_given_all_rights_may_only_add_to_the_audit_log(postgres_database: str) -> None:
    """As docs/installation.md gives them, before the tables are made."""
    name, role = f"kegui_test_{uuid4().hex[:12]}", f"kegui_role_{uuid4().hex[:8]}"
    url = f"{postgres_database.rpartition('/')[0]}/{name}"
    with psycopg.connect(postgres_database, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        server.execute(f"CREATE ROLE {role} LOGIN".encode())
        rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES"
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(f"ALTER DEFAULT PRIVILEGES {rights} TO {role}".encode())
            env = {"KEGUI_DATABASE_URL": url}
            assert children.kegui("migrate", environment=env).returncode == 0
            may = {
                (table, right): owner.execute(
                    "SELECT has_table_privilege(%s, %s, %s)", (role, table, right)
                ).fetchone()
                == (True,)
                for table in (
                    "audit_entry",
                    "audit_seal",
                    "audit_anchor",
                    "audit_writer",
                    "audit_end",
                )
                for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
            }
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute(f"DROP ROLE {role}".encode())

    assert {place for place, allowed in may.items() if not allowed} == {
        (table, right)
        for table in ("audit_entry", "audit_seal", "audit_anchor")
        for right in ("UPDATE", "DELETE")
    }


@pytest.mark.postgres
def test_whoever_may_write_customers_may_where_functions_are_nobodys(
    postgres_database: str,
) -> None:
    name, role = f"kegui_test_{uuid4().hex[:12]}", f"kegui_role_{uuid4().hex[:8]}"
    url = f"{postgres_database.rpartition('/')[0]}/{name}"
    with psycopg.connect(postgres_database, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        server.execute(f"CREATE ROLE {role} LOGIN".encode())
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
            rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES"
            owner.execute(f"ALTER DEFAULT PRIVILEGES {rights} TO {role}".encode())
            # As a restored backup may have left it.
            owner.execute(
                "CREATE FUNCTION bigrams(given text) RETURNS text[] LANGUAGE sql IMMUTABLE"
                " AS 'SELECT NULL::text[]'"
            )
            env = {"KEGUI_DATABASE_URL": url}
            assert children.kegui("migrate", environment=env).returncode == 0
            owner.execute(f"SET ROLE {role}".encode())
            owner.execute(
                "INSERT INTO customer (external_userid, name, channel, tags, met_at, is_owned)"
                " VALUES ('wm_1', '王伟', '', '[]', now(), false)"
            )
            assert owner.execute("SELECT bigrams('Ab王')").fetchone() == (["ab", "b王"],)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute(f"DROP ROLE {role}".encode())


@pytest.mark.postgres
def test_a_database_that_cannot_hold_every_name_is_refused(ascii_url: str) -> None:
    done = children.kegui("migrate", environment={"KEGUI_DATABASE_URL": ascii_url})

    assert (done.returncode, done.stdout) == (1, "")
    assert "SQL_ASCII" in done.stderr
    assert "ENCODING 'UTF8' TEMPLATE template0" in done.stderr
    with psycopg.connect(ascii_url) as server:
        assert server.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


def test_the_view_of_all_events_has_every_column_of_an_event(store: str) -> None:
    assert list(InboxHistory.select()) == []
    columns = {field.column_name for field in InboxEvent._meta.sorted_fields}
    for name in ("inbox_event", "inbox_archive", "inbox_history"):
        assert {one.name for one in db.database.get_columns(name)} == columns


@pytest.mark.postgres
def test_whoever_was_given_all_rights_may_only_decide_on_proposals(postgres_url: str) -> None:
    """Also with operators of their own, for which a trigger's function could fall."""
    role = f"kegui_role_{uuid4().hex[:8]}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {role}".encode())
        server.execute(f"GRANT ALL ON SCHEMA public TO {role}".encode())
        server.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}".encode())
        server.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}".encode())
        server.execute(f"SET ROLE {role}".encode())
        try:
            server.execute(
                "INSERT INTO proposal (kind, subject, terms, state, proposed_by, proposed_at,"
                " reason, decision_reason) VALUES ('x', 'x', '{}', 'open', 'boss', now(), '', '')"
            )
            server.execute(
                "CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
            )
            server.execute("CREATE OPERATOR = (FUNCTION = same, LEFTARG = text, RIGHTARG = text)")
            server.execute("SET search_path = public, pg_catalog")
            for attack in (
                "UPDATE proposal SET proposed_by = 'other'",
                "DELETE FROM proposal",
                "TRUNCATE proposal",
            ):
                with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
                    server.execute(attack.encode())
            for attack in (
                "ALTER TABLE proposal DISABLE TRIGGER USER",
                "SET session_replication_role = replica",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    server.execute(attack.encode())
            server.execute("UPDATE proposal SET state = 'rejected', decided_by = 'other'")
        finally:
            server.execute("RESET ROLE")
            server.execute(f"DROP OWNED BY {role}".encode())
            server.execute(f"DROP ROLE {role}".encode())
