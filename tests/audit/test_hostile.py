"""Whatever row stands in the audit log, the clock seals the rest and the verifier names it."""

from collections.abc import Callable

import pytest
from peewee import JOIN

from bot import db
from bot.jobs.audit import seal
from bot.models import AuditEntry, AuditSeal
from tests.audit.test_commands import make_entries
from tests.audit.test_log import LOG, act, acts, attack, verify
from tests.test_cli import Kegui, environment, kegui, network

__all__ = ["attack", "environment", "kegui", "network"]

COLUMNS = "writer, number, at, actor, act, subject, purpose, origin, details, mac"
NEXT = "(SELECT max(id) + 1 FROM audit_entry)"
HIGHEST = 2**63 - 1
SEALS = {
    "at the end of all numbers": (f"{HIGHEST}, 999", {"stray"}),
    "before the first": ("-5, 999", {"stray"}),
    "where the next will stand": ("3, 999", {"missing", "behind"}),
    "where a later one will stand": ("4, 999", {"missing"}),
    "far on": ("1000, 999", {"missing", "behind"}),
    "for an entry that is not written yet": (f"5, {NEXT}", {"missing", "moved", "behind"}),
}


class Clock:
    """The kegui of the clock's job: only its log."""

    audit = LOG


def unsealed() -> int:
    return int(
        AuditEntry.select()
        .join(AuditSeal, JOIN.LEFT_OUTER, on=(AuditSeal.entry_id == AuditEntry.id))
        .where(AuditSeal.entry_id.is_null(), AuditEntry.writer != "a")
        .count()
    )


def strike() -> None:
    seal(Clock())  # type: ignore[arg-type]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("values", "kinds"), SEALS.values(), ids=SEALS.keys())
def test_a_strange_seal_stops_nobody_and_is_named(values: str, kinds: set[str]) -> None:
    """The application's role may add a seal."""
    acts(2)
    strike()
    assert verify() == []

    db.database.execute_sql(
        f"INSERT INTO audit_seal (position, entry_id, link) VALUES ({values}, 'x')"
    )
    acts(3)
    strike()
    acts(1)
    strike()

    assert unsealed() == 0
    found = verify()
    assert found
    assert {fault.kind for fault in found} <= kinds
    # What is written from now on is as good as before.
    acts(2)
    strike()
    assert len(verify()) == len(found)


@pytest.mark.usefixtures("store")
def test_more_strange_seals_than_entries_stop_nobody() -> None:
    acts(2)
    strike()
    rows = ", ".join(f"({position}, {1000 + position}, 'x')" for position in range(4, 64))
    db.database.execute_sql(f"INSERT INTO audit_seal (position, entry_id, link) VALUES {rows}")

    acts(3)
    for _ in range(3):
        strike()

    assert unsealed() == 0


def add_entry(writer: str, number: int, at: str, details: str) -> None:
    """What somebody without the key writes."""
    db.database.execute_sql(
        f"INSERT INTO audit_entry ({COLUMNS}) SELECT '{writer}', {number}, {at}, actor, act,"
        f" subject, purpose, origin, {details}, mac FROM audit_entry LIMIT 1"
    )
    db.database.execute_sql(
        f"INSERT INTO audit_writer (writer, number, mac) VALUES ('{writer}', {number}, '')"
    )


ENTRIES = {
    "details that are a list": ("at", "'[]'"),
    "details that are nothing": ("at", "'null'"),
    "details that are no texts": ("at", """'{"chain": 7}'"""),
    "details of texts in texts": ("at", """'{"chain": {"a": [1]}}'"""),
}
OF_SQLITE = {
    "details that are no JSON": ("at", "'nonsense'"),
    "details that are no text": ("at", "CAST(x'fffe' AS text)"),
    "details with half a character": ("at", """'{"a": "\\ud83d"}'"""),
    "details that never end": ("at", f"'{'[' * 100_000}'"),
    "a moment that is none": ("'yesterday'", "details"),
}
OF_POSTGRES = {
    "a moment without an end": ("'infinity'", "details"),
    "a moment before Christ": ("'0044-03-15 BC'", "details"),
}


@pytest.mark.parametrize(
    ("database_url", "at", "details"),
    [
        *(("sqlite", *entry) for entry in (ENTRIES | OF_SQLITE).values()),
        *(
            pytest.param("postgres", *entry, marks=pytest.mark.postgres)
            for entry in (ENTRIES | OF_POSTGRES).values()
        ),
    ],
    indirect=["database_url"],
)
@pytest.mark.usefixtures("store")
def test_an_entry_that_cannot_be_read_stops_nobody_and_is_named(at: str, details: str) -> None:
    acts(2)
    add_entry("a", 1, at, details)
    acts(2)

    strike()
    strike()

    assert unsealed() == 0
    kinds = {fault.kind for fault in verify()}
    assert "unreadable" in kinds
    assert kinds <= {"unreadable", "head"}


@pytest.mark.usefixtures("store")
def test_numbers_at_their_end_stop_nobody() -> None:
    acts(2)
    add_entry("a", HIGHEST, "at", "details")
    db.database.execute_sql(f"INSERT INTO audit_sealed (writer, number) VALUES ('b', {HIGHEST})")
    strike()
    acts(2)
    strike()

    assert unsealed() == 0
    assert {fault.kind for fault in verify()} == {"changed", "missing", "head"}


@pytest.mark.usefixtures("store")
def test_a_sealed_entry_that_was_made_unreadable_is_named_at_its_place(
    attack: Callable[[str], None],
) -> None:
    acts(3)
    strike()
    attack("UPDATE audit_entry SET details = '[]' WHERE number = 2")
    act()
    strike()

    first = verify()[0]
    assert (first.kind, first.position) == ("unreadable", 2)


def test_the_command_names_what_cannot_be_read_and_an_export_holds_it(
    kegui: Kegui, tmp_path: str
) -> None:
    make_entries(kegui)
    with db.connection():
        add_entry("a", 1, "at", "'[]'")
        LOG.seal()
        db.database.execute_sql(f"INSERT INTO audit_seal VALUES ({HIGHEST}, 999, 'x')")

    found = kegui("audit", "verify", "--all")
    assert found.exit_code == 1
    assert "entry 4 cannot be read: it is not what Kegui writes" in found.stdout
    assert f"the seal of entry 999 at {HIGHEST} was not made by the clock" in found.stdout
    kegui("audit", "export", f"{tmp_path}/audit.jsonl")
    offline = kegui("audit", "verify", "--all", "--export", f"{tmp_path}/audit.jsonl")
    assert "entry 4 cannot be read" in offline.stdout
    assert f"entry 999 at {HIGHEST} was not made by the clock" in offline.stdout
