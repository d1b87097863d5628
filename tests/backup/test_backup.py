"""Backup and restore: what is written is whole, and what may not be restored touches nothing."""

import base64
import json
import os
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest
from peewee import IntegrityError

from bot import clock, db, migrations
from bot.audit.log import AuditLog, AuditUnwritable, Who
from bot.backup import backup
from bot.backup.backup import BackupError
from bot.inbox import archive
from bot.models import (
    AuditEnd,
    AuditEntry,
    Customer,
    InboxArchive,
    InboxEvent,
    InboxHistory,
    Proposal,
    Staff,
)
from bot.vault import Vault
from tests import children
from tests.conftest import POSTGRES_URL

KEY = base64.urlsafe_b64encode(bytes(32)).decode()
ANOTHER_KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
BY = Who("cli:tests")
PASSWORD = "s3cret-pass%20word"


def unrecorded() -> None:
    """The command writes the entry: these tests ask what is in a backup."""


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """A database with two customers, which nobody has open."""
    with_data(database_url, "wm_1", "wm_2")
    yield database_url
    migrate_again(database_url)


def with_data(url: str, *external_userids: str) -> None:
    made = db.connect(url)
    with db.connection():
        for one in external_userids:
            Customer.meet(one, channel="", met_at=clock.now())
    made.close_all()


def migrate_again(url: str) -> None:
    """The tests share one PostgreSQL database: leave it as it was."""
    made = db.connect(url)
    migrations.up()
    made.close_all()


def customers(url: str) -> list[str]:
    made = db.connect(url)
    try:
        with db.connection():
            return sorted(row.external_userid for row in Customer.select())
    finally:
        made.close_all()


@pytest.fixture
def made(url: str, tmp_path: Path) -> Path:
    """A backup of the two customers; a third one came since."""
    folder = tmp_path / "backups" / "monday"
    backup.make(url, folder, KEY, unrecorded)
    with_data(url, "wm_3")
    return folder


def change(folder: Path, **values: object) -> None:
    path = folder / backup.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(url: str, folder: Path, *texts: str, key: str = KEY, replace: bool = True) -> None:
    """The restore says why not, and the database is as it was."""
    with pytest.raises(BackupError) as said:
        backup.restore(url, folder, [key], BY, replace=replace)
    for text in texts:
        assert text in str(said.value)
    assert customers(url) == ["wm_1", "wm_2", "wm_3"]


def test_a_backup_brings_back_the_state_of_its_moment(url: str, made: Path) -> None:
    done = backup.restore(url, made, [KEY], BY, replace=True)

    assert customers(url) == ["wm_1", "wm_2"]
    assert done.manifest.rows["customer"] == 2
    assert done.migrated == ()


def test_proposals_stand_after_a_restore_too(url: str, tmp_path: Path) -> None:
    pool = db.connect(url)
    with db.connection():
        Proposal.create(kind="x", subject="x", proposed_by="boss", proposed_at=clock.now())
        Proposal.update(state="approved", decided_by="other").execute()
        before = list(Proposal.select().dicts())
    pool.close_all()
    backup.make(url, tmp_path / "backup", KEY, unrecorded)

    backup.restore(url, tmp_path / "backup", [KEY], BY, replace=True)

    pool = db.connect(url)
    with db.connection():
        assert list(Proposal.select().dicts()) == before
        for act in (Proposal.update(state="rejected"), Proposal.delete()):
            with pytest.raises(IntegrityError), db.transaction():
                act.execute()
    pool.close_all()


def test_the_audit_log_is_whole_after_a_restore_and_goes_on(url: str, tmp_path: Path) -> None:
    log = AuditLog(Vault(KEY))
    sealed(url, log)
    backup.make(url, tmp_path / "backup", KEY, unrecorded)
    sealed(url, log)

    backup.restore(url, tmp_path / "backup", [KEY], BY, replace=True)

    pool = db.connect(url)
    with db.connection():
        assert (AuditEnd.get().position, list(log.verify()[1])) == (1, [])
    pool.close_all()
    sealed(url, log)
    pool = db.connect(url)
    with db.connection():
        # With the entry of the restore.
        assert (AuditEnd.get().position, list(log.verify()[1])) == (4, [])
    pool.close_all()


def sealed(url: str, log: AuditLog) -> None:
    pool = db.connect(url)
    with db.connection():
        with db.transaction():
            log.record(BY, "customer.look", "customer wm_1")
        log.seal()
    pool.close_all()


