"""An endpoint that always fails: operators hear of the job that never goes well, until it does."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.stack import MovedClock, Stack, running_stack, until
from tests.stories.test_monitoring import scrape

READING = "externalcontact/batch/get_by_user"
FIRST_IMPORT = "readings.first_import"


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    moved = MovedClock(tmp_path)
    for name, value in moved.environment.items():
        monkeypatch.setenv(name, value)
    return moved


@pytest.fixture
def stack(clock: MovedClock, tmp_path: Path) -> Iterator[Stack]:
    """A firm that has customers, and Kegui before its first start."""
    url = f"sqlite:///{tmp_path}/kegui.db"
    with running_stack(tmp_path, url, url, "web", OPERATORS="manager") as stack:
        stack.hire("import_1", department=70)
        stack.customers("import_1", ["wm_1", "wm_2"])
        yield stack


def late_jobs(stack: Stack) -> list[dict[str, Any]]:
    return [one for one in stack.api.every("/alarms", state="open") if one["kind"] == "job_late"]


def test_a_first_import_that_never_ends_is_an_alarm_until_it_has_ended(
    stack: Stack, clock: MovedClock
) -> None:
    stack.fault("batch/get_by_user", errcode=-1)
    stack.start("clock")
    until(lambda: stack.calls(READING), 30)
    assert late_jobs(stack) == []

    moments = count(61, 61)

    def a_minute_later() -> None:
        # Every job that is struck each minute is struck, and no more than that is missed.
        clock.set(next(moments))
        time.sleep(1)

    def is_told() -> list[dict[str, Any]]:
        a_minute_later()
        return late_jobs(stack)

    [alarm] = until(is_told, 60)
    assert FIRST_IMPORT in alarm["text"]
    assert "kegui status" in alarm["what_to_do"]
    assert not stack.try_command("status")
    assert scrape(stack.metrics_url)[f"kegui_job_late {FIRST_IMPORT}"] == 1
    assert scrape(stack.metrics_url)["kegui_alarms job_late"] == 1

    stack.sandbox.delete("/sandbox/faults")

    def is_over() -> bool:
        a_minute_later()
        return late_jobs(stack) == [] and stack.owner("wm_1") == "import_1"

    until(is_over, 60)
    assert scrape(stack.metrics_url)[f"kegui_job_late {FIRST_IMPORT}"] == 0
    told = [text for text in stack.told("manager") if FIRST_IMPORT in text]
    assert len(told) <= 1
