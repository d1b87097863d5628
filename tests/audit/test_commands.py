"""`kegui audit`: an auditor finds the first entry that was touched, also on another machine."""

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from peewee import PostgresqlDatabase

from bot import db
from bot.audit.log import AuditLog, AuditUnwritable
from bot.models import AuditEnd, AuditEntry
from bot.vault import Vault
from tests.test_cli import Kegui, environment, kegui, network, remembered

__all__ = ["environment", "kegui", "network"]


def make_entries(kegui: Kegui) -> None:
    for name in ("hr", "crm", "it"):
        assert kegui("token", "create", "--name", name, "--scope", "read").exit_code == 0


def touch() -> None:
    """Change an entry as somebody whom the database lets do everything."""
    with db.connection():
        if isinstance(db.database.obj, PostgresqlDatabase):
            disable = "ALTER TABLE audit_entry DISABLE TRIGGER USER"
            enable = "ALTER TABLE audit_entry ENABLE TRIGGER USER"
        else:
            disable, enable = "DROP TRIGGER audit_entry_no_update", "SELECT 1"
        db.database.execute_sql(disable)
        db.database.execute_sql("UPDATE audit_entry SET subject = 'token crN' WHERE id = 2")
        db.database.execute_sql(enable)


def the_entry() -> AuditEntry:
    with db.connection():
        [entry] = AuditEntry.select()
    return entry


def test_a_token_that_was_made_is_in_the_log(kegui: Kegui) -> None:
    make_entries(kegui)

    entries = remembered(lambda: list(AuditEntry.select().order_by(AuditEntry.id)))
    assert [entry.subject for entry in entries] == ["token hr", "token crm", "token it"]  # type: ignore[attr-defined]
    assert all(entry.actor.startswith("cli:") for entry in entries)  # type: ignore[attr-defined]


def test_the_system_says_who_sits_at_the_terminal_and_not_the_environment(kegui: Kegui) -> None:
    given = {"LOGNAME": "anna", "USER": "anna", "SUDO_USER": "bert"}
    kegui("token", "create", "--name", "hr", "--scope", "read", **given)

    entry = the_entry()
    assert entry.actor == f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    assert entry.origin.endswith("(sudo: bert)")


def test_whoever_takes_the_key_that_can_forge_entries_is_in_the_log(
    kegui: Kegui, tmp_path: Path
) -> None:
    kegui("audit", "keys")
    kegui("audit", "keys", "--key-file", str(tmp_path / "key"))

    entry = the_entry()
    assert (entry.act, entry.details) == ("audit.take_key", {"file": str(tmp_path / "key")})


def test_a_token_needs_the_key_of_the_log(kegui: Kegui) -> None:
    refused = kegui("token", "create", "--name", "x", "--scope", "read", KEGUI_DATA_KEY=None)

    assert refused.exit_code == 1
    assert "KEGUI_DATA_KEY" in refused.output


def test_a_whole_log_and_a_touched_one(kegui: Kegui) -> None:
    make_entries(kegui)
    whole = kegui("audit", "verify")
    assert (whole.exit_code, whole.stdout) == (
        0,
        "the audit log is whole: 0 entries sealed, 3 not yet\n",
    )

    touch()

    touched = kegui("audit", "verify")
    assert (touched.exit_code, touched.stdout) == (1, "entry 2 is not what was written\n")


def test_another_machine_needs_only_the_export_and_the_keys(kegui: Kegui, tmp_path: Path) -> None:
    make_entries(kegui)
    export, key = tmp_path / "audit.jsonl", tmp_path / "audit.key"
    assert kegui("audit", "export", str(export)).stdout == "4 entries\n"
    public = kegui("audit", "keys", "--key-file", str(key)).stdout.strip()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    away = {"KEGUI_DATABASE_URL": "postgresql://nowhere.invalid/x", "KEGUI_DATA_KEY": None}
    asked = ["audit", "verify", "--export", str(export)]

    alone = kegui(*asked, **away)
    assert alone.exit_code == 0
    assert "nobody can tell whether entries were forged" in alone.stdout
    proven = kegui(*asked, "--key-file", str(key), "--public-key", public, **away)
    # The export is itself in the log.
    assert proven.stdout == "the audit log is whole: 0 entries sealed, 4 not yet\n"

    export.write_text(export.read_text().replace("token crm", "token crN"))
    forged = kegui(*asked, "--key-file", str(key), "--public-key", public, **away)
    assert (forged.exit_code, forged.stdout) == (1, "entry 2 is not what was written\n")


def test_the_log_lines_of_anchors_kept_elsewhere_show_a_cut_end(
    kegui: Kegui, tmp_path: Path
) -> None:
    make_entries(kegui)
    kept, export = tmp_path / "kept.log", tmp_path / "audit.jsonl"
    line = '{"position": 3, "link": "1f", "event": "audit_anchor", "level": "info"}'
    kept.write_text(f'starting\n{{"event": "other"}}\nNov 30 00:05 kegui[1]: {line}\n')
    kegui("audit", "export", str(export))

    for where in ([], ["--export", str(export)]):
        cut = kegui("audit", "verify", *where, "--anchors", str(kept))
        assert cut.exit_code == 1
        assert cut.stdout == "anchor 3 (position 3) was signed, and the chain ends before it\n"