def test_archived_events_are_in_the_backup(url: str, tmp_path: Path) -> None:
    pool = db.connect(url)
    with db.connection():
        for number in range(3):
            _event(number)
        assert sum(archive.move_settled(clock.now())) == 2
    pool.close_all()
    backup.make(url, tmp_path / "backup", KEY, unrecorded)
    pool = db.connect(url)
    with db.connection():
        InboxArchive.delete().execute()
        InboxEvent.delete().execute()
    pool.close_all()

    done = backup.restore(url, tmp_path / "backup", [KEY], BY, replace=True)

    pool = db.connect(url)
    with db.connection():
        kept = InboxHistory.select().order_by(InboxHistory.id)
        assert [bytes(row.payload) for row in kept] == [b"0", b"1", b"2"]
        assert [row.key for row in InboxArchive.select()] == ["event 0", "event 1"]
        # The next number is a new one.
        assert _event(9).id > max(row.id for row in kept)
    pool.close_all()
    assert (done.manifest.rows["inbox_event"], done.manifest.rows["inbox_archive"]) == (1, 2)


def _event(number: int) -> InboxEvent:
    then = clock.now()
    return InboxEvent.create(
        key=f"event {number}",
        source="customer",
        event="change_external_contact",
        change_type="",
        lane="work",
        payload=str(number).encode(),
        state="done",
        received_at=then,
        due_at=then,
        finished_at=then,
    )


def test_a_backup_holds_a_manifest_and_no_key_and_only_its_owner_may_look(
    url: str, made: Path
) -> None:
    manifest = backup.read(made)

    assert manifest.database == url.partition(":")[0]
    assert list(manifest.migrations) == [
        path.stem for path in sorted(migrations.DIRECTORY.glob("0*.py"))
    ]
    assert KEY.encode() not in b"".join(path.read_bytes() for path in made.iterdir())
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in made.glob("kegui.*")} == {0}
    assert sorted(path.name for path in made.parent.iterdir()) == ["monday"]


def test_nothing_is_overwritten(url: str, made: Path) -> None:
    before = {path: path.read_bytes() for path in made.iterdir()}

    with pytest.raises(BackupError, match="exists already"):
        backup.make(url, made, KEY, unrecorded)

    assert {path: path.read_bytes() for path in made.iterdir()} == before


