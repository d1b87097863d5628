"""The migrations make what the models need, and can be taken back with data in the tables."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any
from uuid import uuid4

import peewee
import psycopg
import pytest
from playhouse.schema_diff import diff_models

from bot import clock, db, migrations
from bot.audit import log as audit
from bot.audit.chain import BEGINNING, link
from bot.audit.log import AuditLog, Who
from bot.inbox import archive
from bot.models import (
    TABLES,
    ApiToken,
    AuditEnd,
    AuditEntry,
    AuditSeal,
    AuditSealed,
    Customer,
    Handover,
    HandWork,
    InboxArchive,
    InboxEvent,
    InboxHistory,
    Ownership,
    Proposal,
    Staff,
)
from bot.vault import Vault

BIGRAMS = {"customer_name_bigrams", "customer_external_userid_bigrams"}


def test_the_migrated_database_is_what_the_models_need(store: str) -> None:
    assert migrations.pending() == []
    found = diff_models(db.database.obj, list(TABLES))
    # Indexes of a function, which no model can name.
    known = BIGRAMS if isinstance(db.database.obj, peewee.PostgresqlDatabase) else set()
    assert {index.name for index in found.drop_indexes} == known
    assert not found._replace(drop_indexes=[])


def test_all_can_be_taken_back_and_brought_again_with_data_in_the_tables(store: str) -> None:
    Staff.create(userid="zhangsan", seen_at=clock.now())
    Customer.meet("wm_chen", channel="", met_at=clock.now())
    Ownership.claim("wm_chen", "zhangsan", at=clock.now(), reason="test")
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
            env = {**os.environ, "KEGUI_DATABASE_URL": url}
            subprocess.run([sys.executable, "-m", "bot", "migrate"], env=env, check=True)
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
            # As an older Kegui leaves it, which restored a backup of its own.
            owner.execute(
                "CREATE FUNCTION bigrams(given text) RETURNS text[] LANGUAGE sql IMMUTABLE"
                " AS 'SELECT NULL::text[]'"
            )
            env = {**os.environ, "KEGUI_DATABASE_URL": url}
            subprocess.run([sys.executable, "-m", "bot", "migrate"], env=env, check=True)
            owner.execute(f"SET ROLE {role}".encode())
            owner.execute(
                "INSERT INTO customer (external_userid, name, channel, met_at, is_owned)"
                " VALUES ('wm_1', '王伟', '', now(), false)"
            )
            assert owner.execute("SELECT bigrams('Ab王')").fetchone() == (["ab", "b王"],)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute(f"DROP ROLE {role}".encode())


@pytest.mark.postgres
def test_a_database_that_cannot_hold_every_name_is_refused(ascii_url: str) -> None:
    env = {**os.environ, "KEGUI_DATABASE_URL": ascii_url}

    done = subprocess.run(
        [sys.executable, "-m", "bot", "migrate"], env=env, capture_output=True, text=True
    )

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


def test_archived_events_come_back_when_the_archive_is_taken_back(store: str) -> None:
    then = clock.now()
    for number in range(5):
        InboxEvent.create(
            key=f"event {number}",
            source="customer",
            event="change_external_contact",
            change_type="",
            lane="work",
            payload=bytes([number, 0, 255]),
            state="done",
            received_at=then,
            due_at=then,
            finished_at=then,
        )
    before = _rows(InboxEvent)
    assert sum(archive.move_settled(then + timedelta(days=1))) == 4

    while "0013_inbox_archive" not in migrations.down():
        pass

    assert _rows(InboxEvent) == before
    migrations.up()
    assert (_rows(InboxEvent), InboxArchive.select().count()) == (before, 0)
    assert InboxEvent.create(**before[0] | {"id": None, "key": "the next one"}).id == 6


def test_work_by_hand_stays_when_its_marks_are_taken_back(store: str) -> None:
    now = clock.now()
    handover = Handover.create(
        kind="offboarding",
        userid="zhangsan",
        mode="auto",
        source="test",
        created_at=now,
        updated_at=now,
    )
    HandWork.create(handover=handover, kind="x", subject="x", text="文", done_at=now, done_by="ma")

    while "0023_hand_work_done" not in migrations.down():
        pass
    migrations.up()

    [work] = HandWork.select()
    assert (work.text, work.done_at, work.done_by) == ("文", None, None)


def test_work_by_hand_of_what_is_over_does_not_come_back(store: str) -> None:
    now = clock.now()
    over, open_ = (
        Handover.create(
            kind="offboarding",
            userid=userid,
            mode="auto",
            source="test",
            state=state,
            created_at=now,
            updated_at=now,
        )
        for userid, state in (("zhangsan", "done"), ("lisi", "running"))
    )
    for handover in (over, open_):
        HandWork.create(handover=handover, kind="x", subject="x", text="x")

    while "0023_hand_work_done" not in migrations.down():
        pass
    migrations.up()

    done = {work.handover.id: work.done_at for work in HandWork.select()}
    assert done == {over.id: now, open_.id: None}


def test_proposals_stand_from_their_migration_on(store: str) -> None:
    Proposal.create(kind="role.grant", subject="x", proposed_by="boss", proposed_at=clock.now())
    while "0025_proposals_stand" not in migrations.down():
        pass
    Proposal.update(subject="y").execute()
    query = "SELECT kind, subject, state, proposed_by FROM proposal"
    [before] = db.database.execute_sql(query).fetchall()

    assert "0025_proposals_stand" in migrations.up()

    for act in (Proposal.update(subject="z"), Proposal.delete()):
        with pytest.raises(peewee.IntegrityError), db.transaction():
            act.execute()
    assert db.database.execute_sql(query).fetchall() == [before]
    assert Proposal.update(state="approved", decided_by="other").execute() == 1


def test_what_was_made_before_is_its_makers_too(store: str) -> None:
    """A token in a colleague's name, and what waits for a decision."""
    while "0033_humans_behind" not in migrations.down():
        pass
    audit_log = AuditLog(Vault("A" * 43 + "="))
    mark = "%s" if isinstance(db.database.obj, peewee.PostgresqlDatabase) else "?"
    with db.transaction():
        for name, owner, maker in (("hr", "anna", "root"), ("core", "cli:ops", "cli:ops")):
            db.database.execute_sql(
                "INSERT INTO api_token (name, digest, scopes, created_at, owner)"
                f" VALUES ({mark}, {mark}, '[]', {mark}, {mark})",
                (name, name, clock.now().isoformat(sep=" "), owner),
            )
            audit_log.record(Who(maker), "token.create", f"token {name}", owner=owner)
        for number, by in enumerate(("anna", "local:ops", "api:hr", "api:core")):
            db.database.execute_sql(
                "INSERT INTO proposal (kind, subject, terms, state, proposed_by, proposed_at,"
                f" reason, decision_reason) VALUES ('x', '{number}', '{{}}', 'open', {mark},"
                f" {mark}, '', '')",
                (by, clock.now().isoformat(sep=" ")),
            )

    assert "0033_humans_behind" in migrations.up()

    tokens = [(row.owner, row.maker) for row in ApiToken.select().order_by(ApiToken.id)]
    assert tokens == [("anna", "root"), ("cli:ops", "cli:ops")]
    assert all(row.consented_at == row.created_at for row in ApiToken.select())
    behind = [(row.proposer, row.proposer_too) for row in Proposal.select().order_by(Proposal.id)]
    assert behind == [("anna", None), ("local:ops", None), ("anna", "root"), (None, None)]
    for act in (Proposal.update(proposer="other"), Proposal.delete()):
        with pytest.raises(peewee.IntegrityError), db.transaction():
            act.execute()
    approved = {"state": "approved", "decided_by": "other", "decider": "root"}
    with pytest.raises(peewee.IntegrityError), db.transaction():
        Proposal.update(approved).where(Proposal.proposer_too == "root").execute()


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


def test_the_end_of_the_audit_log_is_made_anew_on_the_schema_of_before(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(Vault("A" * 43 + "="))
    # As the version before wrote and sealed it.
    monkeypatch.setattr(audit, "_writer", lambda: "0" * 32)
    with db.transaction():
        log.record(Who("cli:kegui"), "customer.look", "customer wm_1")
    while "0024_audit_end" not in migrations.down():
        pass
    entry = AuditEntry.get()
    sealed = link(BEGINNING, audit._entry(entry), entry.mac)
    AuditSeal.insert(position=1, entry_id=entry.id, link=sealed).execute()
    AuditSealed.insert(writer=entry.writer, number=1).execute()

    migrations.up()

    assert AuditEnd.select().count() == 0
    log.seal()
    assert (AuditEnd.get().position, list(log.verify()[1])) == (1, [])
    while "0024_audit_end" not in migrations.down():
        pass
    assert AuditSeal.select().count() == 1
    assert not db.database.table_exists("audit_end")
    migrations.up()


def _rows(table: Any) -> list[dict[str, Any]]:
    return list(table.select().order_by(table.id).dicts())