def test_a_file_without_an_anchor_is_refused(kegui: Kegui, tmp_path: Path) -> None:
    make_entries(kegui)
    (tmp_path / "kept.log").write_text("starting\n")

    refused = kegui("audit", "verify", "--anchors", str(tmp_path / "kept.log"))

    assert refused.exit_code == 1
    assert "no line of the event audit_anchor" in refused.stderr


@pytest.mark.parametrize("content", ["", "nonsense\n", '{"kind": "audit"}\n'])
def test_a_file_that_is_no_export_is_refused(kegui: Kegui, tmp_path: Path, content: str) -> None:
    export = tmp_path / "audit.jsonl"
    export.write_text(content)

    refused = kegui("audit", "verify", "--export", str(export))

    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "Traceback" not in refused.output


def test_wrong_keys_are_named(kegui: Kegui, tmp_path: Path) -> None:
    make_entries(kegui)
    export, key = tmp_path / "audit.jsonl", tmp_path / "audit.key"
    kegui("audit", "export", str(export))
    key.write_text("ab\n")
    asked = ["audit", "verify", "--export", str(export)]

    assert "kegui audit keys" in kegui(*asked, "--key-file", str(key)).stderr
    assert "kegui audit keys" in kegui(*asked, "--public-key", "ab").stderr
    assert kegui("audit", "export", str(export)).exit_code == 2


def test_an_export_that_cannot_be_written_leaves_no_file_behind(
    kegui: Kegui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = tmp_path / "audit.jsonl"

    def fail(error: Exception) -> Callable[..., NoReturn]:
        def raise_it(*_arguments: object, **_details: object) -> NoReturn:
            raise error

        return raise_it

    for name, error in (
        ("record", AuditUnwritable("OperationalError")),
        ("export", OSError(28, "No space left on device")),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(AuditLog, name, fail(error))
            refused = kegui("audit", "export", str(export))
        assert refused.exit_code == 1
        assert list(tmp_path.glob("audit*")) == []

    assert "No space left" in refused.stderr
    assert kegui("audit", "export", str(export)).exit_code == 0


def test_what_stands_in_the_way_of_an_export_stays(kegui: Kegui, tmp_path: Path) -> None:
    export = tmp_path / "audit.jsonl"
    export.write_text("of before")

    refused = kegui("audit", "export", str(export))

    assert (refused.exit_code, export.read_text()) == (2, "of before")
    assert kegui("audit", "export", str(tmp_path / "none" / "audit.jsonl")).exit_code == 2
    assert remembered(lambda: AuditEntry.select().count()) == 0


def seal(environment: dict[str, str | None]) -> None:
    remembered(AuditLog(Vault(str(environment["KEGUI_DATA_KEY"]))).seal)


def test_an_end_that_was_lost_is_a_fault_until_somebody_keeps_it_anew(
    kegui: Kegui, environment: dict[str, str | None]
) -> None:
    make_entries(kegui)
    seal(environment)
    assert kegui("audit", "verify").exit_code == 0
    remembered(lambda: AuditEnd.delete().execute())
    seal(environment)

    lost = kegui("audit", "verify")
    assert lost.exit_code == 1
    assert lost.stdout.startswith("the kept end of the chain (position 3) is missing: somebody")

    assert kegui("audit", "keep-end").exit_code == 0
    whole = kegui("audit", "verify")
    assert whole.stdout == "the audit log is whole: 4 entries sealed, 0 not yet\n"


def test_the_end_of_an_export_is_proven_by_the_key(kegui: Kegui, tmp_path: Path) -> None:
    make_entries(kegui)
    export, key = tmp_path / "audit.jsonl", tmp_path / "audit.key"
    kegui("audit", "export", str(export))
    kegui("audit", "keys", "--key-file", str(key))
    asked = ["audit", "verify", "--export", str(export), "--key-file", str(key)]
    header, *entries, head, end = export.read_text().splitlines()

    export.write_text("\n".join([header, end]))
    cut = kegui(*asked)
    assert (cut.exit_code, cut.stdout) == (
        1,
        "the export has 0 entries and its end line says another number:"
        " entries were removed or added\n",
    )
    export.write_text("\n".join([header, *entries, head]))
    endless = kegui(*asked)
    assert endless.exit_code == 1
    assert "before its end line" in endless.stderr
    export.write_text("\n".join([header, *entries, head, end.replace('"mac": "', '"mac": "0')]))
    forged = kegui(*asked)
    assert forged.exit_code == 1
    assert forged.stdout.startswith("the export has no end line that this installation wrote")


def test_the_key_file_of_before_is_not_written_over(kegui: Kegui, tmp_path: Path) -> None:
    key = tmp_path / "audit.key"
    key.write_text("of before")

    refused = kegui("audit", "keys", "--key-file", str(key))

    assert refused.exit_code != 0
    assert key.read_text() == "of before"
    assert remembered(lambda: AuditEntry.select().count()) == 0
    assert "Traceback" not in refused.output
