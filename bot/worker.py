"""The worker: takes what is due, lets the handlers answer, records how it ended."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from peewee import InterfaceError, OperationalError
from structlog.contextvars import bound_contextvars

from bot import clock
from bot.alarms import raise_alarm_for
from bot.audit.log import AuditUnwritable
from bot.capability import Capability
from bot.db import connection
from bot.effects import Busy
from bot.events import Event
from bot.inbox import inbox
from bot.inbox.inbox import Later, Lost
from bot.inbox.words import LACKS
from bot.kegui import Kegui
from bot.models import InboxEvent, Notice, Staff
from bot.queue import Lane
from bot.reason import Reason
from bot.router import NOBODY, Received, Router
from bot.vault import WrongKey
from bot.wecom import Paused, Refused, Throttled, WeComError
from bot.wecom.pause_list import pause_of

log = structlog.get_logger(__name__)

WORK_THREADS = 8
LOOK_SECONDS = 1.0
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 20
LIFTED = timedelta(seconds=1)
LATE = timedelta(seconds=0.5)
WELCOME_RETRY = timedelta(seconds=3)
# The fields of an event that name a member.
MEMBERS = ("UserID", "FromUserName")


class Worker:
    """Serves both lanes until told to stop; any number of workers may run."""

    def __init__(self, kegui: Kegui, router: Router, capabilities: Sequence[Capability]) -> None:
        self._kegui = kegui
        self._router = router
        # What else a message may ask for, besides an event.
        self._messages = {
            kind: answer for one in capabilities for kind, answer in one.messages.items()
        }
        self._before_work = [prepare for one in capabilities for prepare in one.before_work]
        self._stopping = threading.Event()
        self._welcome_was_late_at = float("-inf")

    def run(self) -> None:
        """Work until ``stop``; what was begun is finished first."""
        threads = {
            Lane.WELCOME: self._kegui.settings.welcome_parallel,
            Lane.WORK: WORK_THREADS,
        }
        lanes = [
            threading.Thread(target=self._serve, args=(lane, number), name=lane)
            for lane, number in threads.items()
        ]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping.set()

    def _serve(self, lane: Lane, threads: int) -> None:
        """Feed one lane's threads from the queue, and every second from the rows themselves."""
        free = threading.Semaphore(threads)
        pool = ThreadPoolExecutor(threads, thread_name_prefix=lane)

        def start(message: str) -> None:
            if lane == Lane.WORK:
                self._let_welcomes_pass()
            free.acquire()
            pool.submit(self._guarded, lane, message).add_done_callback(lambda _: free.release())

        looked = 0.0
        while not self._stopping.is_set():
            for message in self._take(lane):
                start(message)
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                for message in self._look(lane, threads):
                    start(message)
        pool.shutdown(wait=True)

    def _let_welcomes_pass(self) -> None:
        """Begin no other work while welcomes begin late, for a window's time at most.

        Threads share one interpreter: what can wait would take the welcomes' seconds away.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while (
            time.monotonic() < min(until, self._welcome_was_late_at + LOOK_SECONDS)
            and not self._stopping.is_set()
        ):
            self._stopping.wait(POLL_SECONDS)

    def _take(self, lane: Lane) -> list[str]:
        queue = self._kegui.queue
        try:
            messages = queue.take(lane)
        except Exception as error:  # three drivers, three families: the rows are the truth
            log.warning("queue_not_readable", lane=lane, error=type(error).__name__)
            self._stopping.wait(LOOK_SECONDS)
            return []
        if not messages and not queue.waits(lane):
            self._stopping.wait(POLL_SECONDS)
        return messages

    def _look(self, lane: Lane, limit: int) -> list[str]:
        try:
            with connection():
                return [f"event:{one}" for one in inbox.due(lane, now=clock.now(), limit=limit)]
        except (OperationalError, InterfaceError) as error:
            log.warning("database_not_readable", error=type(error).__name__)
            return []

    def _guarded(self, lane: Lane, message: str) -> None:
        with bound_contextvars(lane=lane, **_ids(message)):
            try:
                with connection():
                    self.work_on(lane, message)
            except Exception:
                # Whatever it was, the row's lease runs out and another try follows.
                log.exception("work_failed", message=message)

    def work_on(self, lane: Lane, message: str) -> None:
        """Do what one message of the queue asks for."""
        kind, _, number = message.partition(":")
        if kind == "event":
            self.answer(int(number), lane)
        elif kind in self._messages:
            try:
                self._messages[kind](int(number), self._kegui)
            except (WeComError, Busy) as error:
                # The clock wakes it again; a pause is visible by itself.
                raise_alarm_for(error, self._kegui)
                log.info("waits", what=message, why=str(error))

    def answer(self, event_id: int, lane: Lane) -> None:
        """Claim an event, let its handler of this lane answer, and record how it ended."""
        now = clock.now()
        row = inbox.claim(event_id, lane, now=now)
        if row is None:
            return
        if lane == Lane.WELCOME and now - row.due_at > LATE:
            self._welcome_was_late_at = time.monotonic()
        try:
            self._handle(row, lane)
        except Lost:
            log.warning("claim_lost", event_id=row.id)

    def _handle(self, row: InboxEvent, lane: Lane) -> None:
        try:
            event = inbox.open_event(row, self._kegui.vault)
            entry = self._router.entry_for(event, lane)
            if entry is not None and (lacks := entry.lacks(event)):
                # No later try would know of whom it speaks.
                inbox.bury(row, now=clock.now(), error=Reason(LACKS, {"fields": ", ".join(lacks)}))
                return
            if lane == Lane.WORK:
                for prepare in self._before_work:
                    prepare(event, self._kegui)
            event = _as_spelled(event, row)
            if entry is None and lane == Lane.WORK:
                self._ignore(row)
                return
            if entry is not None:
                again = row.attempts > 1
                received = Received(row.id, row.source, row.received_at, event, again)
                entry.handler(received, self._kegui)
        except Later as later:
            inbox.give_back(row, due_at=later.due_at, error=later.reason, failed=False)
            return
        except Busy as busy:
            due_at = clock.now() + timedelta(seconds=1)
            inbox.give_back(row, due_at=due_at, error=inbox.failure_of(busy), failed=False)
            return
        except Refused as refused:
            # A refusal that no action expected will be one tomorrow too.
            inbox.bury(row, now=clock.now(), error=inbox.failure_of(refused))
            return
        except WeComError as error:
            raise_alarm_for(error, self._kegui, tell_now=lane != Lane.WELCOME)
            self._retry(row, inbox.failure_of(error), self._due_after(error, row))
            return
        except (OperationalError, InterfaceError, AuditUnwritable, WrongKey) as error:
            self._retry(row, inbox.failure_of(error), self._next_try(row))
            return
        except Exception as error:
            log.exception("handler_failed", event_id=row.id)
            self._retry_bug(row, inbox.failure_of(error))
            return
        if lane == Lane.WELCOME:
            inbox.pass_on(row, now=clock.now())
            self._kegui.queue.wake(Lane.WORK, f"event:{row.id}")
        else:
            inbox.finish(row, now=clock.now())

    def _ignore(self, row: InboxEvent) -> None:
        log.info(
            "event_ignored",
            event_id=row.id,
            to_handle_it=f'@router.on("{row.event}", "{row.change_type}")',
        )
        inbox.finish(row, now=clock.now(), ignored=True)

    def _retry(self, row: InboxEvent, error: Reason, due_at: datetime) -> None:
        """WeCom's or the database's trouble never kills an event before the time is up."""
        give_up = timedelta(hours=self._kegui.settings.inbox_give_up_hours)
        now = clock.now()
        if now - (row.replayed_at or row.received_at) > give_up:
            inbox.bury(row, now=now, error=error)
        else:
            if row.lane == Lane.WELCOME:
                # A welcome code lives 20 seconds: whatever it waits for, it comes back in time.
                due_at = min(due_at, now + WELCOME_RETRY)
            inbox.give_back(row, due_at=due_at, error=error)

    def _retry_bug(self, row: InboxEvent, error: Reason) -> None:
        """An error of our own is tried again a few times, in case the moment was the cause."""
        if row.attempts > len(self._kegui.settings.inbox_retry_seconds):
            inbox.bury(row, now=clock.now(), error=error)
        else:
            inbox.give_back(row, due_at=self._next_try(row), error=error)

    def _next_try(self, row: InboxEvent) -> datetime:
        delays = self._kegui.settings.inbox_retry_seconds
        return clock.now() + timedelta(seconds=delays[min(row.attempts, len(delays)) - 1])

    def _due_after(self, error: WeComError, row: InboxEvent) -> datetime:
        if isinstance(error, Paused):
            now = clock.now()
            # What refused the call was known for up to a second: it may have ended meanwhile.
            return min(error.until, (pause_of(error.endpoint, now) or now) + LIFTED)
        if isinstance(error, Throttled):
            return clock.now() + timedelta(seconds=error.wait_seconds)
        return self._next_try(row)


def _as_spelled(event: Event, row: InboxEvent) -> Event:
    """Return the event with its members written as here, and the row found under that name."""
    named = [name for name in MEMBERS if event.text(name) not in ("", NOBODY)]
    spelled = {name: Staff.spelled(event.text(name)) for name in named}
    if all(event.text(name) == userid for name, userid in spelled.items()):
        return event
    event = replace(event, fields={**event.fields, **spelled})
    InboxEvent.update(userid=event.userid[:64] or None).where(InboxEvent.id == row.id).execute()
    # The welcome waits for no reading.
    Notice.update(userid=event.userid).where(Notice.event_id == row.id).execute()
    return event


def _ids(message: str) -> dict[str, int]:
    """Name what a message is about, as all lines of its handling do: ``event:7`` is event_id 7."""
    kind, _, number = message.partition(":")
    return {f"{kind}_id": int(number)} if kind.isidentifier() and number.isdecimal() else {}
