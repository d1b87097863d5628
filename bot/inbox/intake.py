"""What arrives at the same moment is committed together: each answer waits for its one commit.

A commit costs the disk the same for one row as for fifty, and one writer meets nobody's lock.
"""

import threading
from collections.abc import Callable, Sequence

from peewee import InterfaceError, OperationalError
from playhouse.pool import MaxConnectionsExceeded

from bot.db import connection
from bot.inbox import inbox
from bot.inbox.inbox import NewRow
from bot.queue import Message

MOST_AT_ONCE = 100
# How long a commit waits for the other requests in the house; whoever is alone does not wait.
LINGER_SECONDS = 0.01
# WeCom itself waits five seconds for the answer.
PATIENCE_SECONDS = 4.5
DATABASE_IS_AWAY = (OperationalError, InterfaceError, MaxConnectionsExceeded)


class Arrival:
    """A row on its way into the inbox, and who waits for it."""

    def __init__(self, row: NewRow) -> None:
        self.row = row
        self._is_stored = threading.Lock()
        self._is_stored.acquire()
        self._id: int | None = None
        self._error: Exception | None = None

    def stored(self, event_id: int | None) -> None:
        self._id = event_id
        self._is_stored.release()

    def failed(self, error: Exception) -> None:
        self._error = error
        self._is_stored.release()

    def wait(self, seconds: float) -> int | None:
        """Wait until it was stored or refused: a Future does that at four times the cost."""
        if not self._is_stored.acquire(timeout=seconds):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._id


class Intake:
    """The way into the inbox for all threads of a web process.

    Args:
        wake: is told what was stored, once for each commit: waking a thread for each row would
            be a tenth of the door's work.
    """

    def __init__(self, wake: Callable[[Sequence[Message]], None]) -> None:
        self._wake = wake
        self._turn = threading.Condition()
        self._arrived: list[Arrival] = []
        self._inside = 0
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        """A request has begun that may put a row."""
        with self._turn:
            self._inside += 1

    def leave(self) -> None:
        """A request that entered is over."""
        with self._turn:
            self._inside -= 1
            if self._arrived and self._all_are_here():
                self._turn.notify()

    def put(self, row: NewRow) -> int | None:
        """Store a row of ``inbox.new_row`` durably; None when this very event is there already.

        Raises:
            PeeweeException, MaxConnectionsExceeded: it could not be stored.
            TimeoutError: the database is too slow; the row may still be stored.
        """
        arrival = Arrival(row)
        with self._turn:
            if self._thread is None:
                self._start()
            self._arrived.append(arrival)
            if len(self._arrived) == 1 or self._all_are_here():
                self._turn.notify()
        return arrival.wait(PATIENCE_SECONDS)

    def _start(self) -> None:
        # Not in __init__: the server forks after making its application.
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._store_or_tell(self._next())

    def _next(self) -> list[Arrival]:
        """Wait for an arrival; return it with those that come while others are in the house."""
        with self._turn:
            self._turn.wait_for(lambda: self._arrived)
            self._turn.wait_for(self._all_are_here, LINGER_SECONDS)
            arrived, self._arrived = self._arrived[:MOST_AT_ONCE], self._arrived[MOST_AT_ONCE:]
        return arrived

    def _all_are_here(self) -> bool:
        return len(self._arrived) >= min(self._inside, MOST_AT_ONCE)

    def _store_or_tell(self, arrived: list[Arrival]) -> None:
        try:
            self._store(arrived)
        except Exception as error:  # whatever it is, it belongs to those who wait
            if len(arrived) == 1 or isinstance(error, DATABASE_IS_AWAY):
                for one in arrived:
                    one.failed(error)
            else:
                # One row that the database does not take must not keep the others out.
                for one in arrived:
                    self._store_or_tell([one])

    def _store(self, arrived: list[Arrival]) -> None:
        with connection():
            ids = inbox.put_all([one.row for one in arrived])
        stored = list(zip(arrived, ids, strict=True))
        self._wake([(one.row.lane, f"event:{number}") for one, number in stored if number])
        for one, event_id in stored:
            one.stored(event_id)
