"""What arrives at the same moment is committed together: each answer waits for its one commit.

A commit costs the disk the same for one row as for fifty, and one writer meets nobody's lock.
"""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from peewee import InterfaceError, OperationalError
from playhouse.pool import MaxConnectionsExceeded

from bot import inbox
from bot.db import connection

MOST_AT_ONCE = 100
# WeCom itself waits five seconds for the answer.
PATIENCE_SECONDS = 4.5
DATABASE_IS_AWAY = (OperationalError, InterfaceError, MaxConnectionsExceeded)


@dataclass(frozen=True)
class Arrival:
    """A row on its way into the inbox, and who waits for it."""

    row: dict[str, Any]
    stored: "Future[int | None]" = field(default_factory=Future)


class Intake:
    """The way into the inbox for all threads of a web process."""

    def __init__(self) -> None:
        self._arrivals: SimpleQueue[Arrival] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, row: dict[str, Any]) -> int | None:
        """Store a row of ``inbox.new_row`` durably; None when this very event is there already.

        Raises:
            PeeweeException, MaxConnectionsExceeded: it could not be stored.
            TimeoutError: the database is too slow; the row may still be stored.
        """
        arrival = Arrival(row)
        self._arrivals.put(arrival)
        if self._thread is None:
            self._start()
        return arrival.stored.result(PATIENCE_SECONDS)

    def _start(self) -> None:
        # Not in __init__: the server forks after making its application.
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            arrived = [self._arrivals.get()]
            while len(arrived) < MOST_AT_ONCE and not self._arrivals.empty():
                arrived.append(self._arrivals.get())
            self._store_or_tell(arrived)

    def _store_or_tell(self, arrived: list[Arrival]) -> None:
        try:
            _store(arrived)
        except Exception as error:  # whatever it is, it belongs to those who wait
            if len(arrived) == 1 or isinstance(error, DATABASE_IS_AWAY):
                for one in arrived:
                    one.stored.set_exception(error)
            else:
                # One row that the database does not take must not keep the others out.
                for one in arrived:
                    self._store_or_tell([one])


def _store(arrived: list[Arrival]) -> None:
    with connection():
        ids = inbox.put_all([one.row for one in arrived])
    for one, event_id in zip(arrived, ids, strict=True):
        one.stored.set_result(event_id)
