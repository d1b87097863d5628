"""The worker: how every ending of a handler is recorded, and that nothing is left lying."""

import base64
import threading
import time as real_time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import structlog
from peewee import OperationalError
from structlog.testing import LogCapture

from bot import clock, db, events, worker
from bot.audit.log import AuditUnwritable
from bot.capabilities import CAPABILITIES
from bot.capability import Capability
from bot.effects import Busy
from bot.inbox import inbox
from bot.inbox.inbox import WELCOME_LEASE, WORK_LEASE, Later
from bot.kegui import Kegui
from bot.models import Alarm, InboxEvent, Staff
from bot.models.inbox_event import CLAIMED, DEAD, DONE, FAILED, IGNORED, WAITING
from bot.queue import Lane, Queue
from bot.reason import NO_REASON, Reason
from bot.router import Received, Router
from bot.vault import Vault
from bot.wecom import (
    MessageResult,
    OperatorNeeded,
    Pause,
    Paused,
    Refused,
    Throttled,
    Transient,
)
from bot.wecom.stores import DatabasePauseStore
from bot.worker import Worker
from config import settings
from tests.wecom.one_for_all import OneForAll

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DELAYS = (1, 5, 30)
GIVE_UP_HOURS = 2
ENDPOINT = "externalcontact/remark"
ADDED = ("change_external_contact", "add_external_contact")
NETWORK = Transient(ENDPOINT, None, "network: ReadTimeout")


@dataclass
class Time:
    """What time it is, in the test's hands."""

    now: datetime = NOW

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeWeCom(OneForAll):
    """Remembers whom it told what."""

    told: list[tuple[str, ...]] = field(default_factory=list)

    def messages_send_text(self, userids: list[str], _text: str) -> MessageResult:
        self.told.append(tuple(userids))
        return MessageResult("msgid", ())


@dataclass
class Handler:
    """Ends as told, one ending after the other, then well; remembers what it got."""

    endings: list[Exception] = field(default_factory=list)
    got: list[Received] = field(default_factory=list)

    def __call__(self, received: Received, _kegui: Kegui) -> None:
        self.got.append(received)
        if self.endings:
            raise self.endings.pop(0)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clock, "now", lambda: time.now)
    return time


@pytest.fixture
def wecom() -> FakeWeCom:
    return FakeWeCom()


@pytest.fixture
def kegui(store: str, queue_url: str, wecom: FakeWeCom) -> Iterator[Kegui]:
    queue = Queue(queue_url)
    yield Kegui(
        settings.load(
            {
                "KEGUI_INBOX_RETRY_SECONDS": ",".join(map(str, DELAYS)),
                "KEGUI_INBOX_GIVE_UP_HOURS": str(GIVE_UP_HOURS),
                "KEGUI_OPERATORS": "boss,admin",
                "KEGUI_WELCOME_PARALLEL": "2",
            }
        ),
        cast(Any, wecom),
        queue,
        Vault(base64.urlsafe_b64encode(bytes(32)).decode()),
    )
    queue.close()


def serving(kegui: Kegui, work: Handler, welcome: Handler | None = None) -> Worker:
    router = Router()
    router.on(*ADDED)(work)
    if welcome is not None:
        router.on(*ADDED, lane=Lane.WELCOME)(welcome)
    return Worker(kegui, router, CAPABILITIES)


def put(kegui: Kegui, *, userid: str = "zhangsan", code: str = "", change_type: str = "") -> int:
    welcome = f"<WelcomeCode>{code}</WelcomeCode>" if code else ""
    body = (
        f"<xml><Event>{ADDED[0]}</Event><ChangeType>{change_type or ADDED[1]}</ChangeType>"
        f"<UserID>{userid}</UserID>{welcome}</xml>"
    ).encode()
    event_id = inbox.put("customer", events.parse(body), body, vault=kegui.vault, now=clock.now())
    assert event_id is not None
    return event_id


