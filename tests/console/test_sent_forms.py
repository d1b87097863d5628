"""A form counts once, on both databases, however many presses come at the same moment."""

from datetime import timedelta
from threading import Barrier
from typing import Any, cast

import pytest

from bot import clock
from bot.console.sent_forms import is_first, new_key
from bot.jobs import api_access
from bot.models import IdempotencyKey
from tests.conftest import in_thread

pytestmark = pytest.mark.usefixtures("store")


def test_of_many_presses_at_once_one_counts() -> None:
    start, key = Barrier(8), new_key()

    def press() -> bool:
        start.wait(timeout=20)
        return is_first(key)

    answers = [one.result(timeout=60) for one in [in_thread(press) for _ in range(8)]]

    assert answers.count(True) == 1
    assert is_first(new_key())


@pytest.mark.parametrize("key", ["", "x" * 65])
def test_what_no_page_of_ours_gave_counts_never(key: str) -> None:
    assert not is_first(key)


def test_after_a_week_nobody_presses_again() -> None:
    is_first("old")
    IdempotencyKey.update(created_at=clock.now() - timedelta(days=8)).execute()
    is_first("young")

    api_access.forget_old_answers(cast(Any, None))

    assert [row.key for row in IdempotencyKey.select()] == ["young"]
