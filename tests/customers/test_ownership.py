"""One customer, one owner: whoever writes at the same moment."""

import multiprocessing
from collections import Counter
from collections.abc import Callable

import pytest

from bot import clock, db
from bot.models import Ownership
from bot.reason import Reason

PROCESSES = 16
CUSTOMERS = 40


def claim_all(url: str, userid: str, start: "multiprocessing.synchronize.Barrier") -> list[str]:
    """Take every customer that can be had, as one process among many."""
    db.connect(url)
    with db.connection():
        start.wait()
        return [
            f"wm_{number}"
            for number in range(CUSTOMERS)
            if Ownership.claim(f"wm_{number}", userid, at=clock.now(), reason=Reason("race"))
        ]


def move_all(url: str, userid: str, start: "multiprocessing.synchronize.Barrier") -> list[str]:
    """Take every customer from ``zhangsan``, as one process among many."""
    db.connect(url)
    with db.connection():
        start.wait()
        return [
            f"wm_{number}"
            for number in range(CUSTOMERS)
            if Ownership.move(
                f"wm_{number}", userid, held_by="zhangsan", at=clock.now(), reason=Reason("race")
            )
        ]


@pytest.mark.parametrize("act", [claim_all, move_all])
def test_sixteen_processes_never_make_two_owners(
    database_url: str, act: Callable[..., list[str]]
) -> None:
    made = db.connect(database_url)
    if act is move_all:
        with db.connection():
            for number in range(CUSTOMERS):
                Ownership.claim(f"wm_{number}", "zhangsan", at=clock.now(), reason=Reason("before"))
    made.close_all()
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(PROCESSES) as pool:
        start = manager.Barrier(PROCESSES)
        arguments = [(database_url, f"member_{number}", start) for number in range(PROCESSES)]
        won = pool.starmap(act, arguments)

    winners = Counter(customer for customers in won for customer in customers)
    assert winners == {f"wm_{number}": 1 for number in range(CUSTOMERS)}
    made = db.connect(database_url)
    with db.connection():
        open_rows = Counter(
            row.external_userid for row in Ownership.select().where(Ownership.until.is_null())
        )
    made.close_all()
    assert open_rows == {f"wm_{number}": 1 for number in range(CUSTOMERS)}


def test_a_customer_can_only_be_moved_from_the_member_who_has_it(store: str) -> None:
    now = clock.now()
    assert Ownership.claim("wm_chen", "zhangsan", at=now, reason=Reason("added"))

    assert not Ownership.move("wm_chen", "wangwu", held_by="lihua", at=now, reason=Reason("wrong"))
    assert Ownership.move("wm_chen", "lihua", held_by="zhangsan", at=now, reason=Reason("moved"))

    history = [
        (row.userid, row.until is None, row.reason_code)
        for row in Ownership.select().order_by(Ownership.id)
    ]
    assert history == [("zhangsan", False, "added"), ("lihua", True, "moved")]