def read(event_id: int) -> InboxEvent:
    return InboxEvent.get_by_id(event_id)


def delay(event_id: int) -> float:
    """Seconds from now until the row is due."""
    return (read(event_id).due_at - clock.now()).total_seconds()


def test_a_handler_gets_the_event_and_the_row_is_done(kegui: Kegui, time: Time) -> None:
    handler = Handler()
    event_id = put(kegui)

    serving(kegui, handler).answer(event_id, Lane.WORK)

    [received] = handler.got
    assert (received.id, received.source, received.received_at) == (event_id, "customer", NOW)
    assert received.event.userid == "zhangsan"
    assert (read(event_id).state, read(event_id).finished_at) == (DONE, NOW)


@pytest.mark.parametrize(
    ("told", "userid", "sender"),
    [
        ("<UserID>ZHANGSAN</UserID><FromUserName>sys</FromUserName>", "ZhangSan", "sys"),
        ("<UserID>nobody</UserID>", "nobody", ""),
        ("<FromUserName>zhangsan</FromUserName>", "", "ZhangSan"),
    ],
)
def test_a_handler_gets_members_as_they_are_written_here(
    kegui: Kegui, time: Time, told: str, userid: str, sender: str
) -> None:
    """WeCom does not tell upper from lower case: one member has one name here."""
    for known in ("ZhangSan", "SYS"):
        Staff.create(userid=known, seen_at=NOW)
    names = f"<Event>{ADDED[0]}</Event><ChangeType>{ADDED[1]}</ChangeType>"
    body = f"<xml>{names}{told}</xml>".encode()
    event_id = inbox.put("customer", events.parse(body), body, vault=kegui.vault, now=NOW)
    assert event_id is not None
    handler = Handler()

    serving(kegui, handler).answer(event_id, Lane.WORK)

    [received] = handler.got
    assert (received.event.userid, received.event.from_user) == (userid, sender)
    assert (read(event_id).userid or "") == userid


def test_a_settled_or_claimed_row_is_left_alone(kegui: Kegui, time: Time) -> None:
    handler = Handler()
    done, claimed = put(kegui, userid="one"), put(kegui, userid="other")
    serving(kegui, handler).answer(done, Lane.WORK)
    inbox.claim(claimed, Lane.WORK, now=clock.now())

    for event_id in (done, claimed, 10**6):
        serving(kegui, handler).answer(event_id, Lane.WORK)

    assert len(handler.got) == 1


def test_an_event_that_nobody_handles_is_kept_as_ignored(kegui: Kegui, time: Time) -> None:
    event_id = put(kegui, change_type="something_new")

    serving(kegui, Handler()).answer(event_id, Lane.WORK)

    assert read(event_id).state == IGNORED
    assert inbox.replay(event_id, now=clock.now()) is not None


def test_later_waits_and_nothing_is_wrong(kegui: Kegui, time: Time) -> None:
    handler = Handler([Later(NOW + timedelta(minutes=7), Reason("the transfer is not over"))])
    event_id = put(kegui)
    worker = serving(kegui, handler)

    worker.answer(event_id, Lane.WORK)

    assert read(event_id).state == WAITING
    assert delay(event_id) == 7 * 60
    time.pass_(7 * 60)
    worker.answer(event_id, Lane.WORK)
    assert read(event_id).state == DONE


def test_a_handler_is_told_that_an_event_was_tried_before(kegui: Kegui, time: Time) -> None:
    handler = Handler([Busy("welcome")])
    event_id = put(kegui)
    worker = serving(kegui, handler)

    worker.answer(event_id, Lane.WORK)
    time.pass_(1)
    worker.answer(event_id, Lane.WORK)

    assert [received.again for received in handler.got] == [False, True]


def test_busy_comes_again_in_a_second_and_nothing_is_wrong(kegui: Kegui, time: Time) -> None:
    event_id = put(kegui)

    serving(kegui, Handler([Busy("welcome")])).answer(event_id, Lane.WORK)

    assert (read(event_id).state, delay(event_id)) == (WAITING, 1)


