"""The inbox: a row is put once, held by one worker at a time, and never lost."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from bot import events
from bot.inbox import inbox
from bot.inbox.inbox import WELCOME_LEASE, WORK_LEASE, Lost
from bot.models import InboxEvent
from bot.models.inbox_event import CLAIMED, DEAD, DONE, FAILED, IGNORED, WAITING
from bot.queue import Lane
from bot.reason import NO_REASON, Reason
from bot.vault import Vault

VAULT = Vault(base64.urlsafe_b64encode(bytes(32)).decode())
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LANES = pytest.mark.parametrize("lane", list(Lane))

pytestmark = pytest.mark.usefixtures("store")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def plaintext(userid: str = "zhangsan", code: str = "") -> bytes:
    welcome = f"<WelcomeCode>{code}</WelcomeCode>" if code else ""
    return (
        "<xml><Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>"
        f"<UserID>{userid}</UserID><ExternalUserID>wm_chen</ExternalUserID>{welcome}</xml>"
    ).encode()


def put(userid: str = "zhangsan", *, code: str = "", source: str = "customer") -> int | None:
    body = plaintext(userid, code)
    return inbox.put(source, events.parse(body), body, vault=VAULT, now=NOW)


def put_in(lane: Lane) -> int:
    event_id = put(code="CODE" if lane is Lane.WELCOME else "")
    assert event_id is not None
    return event_id


def claim(event_id: int, lane: Lane = Lane.WORK, at: float = 0) -> InboxEvent:
    row = inbox.claim(event_id, lane, now=after(at))
    assert row is not None
    return row


def read(event_id: int) -> InboxEvent:
    return InboxEvent.get_by_id(event_id)


def test_the_same_event_is_one_row_however_often_it_comes() -> None:
    first = put()

    assert first is not None
    assert [put() for _ in range(3)] == [None] * 3
    assert InboxEvent.select().count() == 1


def test_another_field_or_another_door_makes_another_row() -> None:
    assert None not in (put("zhangsan"), put("lihua"), put("zhangsan", source="contacts"))
    assert InboxEvent.select().count() == 3


def test_a_row_says_what_it_is_about() -> None:
    row = read(put_in(Lane.WORK))

    assert (row.event, row.change_type) == ("change_external_contact", "add_external_contact")
    assert (row.userid, row.external_userid, row.source) == ("zhangsan", "wm_chen", "customer")
    assert (row.state, row.attempts, row.received_at) == (WAITING, 0, NOW)


@LANES
def test_an_event_with_a_welcome_code_goes_to_the_welcome_lane(lane: Lane) -> None:
    event_id = put_in(lane)

    assert {one: inbox.due(one, now=after(2), limit=9) for one in Lane} == {
        one: [event_id] if one is lane else [] for one in Lane
    }


def test_a_new_row_is_looked_for_only_when_its_wake_up_was_lost() -> None:
    event_id = put_in(Lane.WORK)

    assert inbox.due(Lane.WORK, now=after(1.9), limit=9) == []
    assert inbox.claim(event_id, Lane.WORK, now=NOW) is not None


def test_a_payload_is_stored_sealed_and_opens_to_the_same_event() -> None:
    event_id = put("zhangsan", code="CODE-1")
    assert event_id is not None
    row = read(event_id)

    assert b"CODE-1" not in bytes(row.payload)
    assert b"zhangsan" not in bytes(row.payload)
    assert inbox.open_event(row, VAULT) == events.parse(plaintext("zhangsan", "CODE-1"))


def test_names_longer_than_their_columns_do_not_lose_the_event() -> None:
    body = b"<xml><Event>" + b"e" * 300 + b"</Event><UserID>" + b"u" * 300 + b"</UserID></xml>"

    event_id = inbox.put("customer", events.parse(body), body, vault=VAULT, now=NOW)

    assert event_id is not None
    assert inbox.open_event(read(event_id), VAULT).userid == "u" * 300


@LANES
def test_only_one_worker_claims_a_row(lane: Lane) -> None:
    event_id = put_in(lane)

    row = claim(event_id, lane)

    assert (row.state, row.attempts) == (CLAIMED, 1)
    assert inbox.claim(event_id, lane, now=NOW) is None
    assert inbox.due(lane, now=NOW, limit=9) == []


def test_a_lane_cannot_claim_the_other_lanes_row() -> None:
    assert inbox.claim(put_in(Lane.WELCOME), Lane.WORK, now=NOW) is None


@pytest.mark.parametrize(
    ("lane", "lease"), [(Lane.WELCOME, WELCOME_LEASE), (Lane.WORK, WORK_LEASE)]
)
def test_when_a_lease_runs_out_another_worker_gets_the_row(lane: Lane, lease: timedelta) -> None:
    event_id = put_in(lane)
    claim(event_id, lane)
    seconds = lease.total_seconds()

    assert inbox.due(lane, now=after(seconds - 1), limit=9) == []
    assert inbox.claim(event_id, lane, now=after(seconds - 1)) is None
    assert inbox.due(lane, now=after(seconds + 1), limit=9) == [event_id]
    assert claim(event_id, lane, at=seconds + 1).attempts == 2


def test_a_new_row_need_not_wait_until_a_clock_that_was_set_back_has_caught_up() -> None:
    event_id = put_in(Lane.WORK)

    assert inbox.due(Lane.WORK, now=after(-3600), limit=9) == [event_id]
    assert claim(event_id, at=-3600).attempts == 1


def test_a_dead_worker_does_not_hold_a_row_until_a_clock_that_was_set_back_has_caught_up() -> None:
    event_id = put_in(Lane.WORK)
    claim(event_id)

    assert inbox.due(Lane.WORK, now=after(-60), limit=9) == []
    assert inbox.due(Lane.WORK, now=after(-3600), limit=9) == [event_id]
    assert claim(event_id, at=-3600).attempts == 2


def test_the_worker_that_lost_its_claim_can_no_longer_settle_the_row() -> None:
    event_id = put_in(Lane.WORK)
    slow = claim(event_id)
    quick = claim(event_id, at=1000)

    for settle in (
        lambda: inbox.finish(slow, now=after(1001)),
        lambda: inbox.give_back(slow, due_at=after(2000), error=Reason("late")),
        lambda: inbox.bury(slow, now=after(1001), error=Reason("late")),
        lambda: inbox.pass_on(slow, now=after(1001)),
    ):
        with pytest.raises(Lost):
            settle()
        assert read(event_id) == quick
        assert read(event_id).state == CLAIMED

    inbox.finish(quick, now=after(1001))
    assert read(event_id).state == DONE


@pytest.mark.parametrize(("ignored", "state"), [(False, DONE), (True, IGNORED)])
def test_a_finished_row_is_never_due_again(ignored: bool, state: str) -> None:
    event_id = put_in(Lane.WORK)

    inbox.finish(claim(event_id), now=after(2), ignored=ignored)

    row = read(event_id)
    assert (row.state, row.finished_at, row.lease_until, row.error) == (
        state,
        after(2),
        None,
        NO_REASON,
    )
    assert inbox.due(Lane.WORK, now=after(10**6), limit=9) == []
    assert inbox.claim(event_id, Lane.WORK, now=after(10**6)) is None


@pytest.mark.parametrize(("failed", "state"), [(True, FAILED), (False, WAITING)])
def test_a_row_given_back_waits_for_its_time(failed: bool, state: str) -> None:
    event_id = put_in(Lane.WORK)

    inbox.give_back(claim(event_id), due_at=after(30), error=Reason("busy"), failed=failed)

    row = read(event_id)
    assert (row.state, row.error, row.due_at) == (state, Reason("busy"), after(30))
    assert inbox.due(Lane.WORK, now=after(29), limit=9) == []
    assert inbox.claim(event_id, Lane.WORK, now=after(29)) is None
    assert claim(event_id, at=30).attempts == 2


def test_a_buried_row_is_kept_with_its_error_and_never_due() -> None:
    event_id = put_in(Lane.WORK)

    inbox.bury(claim(event_id), now=after(1), error=Reason("40003"))

    row = read(event_id)
    assert (row.state, row.error, row.finished_at) == (DEAD, Reason("40003"), after(1))
    assert inbox.due(Lane.WORK, now=after(10**6), limit=9) == []


def test_after_the_welcome_the_work_lane_has_the_row() -> None:
    event_id = put_in(Lane.WELCOME)

    inbox.pass_on(claim(event_id, Lane.WELCOME), now=after(1))

    row = read(event_id)
    assert (row.state, row.lane, row.attempts) == (WAITING, Lane.WORK, 0)
    assert inbox.due(Lane.WELCOME, now=after(3), limit=9) == []
    assert inbox.due(Lane.WORK, now=after(3), limit=9) == [event_id]


@pytest.mark.parametrize("end", [DONE, IGNORED, DEAD])
def test_a_settled_row_can_be_replayed_in_the_work_lane(end: str) -> None:
    event_id = put_in(Lane.WELCOME)
    row = claim(event_id, Lane.WELCOME)
    if end == DEAD:
        inbox.bury(row, now=NOW, error=Reason("40003"))
    else:
        inbox.finish(row, now=NOW, ignored=end == IGNORED)

    replayed = inbox.replay(event_id, now=after(9))

    assert replayed is not None
    assert (replayed.state, replayed.lane, replayed.attempts) == (WAITING, Lane.WORK, 0)
    assert (replayed.error, replayed.finished_at) == (NO_REASON, None)
    assert inbox.due(Lane.WORK, now=after(99), limit=9) == [event_id]


def test_what_is_not_settled_is_not_replayed() -> None:
    event_id = put_in(Lane.WORK)
    assert inbox.replay(event_id, now=NOW) is None

    row = claim(event_id)
    assert inbox.replay(event_id, now=NOW) is None

    inbox.give_back(row, due_at=after(60), error=Reason("busy"))
    assert inbox.replay(event_id, now=NOW) is None
    assert inbox.replay(event_id + 1, now=NOW) is None


def test_who_waits_longest_comes_first_and_never_more_than_asked_for() -> None:
    ids = [put(f"member_{number}") for number in range(4)]
    for number, event_id in enumerate(ids):
        InboxEvent.update(due_at=after(-number)).where(InboxEvent.id == event_id).execute()

    assert inbox.due(Lane.WORK, now=after(2), limit=3) == ids[:0:-1]
