"""The audit log in a database: no entry, no act; and what was done to the log is found."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from peewee import PeeweeException, fn

from bot import clock, db
from bot.audit import log
from bot.audit.chain import Fault
from bot.audit.log import AuditLog, AuditUnwritable, NotAnExport, Who
from bot.models import AuditAnchor, AuditEnd, AuditEntry, AuditSeal, AuditWriter, Staff
from bot.models.audit import ADD_ONLY
from bot.vault import Vault
from tests.conftest import in_thread

VAULT = Vault("A" * 43 + "=")
LOG = AuditLog(VAULT)
ANNA = Who("api:anna", "10.0.0.1", "复核")


def act(number: int = 0, who: Who = ANNA) -> None:
    with db.transaction():
        LOG.record(who, "customer.look", f"customer wm_{number}", 理由="投诉", none=None)


def acts(amount: int) -> None:
    for number in range(amount):
        act(number)


def verify() -> list[Fault]:
    with db.database.atomic():
        log.snapshot()
        return list(LOG.verify()[1])


@pytest.fixture
def attack(store: str) -> Iterator[Callable[[str], None]]:
    """Run SQL as somebody whom the database lets do everything."""
    is_postgres = store.startswith("postgres")

    def run(statement: str) -> None:
        with db.database.atomic():
            if is_postgres:
                for table in ADD_ONLY:
                    db.database.execute_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            else:
                for (name,) in db.database.execute_sql(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'"
                ).fetchall():
                    db.database.execute_sql(f"DROP TRIGGER {name}")
            db.database.execute_sql(statement)

    yield run
    if is_postgres:
        for table in ADD_ONLY:
            db.database.execute_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


pytestmark = pytest.mark.usefixtures("store")


def test_an_entry_says_who_did_what_from_where_and_what_for() -> None:
    act(7)

    entry = AuditEntry.get()
    assert (entry.actor, entry.act, entry.subject) == (
        "api:anna",
        "customer.look",
        "customer wm_7",
    )
    assert (entry.origin, entry.purpose, entry.details) == ("10.0.0.1", "复核", {"理由": "投诉"})
    assert clock.now() - entry.at < timedelta(seconds=10)


def test_an_act_that_is_taken_back_leaves_no_entry_and_no_hole() -> None:
    act()
    with db.database.atomic() as taken_back:
        LOG.record(ANNA, "staff.set_terms", "staff zhangsan")
        taken_back.rollback()
    act()

    assert [row.number for row in AuditEntry.select().order_by(AuditEntry.id)] == [1, 2]
    assert verify() == []


def test_an_entry_without_a_transaction_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="transaction of its act"):
        LOG.record(ANNA, "customer.look", "customer wm_1")


@db.transaction()
def make_staff() -> None:
    Staff.create(userid="zhangsan", seen_at=clock.now())
    LOG.record(ANNA, "staff.set_terms", "staff zhangsan")


def test_no_entry_no_act(attack: Callable[[str], None]) -> None:
    attack("ALTER TABLE audit_entry RENAME TO audit_entry_away")
    try:
        with pytest.raises(AuditUnwritable):
            make_staff()
    finally:
        db.database.execute_sql("ALTER TABLE audit_entry_away RENAME TO audit_entry")

    assert Staff.select().count() == 0


@pytest.mark.parametrize("what", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
def test_the_application_cannot_change_or_remove_an_entry(what: str) -> None:
    act()

    with pytest.raises(PeeweeException, match="only added to"), db.database.atomic():
        db.database.execute_sql(what)

    assert AuditEntry.get().actor == "api:anna"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("audit_entry", "id, 'x', number, at, actor, act, subject, purpose, origin, details, mac"),
        ("audit_entry", "9, writer, number, at, actor, act, subject, purpose, origin, '{}', mac"),
        ("audit_seal", "position, 9, link"),
        ("audit_seal", "9, entry_id, link"),
        ("audit_anchor", "position, 'x', at, signature"),
    ],
)
def test_sqlite_does_not_replace_what_is_only_added_to(table: str, values: str) -> None:
    """It fires no trigger of the row that goes: here also one that another key would take away.
    PostgreSQL has no REPLACE."""
    act()
    LOG.seal()
    LOG.anchor(clock.now())
    before = db.database.execute_sql(f"SELECT * FROM {table}").fetchall()

    with pytest.raises(PeeweeException, match="only added to"), db.database.atomic():
        db.database.execute_sql(f"INSERT OR REPLACE INTO {table} SELECT {values} FROM {table}")

    assert db.database.execute_sql(f"SELECT * FROM {table}").fetchall() == before


def test_what_was_committed_is_sealed_in_one_chain_of_all_writers() -> None:
    acts(3)
    in_thread(lambda: acts(3)).result()
    assert LOG.seal(limit=4) == 4
    assert LOG.seal(limit=4) == 2
    act()
    assert LOG.seal() == 1
    assert LOG.seal() == 0

    assert [row.position for row in AuditSeal.select().order_by(AuditSeal.position)] == [
        *range(1, 8)
    ]
    assert AuditWriter.select().count() == 2
    assert verify() == []


def test_an_anchor_is_made_where_something_was_added() -> None:
    assert LOG.anchor(clock.now()) is None
    act()
    LOG.seal()
    made = LOG.anchor(clock.now())
    assert made is not None
    assert LOG.anchor(clock.now()) is None

    assert AuditAnchor.get().link == made.link
    assert verify() == []


@pytest.mark.parametrize(
    ("statement", "kind", "position"),
    [
        ("UPDATE audit_entry SET actor = 'api:ann' WHERE number = 3", "changed", 3),
        ("UPDATE audit_entry SET details = '{}' WHERE number = 1", "changed", 1),
        ("DELETE FROM audit_entry WHERE number = 2", "missing", 2),
        ("DELETE FROM audit_seal WHERE position = 2", "missing", 2),
        ("DELETE FROM audit_entry WHERE number = 6", "missing", None),
        ("DELETE FROM audit_entry WHERE number = 5", "missing", None),
        ("DELETE FROM audit_seal WHERE position > 3", "rewritten", None),
        ("UPDATE audit_seal SET position = 1000000000000 WHERE position = 4", "missing", 4),
        ("DELETE FROM audit_writer", "head", None),
        ("UPDATE audit_seal SET entry_id = entry_id + 100 WHERE position = 2", "missing", 2),
    ],
)
def test_what_an_attacker_does_to_the_log_is_found(
    attack: Callable[[str], None], statement: str, kind: str, position: int | None
) -> None:
    """Four entries are sealed, the last of them anchored; two are not sealed yet."""
    acts(4)
    LOG.seal()
    LOG.anchor(clock.now())
    acts(2)
    assert verify() == []

    attack(statement)

    first = verify()[0]
    assert (first.kind, first.position) == (kind, position)


def test_a_pair_that_changed_places_is_found(attack: Callable[[str], None]) -> None:
    acts(4)
    LOG.seal()
    two = AuditSeal.get_by_id(2).entry_id
    three = AuditSeal.get_by_id(3).entry_id

    for position, entry in ((2, -1), (3, two), (2, three)):
        attack(f"UPDATE audit_seal SET entry_id = {entry} WHERE position = {position}")

    assert verify()[0].position == 2


def test_a_restored_old_head_does_not_hide_what_was_sealed(attack: Callable[[str], None]) -> None:
    acts(2)
    old = AuditWriter.get()
    acts(1)
    LOG.seal()

    attack("DELETE FROM audit_entry WHERE number = 3")
    attack(f"UPDATE audit_writer SET number = {old.number}, mac = '{old.mac}'")

    assert verify()[0].kind == "missing"


def seal_anew(attack: Callable[[str], None]) -> None:
    """What somebody without the key does: take away all seals, and chain what is left."""
    for table in ("audit_anchor", "audit_seal", "audit_sealed"):
        attack(f"DELETE FROM {table}")
    LOG.seal()


def test_a_writer_who_was_taken_away_with_all_its_traces_is_missed(
    attack: Callable[[str], None],
) -> None:
    """Links are computed without a key, and Kegui's own sealer chains whatever it finds."""
    acts(2)
    in_thread(lambda: act(2)).result()
    LOG.seal()
    LOG.anchor(clock.now())
    acts(1)
    other = AuditEntry.get(AuditEntry.subject == "customer wm_2").writer

    for table in ("audit_entry", "audit_writer"):
        attack(f"DELETE FROM {table} WHERE writer = '{other}'")
    seal_anew(attack)

    assert verify()[0].kind == "rewritten"
    assert faults_of(exported(), None, None)[0].kind == "rewritten"


