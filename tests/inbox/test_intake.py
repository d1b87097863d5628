"""What arrives at the same moment is committed together, and each answer is its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from peewee import DataError

from bot import db, events
from bot.inbox import inbox
from bot.inbox.inbox import NewRow
from bot.inbox.intake import Intake
from bot.models import InboxEvent
from bot.queue import Lane, Message
from bot.vault import Vault

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
# What the two databases say of a moment that is none.
NOT_A_MOMENT = (AttributeError, DataError)
VAULT = Vault("A" * 43 + "=")

pytestmark = pytest.mark.usefixtures("store")


def row(number: int, **changes: Any) -> NewRow:
    body = (
        "<xml><Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>"
        f"<UserID>zhangsan</UserID><ExternalUserID>wm_{number}</ExternalUserID></xml>"
    ).encode()
    new = inbox.new_row("customer", events.parse(body), body, vault=VAULT, now=NOW)
    return replace(new, columns={**new.columns, **changes})


def tell_nobody(_messages: Sequence[Message]) -> None:
    """The worker finds the rows by itself."""


def put_from_many_threads(
    rows: list[NewRow], wake: Callable[[Sequence[Message]], None] = tell_nobody
) -> list[int | None]:
    intake = Intake(wake)
    with db.released(), ThreadPoolExecutor(16) as pool:
        return list(pool.map(intake.put, rows))


def test_every_thread_gets_the_id_of_its_own_row() -> None:
    rows = [row(number) for number in range(200)]

    ids = put_from_many_threads(rows)

    stored = {one.key: one.id for one in InboxEvent.select(InboxEvent.key, InboxEvent.id)}
    assert ids == [stored[one.columns["key"]] for one in rows]


def test_a_worker_is_woken_for_each_new_row_in_its_own_lane() -> None:
    woken: list[Message] = []

    ids = put_from_many_threads(
        [row(1), row(1), row(2), row(3, lane=Lane.WELCOME)], lambda some: woken.extend(some)
    )

    new = [one for one in ids if one is not None]
    assert sorted(woken) == sorted(
        (Lane.WELCOME if one == ids[3] else Lane.WORK, f"event:{one}") for one in new
    )
    assert len(new) == 3


def test_the_same_event_in_one_commit_and_in_the_next_is_new_once() -> None:
    ids = put_from_many_threads([row(1)] * 32)

    assert len([one for one in ids if one is not None]) == 1
    assert InboxEvent.select().count() == 1
    assert put_from_many_threads([row(1)]) == [None]


def test_a_row_that_the_database_refuses_keeps_no_other_out() -> None:
    intake = Intake(tell_nobody)

    def put(one: NewRow) -> int | None:
        try:
            return intake.put(one)
        except NOT_A_MOMENT:
            return -1

    broken = [row(number, received_at="noon") for number in range(100, 103)]
    with db.released(), ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(put, [*broken, *[row(number) for number in range(20)]]))

    assert ids[:3] == [-1, -1, -1]
    assert -1 not in ids[3:]
    assert InboxEvent.select().count() == 20


def test_a_bug_reaches_whoever_waits_and_the_next_one_is_served() -> None:
    intake = Intake(tell_nobody)
    with db.released():
        with pytest.raises(NOT_A_MOMENT):
            intake.put(row(2, due_at="noon"))
        assert intake.put(row(1)) is not None


def test_those_in_the_house_together_are_committed_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.inbox.intake.LINGER_SECONDS", 60)
    commits = Mock(wraps=inbox.put_all)
    monkeypatch.setattr("bot.inbox.inbox.put_all", commits)
    intake = Intake(tell_nobody)
    for _ in range(3):
        intake.enter()

    with db.released(), ThreadPoolExecutor(3) as pool:
        ids = list(pool.map(intake.put, [row(number) for number in range(3)]))

    assert None not in ids
    assert commits.call_count == 1


def test_nobody_waits_for_a_request_that_left_without_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.inbox.intake.LINGER_SECONDS", 60)
    intake = Intake(tell_nobody)
    intake.enter()
    intake.enter()

    with db.released(), ThreadPoolExecutor(1) as pool:
        stored = pool.submit(intake.put, row(1))
        intake.leave()
        assert stored.result(5) is not None
