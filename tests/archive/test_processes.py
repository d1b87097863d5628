"""The archive as real processes: killed, told to pull, given another master key."""

import base64
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from bot.archive.sdk_child import FUNCTIONS
from tests.archive.corporation import SOURCE, Corporation, many, message
from tests.drills import archive as drill
from tests.stack import until


def test_every_message_is_there_once_however_often_the_process_is_killed(
    sqlite_url: str, tmp_path: Path
) -> None:
    faults = drill.play(
        tmp_path, sqlite_url, 400, 3, ("DecryptData 150 crash",), alive_seconds=(0.9, 1.9)
    )

    assert faults == []


class Installation:
    """One with an archive, and its commands."""

    def __init__(self, corporation: Corporation, url: str, library: Path, folder: Path) -> None:
        place = drill.make_archive_place(folder, url, corporation, library)
        self.environment = {**os.environ, **place.environment}

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if code else "")


@pytest.fixture
def installed(
    corporation: Corporation, sqlite_url: str, library: Path, tmp_path: Path
) -> Installation:
    made = Installation(corporation, sqlite_url, library, tmp_path)
    made.run("migrate")
    return made


def test_the_commands_pull_verify_and_change_the_master_key(
    installed: Installation, corporation: Corporation
) -> None:
    corporation.send(*many(3))
    corporation.send(message(4), version=2)
    assert installed.run("archive", "pull", "--once") == "4 messages\n"
    status = json.loads(installed.run("archive", "status", "--json"))
    assert (status["last_seq"], status["messages"]) == ("4", 4)
    assert status["undecryptable"] == [{"publickey_ver": 2, "count": 1}]

    old = installed.environment["KEGUI_DATA_KEY"]
    new = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    installed.environment |= {"KEGUI_DATA_KEY": new, "KEGUI_DATA_KEY_PREVIOUS": old}
    installed.run("archive", "rekey")
    del installed.environment["KEGUI_DATA_KEY_PREVIOUS"]

    assert installed.run("archive", "verify") == "the archive is whole: 4 messages, 0 files\n"


def test_without_an_archive_the_process_is_idle_and_a_pull_says_so(
    installed: Installation, tmp_path: Path
) -> None:
    for name in ("ARCHIVE_SDK", "ARCHIVE_SECRET", "ARCHIVE_PRIVATE_KEYS"):
        del installed.environment[f"KEGUI_{name}"]

    process = drill.start(installed.environment, tmp_path)
    log = tmp_path / "archive.log"
    until(lambda: log.exists() and "archive_idle" in log.read_text())
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0
    assert "KEGUI_ARCHIVE_SDK" in installed.run("archive", "pull", "--once", code=1)


def test_the_stand_in_has_the_functions_of_the_library() -> None:
    text = SOURCE.read_text(encoding="utf-8")

    assert len(FUNCTIONS) == 17
    assert all(f"{name}(" in text for name in FUNCTIONS)
