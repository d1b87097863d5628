"""What was open at the moment of a backup is doubted after the restore, and nothing done twice."""

from datetime import datetime, timedelta

import pytest

from bot import clock
from bot.backup import after_restore
from bot.handover.words import ALREADY_CONTACT
from bot.models import (
    Effect,
    Handover,
    HandoverItem,
    InboxEvent,
    Lease,
    Notice,
    Staff,
    SyncProgress,
    SyncRun,
    TransferAttempt,
)
from bot.queue import Lane

HOURS = timedelta(hours=1)


@pytest.fixture
def now(store: str) -> datetime:
    return clock.now()


def event(now: datetime, lane: Lane, state: str, key: str) -> InboxEvent:
    return InboxEvent.create(
        key=key,
        source="customer",
        event="change_external_contact",
        change_type="add_external_contact",
        userid="zhangsan",
        external_userid=f"wm_{key}",
        lane=lane,
        payload=b"",
        state=state,
        attempts=1,
        received_at=now - HOURS,
        due_at=now - HOURS,
        lease_until=now - HOURS if state == "claimed" else None,
    )


def effect(now: datetime, kind: str, state: str) -> Effect:
    return Effect.create(
        identity=f"{kind} {state}",
        kind=kind,
        state=state,
        started_at=now - HOURS,
        lease_until=now + HOURS,
    )


def case(now: datetime, userid: str, state: str) -> Handover:
    return Handover.create(
        kind="offboarding",
        userid=userid,
        mode="auto",
        state=state,
        source="test",
        created_at=now,
        updated_at=now,
    )


def item(of: Handover, now: datetime, subject: str, **more: object) -> HandoverItem:
    values = {"kind": "customer", "takeover_userid": "lisi"} | more
    return HandoverItem.create(handover=of, subject=subject, updated_at=now, **values)


def attempts(of: HandoverItem) -> list[tuple[str, str, str]]:
    return [(one.takeover_userid, one.endpoint, one.status) for one in of.tries()]


@pytest.mark.parametrize("state", ["waiting", "claimed", "failed"])
def test_an_open_welcome_becomes_a_gap_and_the_rest_of_its_story_goes_on(
    now: datetime, state: str
) -> None:
    row = event(now, Lane.WELCOME, state, "open")
    after_restore.mark(now - HOURS)

    [notice] = Notice.select()
    assert (notice.event_id, notice.external_userid, notice.state) == (row.id, "wm_open", "unknown")
    found = InboxEvent.get_by_id(row.id)
    assert (found.lane, found.state, found.lease_until) == (Lane.WORK, "waiting", None)


@pytest.mark.parametrize("missing", ["userid", "external_userid"])
def test_an_open_welcome_for_nobody_is_no_notice(now: datetime, missing: str) -> None:
    row = event(now, Lane.WELCOME, "waiting", "nobody")
    InboxEvent.update(**{missing: None}).where(InboxEvent.id == row.id).execute()

    after_restore.mark(now - HOURS)

    # The worker refuses it, and says why.
    assert Notice.select().count() == 0
    assert InboxEvent.get().lane == Lane.WORK


def test_what_is_settled_or_past_its_welcome_stays(now: datetime) -> None:
    event(now, Lane.WORK, "waiting", "work")
    event(now, Lane.WELCOME, "dead", "dead")
    effect(now, "welcome", "done")
    effect(now, "app_message", "refused")

    marked = after_restore.mark(now - HOURS)

    assert (marked.welcomes, marked.effects, Notice.select().count()) == (0, 0, 0)
    assert {row.state for row in InboxEvent.select()} == {"waiting", "dead"}
    assert {row.state for row in Effect.select()} == {"done", "refused"}


@pytest.mark.parametrize("state", ["started", "failed"])
@pytest.mark.parametrize(
    ("kind", "age", "left"),
    [
        ("welcome", timedelta(minutes=1), "unknown"),
        ("app_message", timedelta(minutes=1), "started"),
        ("app_message", timedelta(minutes=29), "unknown"),
    ],
)
def test_an_open_act_counts_as_begun_and_a_message_is_repeated_only_while_wecom_drops_it(
    now: datetime, state: str, kind: str, age: timedelta, left: str
) -> None:
    row = effect(now, kind, state)

    assert after_restore.mark(now - age).effects == 1

    found = Effect.get_by_id(row.id)
    assert found.state == left
    assert left == "unknown" or found.lease_until <= clock.now()


@pytest.mark.parametrize("state", ["planned", "awaiting_approval", "scheduled", "running"])
def test_a_planned_transfer_is_looked_up_before_it_is_sent(now: datetime, state: str) -> None:
    here, gone = case(now, "wangwu", state), case(now, "zhaoliu", state)
    Staff.create(userid="zhaoliu", left_at=now, seen_at=now)
    first, second = item(here, now, "wm_1"), item(gone, now, "wm_2")
    group = item(here, now, "wr_1", kind="group")

    marked = after_restore.mark(now - HOURS)

    assert marked.items == 3
    assert attempts(first) == [("lisi", "transfer_customer", "started")]
    assert attempts(second) == [("lisi", "resigned/transfer_customer", "started")]
    assert attempts(group) == [("lisi", "groupchat/onjob_transfer", "started")]
    assert {one.state for one in HandoverItem.select()} == {"submitted"}
    assert len(marked.open_cases) == 2
    assert after_restore.mark(now - HOURS).items == 0


def test_what_no_call_moves_or_is_over_is_not_doubted(now: datetime) -> None:
    running = case(now, "wangwu", "running")
    item(running, now, "wm_own", reason_code=ALREADY_CONTACT)
    item(running, now, "wm_nobody", takeover_userid=None)
    item(running, now, "wm_done", state="done")
    item(case(now, "zhaoliu", "cancelled"), now, "wm_over", state="cancelled")

    assert after_restore.mark(now - HOURS).items == 0
    assert TransferAttempt.select().count() == 0


def test_a_reading_under_way_begins_anew_and_no_lease_is_left(now: datetime) -> None:
    SyncRun.create(run="old", kind="import", started_at=now - HOURS, finished_at=now - HOURS)
    SyncRun.create(run="open", kind="repair", started_at=now - HOURS)
    SyncProgress.create(run="open", step="member", subject="zhangsan", finished_at=now)
    Lease.create(name="sync", holder="gone", until=now + HOURS)

    after_restore.mark(now - HOURS)

    assert [run.run for run in SyncRun.select()] == ["old"]
    assert SyncProgress.select().count() == Lease.select().count() == 0