def test_a_backup_that_fails_leaves_nothing_behind(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_sha256", full)

    with pytest.raises(BackupError, match="No space left"):
        backup.make(url, tmp_path / "backups" / "full", KEY, unrecorded)

    assert list((tmp_path / "backups").iterdir()) == []


def test_a_database_that_was_never_migrated_is_no_backup(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db")):
        pass
    for name, text in (("new.db", "kegui migrate"), ("none.db", "there is no database")):
        with pytest.raises(BackupError, match=text):
            backup.make(f"sqlite:///{tmp_path / name}", tmp_path / "to", KEY, unrecorded)
    assert not (tmp_path / "none.db").exists()


def test_it_is_consistent_while_others_write(url: str, tmp_path: Path) -> None:
    """A writer adds a customer and a member in one transaction: they are never apart."""
    ended = threading.Event()
    pool = db.connect(url)

    def write() -> None:
        number = 0
        with db.connection():
            while not ended.is_set():
                number += 1
                with db.transaction():
                    Customer.meet(f"wm_busy_{number}", channel="", met_at=clock.now())
                    Staff.create(userid=f"busy_{number}", seen_at=clock.now())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup.make(url, tmp_path / f"busy_{number}", KEY, unrecorded)
    finally:
        ended.set()
        writer.join()
        pool.close_all()

    for number in range(3):
        backup.restore(url, tmp_path / f"busy_{number}", [KEY], BY, replace=True)
        busy = [one for one in customers(url) if one.startswith("wm_busy")]
        with db.connection():
            assert len(busy) == Staff.select().count()
        db.database.close_all()
    assert busy


def test_data_is_replaced_only_when_told(url: str, made: Path) -> None:
    refused(url, made, "has data", "--replace", replace=False)


def test_a_fresh_database_needs_no_replace(url: str, made: Path, tmp_path: Path) -> None:
    fresh = f"sqlite:///{tmp_path / 'fresh' / 'kegui.db'}"
    if url.startswith("postgres"):
        fresh = url
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("TRUNCATE customer CASCADE")
    else:
        migrate_again(fresh)

    backup.restore(fresh, made, [KEY], BY)

    assert customers(fresh) == ["wm_1", "wm_2"]


def test_another_data_key_is_named_before_anything_is_touched(url: str, made: Path) -> None:
    refused(url, made, "another KEGUI_DATA_KEY", key=ANOTHER_KEY)


def test_a_newer_schema_is_refused(url: str, made: Path) -> None:
    newer = [*backup.read(made).migrations, "9999_of_tomorrow"]
    change(made, migrations=newer, kegui="99.0")

    refused(url, made, "newer Kegui (99.0)", "9999_of_tomorrow")


def test_a_newer_format_is_refused(url: str, made: Path) -> None:
    change(made, format=2)

    refused(url, made, "format 2")


def test_another_kind_of_database_is_refused(url: str, made: Path) -> None:
    change(made, database="oracle")

    refused(url, made, "is of oracle")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
def test_a_damaged_dump_is_refused(url: str, made: Path, damage: Callable[[Path], None]) -> None:
    damage(made / backup.read(made).dump)

    refused(url, made, "damaged")


def test_a_dump_that_its_own_tool_cannot_read_is_refused(url: str, made: Path) -> None:
    dump = made / backup.read(made).dump
    dump.write_bytes(b"x" * 5000)
    change(made, size=5000, sha256=backup._sha256(dump))

    refused(url, made, "damaged")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_a_folder_without_a_manifest_is_no_backup(url: str, made: Path, text: str) -> None:
    (made / backup.MANIFEST).write_text(text)

    refused(url, made, "is not a backup")


def test_a_database_in_use_is_not_replaced(url: str, made: Path) -> None:
    pool = db.connect(url)
    with db.connection():
        Customer.select().count()
        with pytest.raises(BackupError, match="stop web, worker and clock"):
            backup.restore(url, made, [KEY], BY, replace=True)
    pool.close_all()

    assert customers(url) == ["wm_1", "wm_2", "wm_3"]


def test_somebody_elses_database_is_never_emptied(url: str, made: Path, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        strange = f"sqlite:///{tmp_path / 'strange.db'}"
        with closing(sqlite3.connect(tmp_path / "strange.db")) as other:
            other.execute("CREATE TABLE invoices (id)")
        with pytest.raises(BackupError, match="not Kegui's"):
            backup.restore(strange, made, [KEY], BY, replace=True)
        return
    with psycopg.connect(f"{POSTGRES_URL}/postgres", autocommit=True) as server:
        name = f"kegui_strange_{os.getpid()}"
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            with psycopg.connect(f"{POSTGRES_URL}/{name}", autocommit=True) as other:
                other.execute("CREATE TABLE invoices (id int)")
            with pytest.raises(BackupError, match="not Kegui's"):
                backup.restore(f"{POSTGRES_URL}/{name}", made, [KEY], BY, replace=True)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_an_older_backup_is_brought_to_this_schema(url: str, made: Path, tmp_path: Path) -> None:
    pool = db.connect(url)
    last = migrations.down()
    pool.close_all()
    backup.make(url, tmp_path / "older", KEY, unrecorded)

    done = backup.restore(url, tmp_path / "older", [KEY], BY, replace=True)

    assert list(done.migrated) == last
    db.connect(url)
    assert migrations.pending() == []
    db.database.close_all()
    assert customers(url) == ["wm_1", "wm_2", "wm_3"]


@pytest.mark.postgres
def test_a_restore_mends_what_an_older_kegui_left_behind(postgres_url: str, tmp_path: Path) -> None:
    """It drops the tables, and knows nothing of the function that their indexes used."""
    with_data(postgres_url, "wm_1")
    backup.make(postgres_url, tmp_path / "backup", KEY, unrecorded)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("DROP INDEX customer_name_bigrams, customer_external_userid_bigrams")

    backup.restore(postgres_url, tmp_path / "backup", [KEY], BY, replace=True)

    assert customers(postgres_url) == ["wm_1"]
    with psycopg.connect(postgres_url, autocommit=True) as server:
        indexes = server.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%bigrams' ORDER BY 1"
        ).fetchall()
    assert indexes == [("customer_external_userid_bigrams",), ("customer_name_bigrams",)]


@pytest.mark.postgres
def test_a_restore_lets_the_keepers_own_indexes_go_with_their_tables(
    postgres_url: str, tmp_path: Path
) -> None:
    with_data(postgres_url, "wm_1")
    backup.make(postgres_url, tmp_path / "backup", KEY, unrecorded)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(
            "CREATE FUNCTION keepers(text) RETURNS text LANGUAGE sql IMMUTABLE"
            " AS 'SELECT reverse($1)'"
        )
        server.execute("CREATE VIEW keepers_view AS SELECT keepers('x')")
        server.execute("CREATE INDEX keepers_index ON customer (keepers(name))")
    try:
        backup.restore(postgres_url, tmp_path / "backup", [KEY], BY, replace=True)
        assert customers(postgres_url) == ["wm_1"]
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute("DROP FUNCTION keepers(text) CASCADE")


@pytest.mark.postgres
def test_a_restore_leaves_no_table_of_a_newer_version(postgres_url: str, tmp_path: Path) -> None:
    backup.make(postgres_url, tmp_path / "before", KEY, unrecorded)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE TABLE of_tomorrow (id int)")

        server.close()
        backup.restore(postgres_url, tmp_path / "before", [KEY], BY, replace=True)

    with psycopg.connect(postgres_url) as server:
        [found] = server.execute("SELECT to_regclass('of_tomorrow')").fetchone() or ()
    assert found is None


@pytest.fixture
def elsewhere(postgres_url: str) -> Iterator[str]:
    """The same database, in a schema of Kegui's own, with one customer."""
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute('CREATE SCHEMA "of Kegui"')
    url = f"{postgres_url}?options=-csearch_path%3D%22of%5C%20Kegui%22"
    migrate_again(url)
    with_data(url, "wm_1")
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute('DROP SCHEMA "of Kegui" CASCADE')
    migrate_again(postgres_url)


@pytest.mark.postgres
def test_kegui_may_live_in_a_schema_of_its_own_beside_others(
    elsewhere: str, postgres_url: str, tmp_path: Path
) -> None:
    with_data(postgres_url, "wm_of_others")
    backup.make(elsewhere, tmp_path / "backup", KEY, unrecorded)
    with_data(elsewhere, "wm_2")

    backup.restore(elsewhere, tmp_path / "backup", [KEY], BY, replace=True)

    assert customers(elsewhere) == ["wm_1"]
    assert customers(postgres_url) == ["wm_of_others"]


@pytest.mark.postgres
def test_a_backup_of_another_schema_is_refused_before_anything_is_touched(
    elsewhere: str, postgres_url: str, tmp_path: Path
) -> None:
    with_data(postgres_url, "wm_1", "wm_2", "wm_3")
    backup.make(elsewhere, tmp_path / "backup", KEY, unrecorded)

    refused(postgres_url, tmp_path / "backup", "in the schema of Kegui", "leads to public")


@pytest.mark.postgres
def test_a_restore_removes_no_function_that_somebody_else_made(
    postgres_url: str, tmp_path: Path
) -> None:
    backup.make(postgres_url, tmp_path / "before", KEY, unrecorded)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE FUNCTION of_somebody() RETURNS int LANGUAGE sql AS 'SELECT 7'")

    backup.restore(postgres_url, tmp_path / "before", [KEY], BY, replace=True)

    with psycopg.connect(postgres_url, autocommit=True) as server:
        assert server.execute("SELECT of_somebody()").fetchone() == (7,)
        server.execute("DROP FUNCTION of_somebody()")


def tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.postgres
def test_without_pg_dump_the_missing_tool_is_named(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))

    with pytest.raises(BackupError, match="pg_dump is not there: install the PostgreSQL client"):
        backup.make(postgres_url, tmp_path / "to", KEY, unrecorded)

    assert not (tmp_path / "to").exists()


@pytest.mark.postgres
def test_a_pg_dump_older_than_the_server_is_named(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "pg_dump", 'echo "pg_dump (PostgreSQL) 9.6.24"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    with pytest.raises(BackupError, match=r"pg_dump is 9\.6\.24, older than the server"):
        backup.make(postgres_url, tmp_path / "to", KEY, unrecorded)


@pytest.mark.postgres
def test_the_password_reaches_the_tools_by_the_environment_only(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spied, failing = tmp_path / "spied", 'echo "pg_dump: error: broken on purpose" >&2; exit 1'
    tool(
        tmp_path / "bin",
        "pg_dump",
        'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.1"; exit; fi\n'
        f'echo "$@" > {spied}; echo "$PGPASSWORD" >> {spied}; {failing}',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with_password = postgres_url.replace("postgres@", f"postgres:{PASSWORD}@")

    with pytest.raises(BackupError, match="broken on purpose") as said:
        backup.make(with_password, tmp_path / "to", KEY, unrecorded)

    arguments, password = spied.read_text().splitlines()
    assert "s3cret" not in arguments
    assert password == "s3cret-pass word"
    assert "s3cret" not in str(said.value)


def kegui(url: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return children.kegui(
        *arguments, environment={"KEGUI_DATABASE_URL": url, "KEGUI_DATA_KEY": KEY, **more}
    )


def test_the_commands_say_what_was_done_and_what_to_do_next(url: str, tmp_path: Path) -> None:
    written = kegui(url, "backup", str(tmp_path / "to"))
    assert written.returncode == 0, written.stderr
    assert "2 customer" in written.stdout

    done = kegui(url, "restore", str(tmp_path / "to"), "--replace")

    assert done.returncode == 0, done.stderr
    assert "start web, worker and clock" in done.stdout
    assert "kegui sync" in done.stdout
    again = kegui(url, "restore", str(tmp_path / "to"))
    assert again.returncode == 1
    [line] = [one for one in again.stderr.splitlines() if one.startswith("Error: ")]
    assert "--replace" in line
    assert logged(url) == [
        ("backup.make", {"folder": str(tmp_path / "to")}),
        ("backup.restore", {"taken_at": ANY}),
        ("keys.establish", {}),
    ]
    without = kegui(url, "backup", str(tmp_path / "other"), KEGUI_DATA_KEY="")
    assert "KEGUI_DATA_KEY" in without.stderr


def logged(url: str) -> list[tuple[str, object]]:
    """What the audit log says of this terminal, and that nothing in it was touched."""
    made = db.connect(url)
    try:
        with db.connection():
            entries = list(AuditEntry.select().order_by(AuditEntry.id))
            _verifier, faults = AuditLog(Vault(KEY)).verify()
            assert list(faults) == []
    finally:
        made.close_all()
    assert all(entry.actor.startswith("cli:") for entry in entries)
    return [(entry.act, entry.details) for entry in entries]


def test_a_backup_that_cannot_begin_makes_nothing_and_is_not_in_the_log(
    url: str, tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    taken = kegui(url, "backup", str(tmp_path / "to"))
    nowhere = kegui(f"sqlite:///{tmp_path}/none.db", "backup", str(tmp_path / "other"))

    assert "exists already" in taken.stderr
    assert "there is no database" in nowhere.stderr
    assert not (tmp_path / "none.db").exists()
    assert logged(url) == []


def test_a_backup_is_in_the_log_of_the_database_that_it_is_of(url: str, tmp_path: Path) -> None:
    empty = f"sqlite:///{tmp_path}/trial.db"
    done = kegui(empty, "backup", str(tmp_path / "to"), KEGUI_DATABASE_OWNER_URL=url)

    assert done.returncode == 0, done.stderr
    assert [act for act, _details in logged(url)] == ["backup.make"]


@pytest.mark.parametrize("command", [("backup", "to"), ("migrate",)])
def test_a_malformed_url_of_the_owner_is_named(
    url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    command = tuple(str(tmp_path / one) if one == "to" else one for one in command)
    refused = kegui(url, *command, KEGUI_DATABASE_OWNER_URL="mysql://kegui@db/kegui")

    assert refused.returncode == 1
    [line] = [one for one in refused.stderr.splitlines() if one.startswith("Error: ")]
    assert "KEGUI_DATABASE_OWNER_URL" in line


def test_a_restore_without_an_entry_in_the_log_says_so(
    url: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_details: object) -> None:
        raise AuditUnwritable("disk full")

    monkeypatch.setattr(AuditLog, "record", refuse)
    with pytest.raises(BackupError, match="repeat the restore with --replace"):
        backup.restore(url, made, [KEY], BY, replace=True)
    monkeypatch.undo()

    backup.restore(url, made, [KEY], BY, replace=True)
    assert customers(url) == ["wm_1", "wm_2"]


def test_without_an_entry_in_the_log_no_backup_is_made(url: str, tmp_path: Path) -> None:
    made = db.connect(url)
    with db.connection():
        db.database.execute_sql("ALTER TABLE audit_writer RENAME TO away")
    try:
        refused = kegui(url, "backup", str(tmp_path / "to"))
    finally:
        with db.connection():
            db.database.execute_sql("ALTER TABLE away RENAME TO audit_writer")
        made.close_all()

    assert refused.returncode == 1
    assert "the audit log cannot be written" in refused.stderr
    assert list(tmp_path.glob("**/dump*")) == []
    assert not (tmp_path / "to").exists()