def test_writers_whose_entries_changed_places_are_found(attack: Callable[[str], None]) -> None:
    acts(1)
    in_thread(act).result()
    LOG.seal()
    acts(1)
    attack("UPDATE audit_entry SET id = 1000 - id")
    seal_anew(attack)

    assert "rewritten" in {fault.kind for fault in verify()}


def test_what_the_sealer_was_kept_from_is_found(
    attack: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's role may write where the sealer stands."""
    early = clock.now() - timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: early)
    acts(1)
    LOG.seal()
    acts(1)
    attack("UPDATE audit_sealed SET number = 1000")
    monkeypatch.undo()
    assert verify() == []
    in_thread(act).result()
    LOG.seal()

    assert [fault.kind for fault in verify()] == ["passed by"]


def test_the_log_at_an_earlier_moment_is_told_by_an_anchor_kept_elsewhere(
    attack: Callable[[str], None],
) -> None:
    acts(1)
    LOG.seal()
    older = AuditEnd.get()
    in_thread(act).result()
    LOG.seal()
    anchor = LOG.anchor(clock.now())
    assert anchor
    kept = {anchor.position: anchor.link}
    assert list(LOG.verify(kept)[1]) == []
    other = AuditEntry.get(AuditEntry.id > AuditEntry.select(fn.MIN(AuditEntry.id))).writer
    attack(f"UPDATE audit_end SET position = 1, link = '{older.link}', mac = '{older.mac}'")

    for table in ("audit_entry", "audit_writer"):
        attack(f"DELETE FROM {table} WHERE writer = '{other}'")
    attack("DELETE FROM audit_anchor")
    attack("DELETE FROM audit_seal WHERE position = 2")

    assert verify() == []
    assert [fault.kind for fault in LOG.verify(kept)[1]] == ["cut"]
    act()
    LOG.seal()
    assert [fault.kind for fault in LOG.verify(kept)[1]] == ["rewritten"]


