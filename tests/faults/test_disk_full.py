"""The disk is full: the door says so, keeps nothing, and all goes on when there is room."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.sandbox.remote import RemoteError
from tests.stack import Stack, running_stack, until
from tests.stories.letters import add_event, sealed

# Room for the database and for the two logs that SQLite keeps of it and of its queue, of four
# megabytes each before they are emptied: a slow day must not fill it again.
SMALL_DISK = "size=24m"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 24 megabytes, where one may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="kegui_disk_"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", SMALL_DISK, "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("no small disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast


def events_of(stack: Stack, external_userid: str) -> int:
    return len(stack.api.every("/events", external_userid=external_userid))


def test_the_door_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{small_disk}/kegui.db"
    with running_stack(tmp_path, url, url, "web", "worker", "clock") as stack:
        assert stack.api
        until(lambda: stack.try_command("sync"))
        letters = {
            f"wm_full_{n}": sealed(stack, add_event(stack, "zhangsan", f"wm_full_{n}"))
            for n in range(40)
        }
        ballast = fill(small_disk)

        statuses = {one: letter.post() for one, letter in letters.items()}

        # The log may still have had a page of room for the first ones.
        refused = [one for one, status in statuses.items() if status != 200]
        assert refused
        assert {statuses[one] for one in refused} <= {500, 503}
        # Nobody may look without an entry in the audit log, for which there is no room either.
        with pytest.raises(RemoteError, match=r": 503 .*(磁盘已满|审计日志无法写入)"):
            stack.api.get("/events")
        os.unlink(ballast)
        kept = {one: events_of(stack, one) for one in letters}
        assert kept == {one: int(statuses[one] == 200) for one in letters}

        again = {one: letters[one].post() for one in refused}
        assert set(again.values()) == {200}
        assert {event["state"] for event in stack.settled()} == {"done"}
        assert all(events_of(stack, one) == 1 for one in letters)
        told = [row["external_userid"] for row in stack.executed("welcome_sent")]
        assert len(told) == len(set(told))