def test_a_refusal_that_nobody_expected_is_dead_and_can_be_replayed(
    kegui: Kegui, time: Time
) -> None:
    handler = Handler([Refused(ENDPOINT, 40003, "invalid userid")])
    event_id = put(kegui)
    worker = serving(kegui, handler)

    worker.answer(event_id, Lane.WORK)
    assert (read(event_id).state, read(event_id).attempts) == (DEAD, 1)
    assert read(event_id).error.facts["errcode"] == 40003

    assert inbox.replay(event_id, now=clock.now()) is not None
    worker.answer(event_id, Lane.WORK)
    assert (read(event_id).state, read(event_id).error) == (DONE, NO_REASON)


@pytest.mark.parametrize(
    "error",
    [
        NETWORK,
        OperationalError("the database is away"),
        AuditUnwritable("no rights"),
        OperatorNeeded(ENDPOINT, 48002),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_is_retried_with_the_configured_delays_until_the_hours_are_over(
    kegui: Kegui, time: Time, error: Exception
) -> None:
    handler = Handler([error] * 99)
    event_id = put(kegui)
    worker = serving(kegui, handler)
    delays = []

    for _ in range(6):
        worker.answer(event_id, Lane.WORK)
        assert read(event_id).state == FAILED
        delays.append(delay(event_id))
        time.pass_(delays[-1])
    assert delays == [1, 5, 30, 30, 30, 30]

    time.pass_(GIVE_UP_HOURS * 3600)
    worker.answer(event_id, Lane.WORK)
    assert (read(event_id).state, len(handler.got)) == (DEAD, 7)


def test_a_row_waits_as_long_as_wecom_wants(kegui: Kegui, time: Time) -> None:
    handler = Handler(
        [
            Paused(ENDPOINT, NOW + timedelta(minutes=50), "45009"),
            Throttled(ENDPOINT, 45009, wait_seconds=61),
        ]
    )
    event_id = put(kegui)
    DatabasePauseStore().set(Pause("app", ENDPOINT, NOW + timedelta(hours=1), "45009", 45009))

    serving(kegui, handler).answer(event_id, Lane.WORK)
    assert (read(event_id).state, delay(event_id)) == (FAILED, 50 * 60)

    time.pass_(50 * 60)
    serving(kegui, handler).answer(event_id, Lane.WORK)
    assert (read(event_id).state, delay(event_id)) == (FAILED, 61)


@pytest.mark.parametrize("lifted", [True, False])
def test_a_row_does_not_wait_for_a_pause_that_ended_meanwhile(
    kegui: Kegui, time: Time, lifted: bool
) -> None:
    if lifted:
        DatabasePauseStore().set(Pause("app", ENDPOINT, NOW, "45009", 45009))
    handler = Handler([Paused(ENDPOINT, NOW + timedelta(minutes=50), "45009")])
    event_id = put(kegui)

    serving(kegui, handler).answer(event_id, Lane.WORK)

    assert delay(event_id) <= 1


def test_a_bug_is_tried_a_few_times_and_then_dead(kegui: Kegui, time: Time) -> None:
    handler = Handler([KeyError("13800000000")] * 99)
    event_id = put(kegui)
    worker = serving(kegui, handler)

    for _ in DELAYS:
        worker.answer(event_id, Lane.WORK)
        assert read(event_id).state == FAILED
        time.pass_(delay(event_id))
    worker.answer(event_id, Lane.WORK)

    assert (read(event_id).state, len(handler.got)) == (DEAD, len(DELAYS) + 1)
    assert read(event_id).error == Reason("bug", {"kind": "KeyError"})


def test_a_bug_that_was_of_the_moment_does_no_harm(kegui: Kegui, time: Time) -> None:
    event_id = put(kegui)
    worker = serving(kegui, Handler([ZeroDivisionError()]))

    worker.answer(event_id, Lane.WORK)
    time.pass_(delay(event_id))
    worker.answer(event_id, Lane.WORK)

    assert read(event_id).state == DONE


def test_a_row_that_cannot_be_opened_ends_where_people_see_it(kegui: Kegui, time: Time) -> None:
    handler = Handler()
    event_id = put(kegui)
    other_key = replace(kegui, vault=Vault(base64.urlsafe_b64encode(b"k" * 32).decode()))
    worker = serving(other_key, handler)

    for _ in range(len(DELAYS) + 1):
        worker.answer(event_id, Lane.WORK)
        time.pass_(max(0, delay(event_id)))

    assert (read(event_id).state, read(event_id).error) == (
        DEAD,
        Reason("bug", {"kind": "VaultError"}),
    )
    assert not handler.got


def test_the_hours_count_anew_from_a_replay(kegui: Kegui, time: Time) -> None:
    event_id = put(kegui)
    worker = serving(kegui, Handler([Refused(ENDPOINT, 40003), NETWORK, NETWORK]))
    worker.answer(event_id, Lane.WORK)
    time.pass_(GIVE_UP_HOURS * 3600 + 1)

    inbox.replay(event_id, now=clock.now())
    worker.answer(event_id, Lane.WORK)
    assert read(event_id).state == FAILED

    time.pass_(GIVE_UP_HOURS * 3600 + 1)
    worker.answer(event_id, Lane.WORK)
    assert read(event_id).state == DEAD


def test_after_the_welcome_the_work_lane_is_woken_and_goes_on(kegui: Kegui, time: Time) -> None:
    welcome, work = Handler(), Handler()
    event_id = put(kegui, code="CODE")
    worker = serving(kegui, work, welcome)

    worker.answer(event_id, Lane.WELCOME)
    assert (len(welcome.got), len(work.got)) == (1, 0)
    assert kegui.queue.take(Lane.WORK) == [f"event:{event_id}"]

    worker.work_on(Lane.WORK, f"event:{event_id}")
    assert (len(welcome.got), len(work.got)) == (1, 1)
    assert read(event_id).state == DONE


def test_an_event_without_a_welcome_handler_still_reaches_the_work_lane(
    kegui: Kegui, time: Time
) -> None:
    work = Handler()
    event_id = put(kegui, code="CODE")
    worker = serving(kegui, work)

    worker.answer(event_id, Lane.WELCOME)
    worker.answer(event_id, Lane.WORK)

    assert (len(work.got), read(event_id).state) == (1, DONE)


def test_a_welcome_that_meets_trouble_is_tried_again_before_the_work_begins(
    kegui: Kegui, time: Time
) -> None:
    welcome, work = Handler([NETWORK]), Handler()
    event_id = put(kegui, code="CODE")
    worker = serving(kegui, work, welcome)

    worker.answer(event_id, Lane.WELCOME)
    assert (read(event_id).state, read(event_id).lane) == (FAILED, Lane.WELCOME)
    worker.answer(event_id, Lane.WORK)
    assert not work.got

    time.pass_(DELAYS[0])
    worker.answer(event_id, Lane.WELCOME)
    assert (read(event_id).state, read(event_id).lane) == (WAITING, Lane.WORK)


@pytest.mark.parametrize(
    "trouble",
    [
        Throttled(ENDPOINT, 45036, wait_seconds=60),
        Paused(ENDPOINT, NOW + timedelta(seconds=120), "network errors"),
        OperatorNeeded(ENDPOINT, 48002),
        NETWORK,
        OperationalError("gone"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_a_row_in_the_welcome_lane_comes_back_within_its_codes_seconds(
    kegui: Kegui, time: Time, trouble: Exception
) -> None:
    DatabasePauseStore().set(Pause("app", ENDPOINT, NOW + timedelta(seconds=120), "r", None))
    event_id = put(kegui, code="CODE")
    worker = serving(kegui, Handler(), Handler([trouble] * 4))

    for _ in range(4):
        worker.answer(event_id, Lane.WELCOME)

        assert 0 < delay(event_id) <= 3
        time.pass_(3)


@pytest.mark.parametrize(
    ("lane", "lease"), [(Lane.WELCOME, WELCOME_LEASE), (Lane.WORK, WORK_LEASE)]
)
def test_the_row_of_a_worker_that_hangs_goes_to_another_and_is_settled_once(
    kegui: Kegui, time: Time, lane: Lane, lease: timedelta
) -> None:
    event_id = put(kegui, code="CODE" if lane is Lane.WELCOME else "")
    other = Handler()

    def hang(_received: Received, _kegui: Kegui) -> None:
        time.pass_(lease.total_seconds() + 1)
        serving(kegui, other, other).answer(event_id, lane)
        raise NETWORK

    router = Router()
    router.on(*ADDED, lane=lane)(hang)
    Worker(kegui, router, CAPABILITIES).answer(event_id, lane)

    assert len(other.got) == 1
    row = read(event_id)
    assert (row.state, row.error) == (
        DONE if lane is Lane.WORK else WAITING,
        NO_REASON,
    )


def test_what_only_an_operator_can_mend_raises_one_alarm_and_tells_each_operator_once(
    kegui: Kegui, time: Time, wecom: FakeWeCom
) -> None:
    trouble = OperatorNeeded(ENDPOINT, 48002, "forbidden", what_to_do=Reason("do_check_permission"))
    worker = serving(kegui, Handler([trouble] * 9))
    for userid in ("one", "two", "three"):
        worker.answer(put(kegui, userid=userid), Lane.WORK)

    [alarm] = Alarm.select()
    assert (alarm.advice, alarm.ended_at) == (Reason("do_check_permission"), None)
    assert alarm.reason.facts == {"endpoint": ENDPOINT, "errcode": 48002}
    assert wecom.told == [("boss",), ("admin",)]


def test_passing_trouble_raises_no_alarm(kegui: Kegui, time: Time) -> None:
    worker = serving(kegui, Handler([NETWORK, Throttled(ENDPOINT, 45009)]))
    for userid in ("one", "two"):
        worker.answer(put(kegui, userid=userid), Lane.WORK)

    assert Alarm.select().count() == 0


def test_a_handover_that_meets_trouble_waits_for_the_clock(kegui: Kegui) -> None:
    troubles = [NETWORK, Paused(ENDPOINT, NOW, "45009"), Busy("transfer")]
    asked: list[int] = []

    def advance(number: int, _kegui: Kegui) -> None:
        asked.append(number)
        raise troubles.pop()

    capability = Capability("handover", messages={"handover": advance})

    for _ in range(3):
        Worker(kegui, Router(), [capability]).work_on(Lane.WORK, "handover:7")

    assert asked == [7] * 3


def test_messages_that_make_no_sense_do_not_stop_the_worker(kegui: Kegui) -> None:
    handled = threading.Event()
    event_id = put(kegui)
    for message in ("", "nonsense", "nonsense:1", "event:", "event:x", "event:-1"):
        kegui.queue.wake(Lane.WORK, message)

    run(kegui, handled, until=lambda: handled.wait(20))

    assert read(event_id).state == DONE


def run(kegui: Kegui, handled: threading.Event, *, until: Any) -> None:
    """Let a worker run until the event was handled, and end it as TERM does."""
    router = Router()
    router.on(*ADDED)(lambda _received, _kegui: handled.set())
    serving = Worker(kegui, router, CAPABILITIES)
    thread = threading.Thread(target=serving.run)
    thread.start()
    try:
        assert until()
    finally:
        serving.stop()
        thread.join(timeout=30)
    assert not thread.is_alive()


def test_a_row_whose_wake_up_was_lost_is_found(kegui: Kegui) -> None:
    handled = threading.Event()
    event_id = put(kegui)

    run(kegui, handled, until=lambda: handled.wait(20))

    assert read(event_id).state == DONE
    assert len(db.database._in_use) == 1


def test_a_row_whose_worker_was_killed_is_found(kegui: Kegui) -> None:
    handled = threading.Event()
    event_id = put(kegui)
    InboxEvent.update(
        state=CLAIMED, lease_until=clock.now() - timedelta(seconds=1), attempts=1
    ).where(InboxEvent.id == event_id).execute()

    run(kegui, handled, until=lambda: handled.wait(20))

    assert (read(event_id).state, read(event_id).attempts) == (DONE, 2)


def test_while_welcomes_begin_late_other_work_waits(kegui: Kegui) -> None:
    handled = threading.Event()
    router = Router()
    router.on(*ADDED)(lambda _received, _kegui: handled.set())
    serving = Worker(kegui, router, CAPABILITIES)
    late = put(kegui, code="CODE")
    InboxEvent.update(due_at=clock.now() - timedelta(seconds=3)).execute()
    serving.answer(late, Lane.WELCOME)
    put(kegui, userid="another")

    began = real_time.monotonic()
    thread = threading.Thread(target=serving.run)
    thread.start()
    try:
        assert handled.wait(20)
        waited = real_time.monotonic() - began
    finally:
        serving.stop()
        thread.join(timeout=30)

    assert waited > worker.LOOK_SECONDS / 2


def test_what_was_begun_is_finished_before_the_worker_ends(kegui: Kegui) -> None:
    begun, go_on = threading.Event(), threading.Event()
    event_id = put(kegui)

    def slow(_received: Received, _kegui: Kegui) -> None:
        begun.set()
        assert go_on.wait(20)

    router = Router()
    router.on(*ADDED)(slow)
    serving = Worker(kegui, router, CAPABILITIES)
    thread = threading.Thread(target=serving.run)
    thread.start()
    assert begun.wait(20)
    serving.stop()
    go_on.set()
    thread.join(timeout=30)

    assert not thread.is_alive()
    assert read(event_id).state == DONE


def test_a_worker_survives_a_database_that_is_away(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled, failed = threading.Event(), threading.Event()
    due = inbox.due

    def fail_once(*arguments: Any, **options: Any) -> list[int]:
        if not failed.is_set():
            failed.set()
            raise OperationalError("the database is away")
        return due(*arguments, **options)

    monkeypatch.setattr(inbox, "due", fail_once)
    event_id = put(kegui)

    run(kegui, handled, until=lambda: failed.wait(20) and handled.wait(20))

    assert read(event_id).state == DONE


def test_all_lines_of_an_event_have_its_id_and_no_others_have(kegui: Kegui) -> None:
    event_ids = [put(kegui, userid=userid) for userid in ("one", "two")]
    capture, config = LogCapture(), structlog.get_config()
    left = threading.Semaphore(0)

    def handle(received: Received, _kegui: Kegui) -> None:
        structlog.get_logger("handler").info("handling", expected=received.id)
        left.release()

    router = Router()
    router.on(*ADDED)(handle)
    serving = Worker(kegui, router, CAPABILITIES)
    thread = threading.Thread(target=serving.run)
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    try:
        thread.start()
        assert all(left.acquire(timeout=20) for _ in event_ids)
    finally:
        serving.stop()
        thread.join(timeout=30)
        structlog.configure(**config)

    handling = [line for line in capture.entries if line["event"] == "handling"]
    assert sorted(line["event_id"] for line in handling) == event_ids
    assert all(line["event_id"] == line["expected"] for line in handling)
    assert {line["lane"] for line in handling} == {Lane.WORK}


def test_two_handlers_for_one_event_are_a_mistake_at_import() -> None:
    router = Router()
    router.on(*ADDED)(Handler())

    with pytest.raises(ValueError, match="two handlers"):
        router.on(*ADDED)(Handler())
    router.on(*ADDED, lane=Lane.WELCOME)(Handler())
    with pytest.raises(ValueError, match="two handlers"):
        Router(router, router)