def cut_off_the_last(attack: Callable[[str], None]) -> None:
    """Take the newest entry away with its seal and with all that is known of its writer."""
    last = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    attack(f"DELETE FROM audit_seal WHERE entry_id = {last.id}")
    for table in ("audit_entry", "audit_writer", "audit_sealed"):
        attack(f"DELETE FROM {table} WHERE writer = '{last.writer}'")


def move_end_back(attack: Callable[[str], None]) -> None:
    last = AuditSeal.select().order_by(AuditSeal.position.desc()).get()
    attack(f"UPDATE audit_end SET position = {last.position}, link = '{last.link}'")


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize(
    ("more", "kind"),
    [
        (lambda attack: None, "cut off"),
        (lambda attack: attack("DELETE FROM audit_end"), "no end"),
        (lambda attack: attack("UPDATE audit_end SET id = 2"), "no end"),
        (move_end_back, "end"),
    ],
)
def test_the_last_entry_cannot_be_removed_with_all_its_traces(
    attack: Callable[[str], None],
    batches: int,
    more: Callable[[Callable[[str], None]], None],
    kind: str,
) -> None:
    """Each is of a writer of its own, as those of commands are."""
    for number in range(3):
        in_thread(act).result()
        if number >= 3 - batches:
            LOG.seal()
    assert verify() == []

    cut_off_the_last(attack)
    more(attack)

    assert [fault.kind for fault in verify()] == [kind]
    # Nor does the sealer keep what is left as if it were all.
    for _ in range(2):
        LOG.seal()
        in_thread(act).result()
        LOG.seal()
        assert verify() != []


def test_an_older_end_that_was_put_back_hides_nothing_but_all_that_came_after_it(
    attack: Callable[[str], None],
) -> None:
    in_thread(act).result()
    LOG.seal()
    older = AuditEnd.get()
    for _ in range(2):
        in_thread(act).result()
        LOG.seal()

    cut_off_the_last(attack)
    attack(f"UPDATE audit_end SET position = 1, link = '{older.link}', mac = '{older.mac}'")

    assert [fault.kind for fault in verify()] == ["behind"]
    in_thread(act).result()
    LOG.seal()
    assert [fault.kind for fault in verify()] == ["behind"]


def test_another_chain_of_the_same_length_is_found_at_its_end(
    attack: Callable[[str], None],
) -> None:
    acts(1)
    LOG.seal()
    end = AuditEnd.get()
    cut_off_the_last(attack)
    in_thread(act).result()
    seal_anew(attack)

    assert (AuditEnd.get().link, AuditEnd.get().mac) == (end.link, end.mac)
    assert [fault.kind for fault in verify()] == ["end"]


def test_a_chain_made_anew_without_its_end_gets_none(attack: Callable[[str], None]) -> None:
    for _ in range(3):
        in_thread(act).result()
        LOG.seal()

    cut_off_the_last(attack)
    attack("DELETE FROM audit_end")
    seal_anew(attack)

    assert AuditSeal.select().count() == 2
    assert [fault.kind for fault in verify()] == ["no end"]


def test_an_end_that_was_lost_is_kept_anew_when_somebody_says_so(
    attack: Callable[[str], None],
) -> None:
    acts(2)
    LOG.seal()
    attack("DELETE FROM audit_end")
    acts(1)

    LOG.keep_end(Who("cli:kegui"))

    assert verify() == []
    last = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    assert (last.act, last.actor) == ("audit.keep_end", "cli:kegui")
    assert AuditEnd.get().position == AuditSeal.get(AuditSeal.entry_id == last.id).position == 4
    acts(1)
    LOG.seal()
    assert (AuditEnd.get().position, verify()) == (5, [])


def exported() -> list[str]:
    file = io.StringIO()
    with db.database.atomic():
        log.snapshot()
        LOG.export(file)
    return file.getvalue().splitlines()


