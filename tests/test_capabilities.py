"""The registers: what a capability names there is what worker, clock, API and console do."""

from collections.abc import Iterable
from pathlib import Path

import bot
from bot.capabilities import CAPABILITIES, JOBS

ROOT = Path(bot.__file__).parent


def doubles(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def test_every_folder_with_a_register_is_on_the_list() -> None:
    folders = [path.parent.name for path in ROOT.glob("*/register.py")]

    assert sorted(one.name for one in CAPABILITIES) == sorted(folders)


def test_no_capability_takes_the_name_of_another() -> None:
    assert doubles(kind for one in CAPABILITIES for kind in one.messages) == []
    assert doubles(job.name for job in JOBS) == []
    assert doubles(right.name for one in CAPABILITIES for right in one.rights) == []
    assert doubles(topic for one in CAPABILITIES for topic in one.words) == []
    assert doubles(act for one in CAPABILITIES for act in one.acts) == []
    # What wakes a worker for an event is the inbox's own.
    assert all("event" not in one.messages for one in CAPABILITIES)


def test_worker_clock_api_and_console_import_no_capability() -> None:
    """The inbox is the worker's own, and identity keeps the doors."""
    names = {one.name for one in CAPABILITIES} - {"inbox", "audit", "identity", "operations"}
    for module in ("worker.py", "jobs/__init__.py", "api/__init__.py", "console/__init__.py"):
        text = (ROOT / module).read_text(encoding="utf-8")
        assert [name for name in names if f"bot.{name}" in text] == [], module
