"""What Kegui writes is for nobody but its own user, also where the umask lets everybody look."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import db, migrations
from bot.operations.supervisor import running
from bot.queue import Lane, Queue
from tests import children
from tests.backup.test_backup import KEY, migrate_again, tool

SECRETS = ("KEGUI_DATA_KEY", "KEGUI_SECRET_KEY", "KEGUI_APP_SECRET", "KEGUI_DATABASE_URL")


@pytest.fixture
def open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def kegui(folder: Path, *arguments: str, **more: str) -> None:
    env = {
        "KEGUI_DATABASE_URL": f"sqlite:///{folder}/var/kegui/kegui.db",
        "KEGUI_DATA_KEY": KEY,
        **more,
    }
    done = children.kegui(*arguments, environment=env, umask=0)
    assert done.returncode == 0, done.stderr


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
    }


def assert_private(folder: Path, *expected: str) -> None:
    found = modes(folder)
    assert set(expected) <= set(found)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}


def test_what_commands_write_is_private_whatever_the_umask(tmp_path: Path) -> None:
    kegui(tmp_path, "migrate")
    kegui(tmp_path, "token", "create", "--name", "hr", "--scope", "read")
    kegui(tmp_path, "backup", str(tmp_path / "backups" / "monday"))
    kegui(tmp_path, "audit", "export", str(tmp_path / "audit.jsonl"))
    kegui(tmp_path, "audit", "keys", "--key-file", str(tmp_path / "audit.key"))
    (tmp_path / "var/kegui/kegui.db").chmod(0o644)
    kegui(tmp_path, "restore", str(tmp_path / "backups" / "monday"), "--replace")

    assert_private(
        tmp_path,
        "var",
        "var/kegui/kegui.db",
        "backups",
        "backups/monday/kegui.sqlite3",
        "backups/monday/manifest.json",
        "audit.jsonl",
        "audit.key",
    )


@pytest.mark.usefixtures("open_to_all")
def test_a_database_and_its_queue_are_private_while_they_are_used(tmp_path: Path) -> None:
    """In a server that somebody else started, without the commands."""
    url = f"sqlite:///{tmp_path}/var/kegui.db"
    made = db.connect(url)
    queue = Queue(url)
    with db.connection():
        migrations.up()
        queue.wake(Lane.WORK, "event:1")
        found = modes(tmp_path)
    made.close_all()
    queue.close()

    assert {f"var/kegui.db{ending}" for ending in ("", "-wal", "-shm", "-queue")} <= set(found)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}


def test_a_database_that_an_older_version_left_open_to_all_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "kegui.db"
    migrate_again(f"sqlite:///{path}")
    path.chmod(0o664)

    migrate_again(f"sqlite:///{path}")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("open_to_all")
def test_the_log_of_processes_of_one_terminal_is_private(tmp_path: Path) -> None:
    with running("--help", tmp_path / "kegui.log"):
        pass

    assert_private(tmp_path, "kegui.log")


@pytest.mark.postgres
def test_the_tools_of_postgresql_get_no_secret_of_keguis(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spied = tmp_path / "spied"
    for name in ("pg_dump", "pg_restore"):
        tool(tmp_path / "bin", name, f'env >> {spied}; exec {shutil.which(name)} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    given = dict.fromkeys(SECRETS, "x") | {
        "KEGUI_DATABASE_URL": postgres_url,
        "KEGUI_DATA_KEY": KEY,
        "AWS_SECRET_ACCESS_KEY": "of somebody else",
    }

    kegui(tmp_path, "backup", str(tmp_path / "to"), **given)
    kegui(tmp_path, "restore", str(tmp_path / "to"), "--replace", **given)

    names = {line.partition("=")[0] for line in spied.read_text().splitlines()}
    assert {"PATH", "LC_ALL", "PGDATABASE"} <= names
    assert {name for name in names if name.startswith(("KEGUI", "AWS"))} == set()