def faults_of(
    lines: list[str], key: bytes | None = LOG.key, public: Ed25519PublicKey | None = LOG.public_key
) -> list[Fault]:
    return list(log.verify_export(lines, key, public)[1])


def test_an_export_is_verified_without_the_database() -> None:
    acts(3)
    LOG.seal()
    LOG.anchor(clock.now())
    acts(1)
    lines = exported()

    assert faults_of(lines) == []
    assert faults_of(lines, None, None) == []


def test_a_changed_export_is_found_and_a_damaged_one_refused() -> None:
    acts(3)
    LOG.seal()
    lines = exported()
    second = next(n for n, line in enumerate(lines) if '"entry 2"' in line or "wm_1" in line)

    changed = [*lines]
    changed[second] = changed[second].replace("wm_1", "wm_9")
    assert faults_of(changed)[0].kind == "changed"
    removed = [line for number, line in enumerate(lines) if number != second]
    assert faults_of(removed)[0].kind == "missing"
    for broken in (lines[:-1], lines[1:], [*lines[:2], "{"], [], ["[]"]):
        with pytest.raises(NotAnExport):
            faults_of(broken)


def cut_export(lines: list[str], keep: Callable[[dict[str, Any]], bool]) -> list[str]:
    return [line for line in lines if keep(json.loads(line))]


def test_an_export_that_was_cut_off_is_found() -> None:
    acts(1)
    in_thread(act).result()
    LOG.seal()
    in_thread(lambda: act(9)).result()
    lines = exported()
    last = AuditEntry.get(AuditEntry.subject == "customer wm_9").writer

    def is_not_of_the_last(row: dict[str, Any]) -> bool:
        return last not in (row.get("writer"), (row.get("entry") or {}).get("writer"))

    without_last = cut_export(lines, is_not_of_the_last)
    assert len(without_last) == len(lines) - 2
    without_all = cut_export(lines, lambda row: row["kind"] not in ("entry", "head"))
    for cut in (without_last, without_all):
        assert faults_of(cut)[0].kind == "count"
        assert faults_of(cut, None, None)[0].kind == "count"
        # And somebody who has no key mends the end line as well.
        end = json.loads(cut[-1])
        cut[-1] = json.dumps(end | {"entries": len(cut_export(cut, is_an_entry))})
        assert faults_of(cut)[0].kind == "export"
    with pytest.raises(NotAnExport, match="before its end line"):
        faults_of(lines[:-1])


def is_an_entry(row: dict[str, Any]) -> bool:
    return bool(row["kind"] == "entry")


@pytest.mark.parametrize(
    "change",
    [
        {"mac": "0" * 64},
        {"mac": "\u00fc"},
        {"chain": None},
        {"chain": {"position": 1, "link": "0" * 64, "mac": "0" * 64}},
    ],
)
def test_an_end_line_that_somebody_else_wrote_is_found(change: dict[str, object]) -> None:
    acts(1)
    LOG.seal()
    lines = exported()
    lines[-1] = json.dumps(json.loads(lines[-1]) | change)

    assert faults_of(lines)[0].kind == "export"


def test_an_export_of_another_moment_is_found() -> None:
    acts(1)
    lines = exported()
    lines[0] = json.dumps(json.loads(lines[0]) | {"exported_at": "2026-12-01T00:00:00+00:00"})

    assert faults_of(lines)[0].kind == "export"


@pytest.mark.parametrize("end", [{}, {"chain": 1, "mac": ""}, {"chain": {"position": 1}}])
def test_an_end_line_that_cannot_be_read_is_refused(end: dict[str, object]) -> None:
    acts(1)
    lines = [*exported()[:-1], json.dumps({"kind": "end", "entries": 1} | end)]

    with pytest.raises(NotAnExport, match="end line"):
        faults_of(lines)


def test_an_export_of_a_log_that_was_cut_off_is_not_whole(attack: Callable[[str], None]) -> None:
    acts(1)
    in_thread(act).result()
    LOG.seal()
    cut_off_the_last(attack)

    assert [fault.kind for fault in faults_of(exported())] == ["cut off"]
    assert [fault.kind for fault in faults_of(exported(), None, None)] == ["cut off"]
    attack("DELETE FROM audit_end")
    assert [fault.kind for fault in faults_of(exported())] == ["no end"]


def test_an_export_of_a_newer_version_is_refused() -> None:
    lines = exported()
    lines[0] = json.dumps(json.loads(lines[0]) | {"format": 3})

    with pytest.raises(NotAnExport, match="newer"):
        faults_of(lines)


def test_an_empty_log_is_whole() -> None:
    assert verify() == []
    assert faults_of(exported()) == []
    assert [json.loads(line)["kind"] for line in exported()] == ["audit", "end"]
