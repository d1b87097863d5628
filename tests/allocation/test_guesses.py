"""Guesses at once, on both databases: each is counted before it is compared."""

from collections import Counter
from threading import Barrier

import pytest

from bot.identity import logins
from bot.identity.logins import TooManyTries
from bot.identity.slowdown import FREE
from bot.models import LoginFailure
from tests.conftest import in_thread

KEYS = ("local ops", "address 192.0.2.1")


@pytest.mark.usefixtures("store")
def test_of_many_guesses_at_once_a_few_are_free() -> None:
    start = Barrier(12)

    def guess() -> str:
        start.wait(timeout=20)
        try:
            logins.begin_try(*KEYS)
        except TooManyTries:
            return "wait"
        return "go on"

    answers = Counter(one.result(timeout=60) for one in [in_thread(guess) for _ in range(12)])

    assert answers == {"go on": FREE + 1, "wait": 12 - FREE - 1}
    counted = {row.key: row.failures for row in LoginFailure.select()}
    assert counted == dict.fromkeys(KEYS, FREE + 1)
    logins.forget_failures(*KEYS)
    logins.begin_try(*KEYS)
