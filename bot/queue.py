"""The task queue: it only wakes a worker, the rows in the database are the truth.

huey keeps the messages (SQLite embedded, PostgreSQL or Redis when scaled out). A message that
is lost or comes twice does no harm: workers also look for due rows every second, and only one
of them can claim a row.
"""

import threading
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import structlog
from huey.storage import BaseStorage, PostgresStorage, RedisStorage, SqliteStorage
from playhouse.db_url import parse

from bot import db, private
from bot.owner import QUEUE_SCHEMA

SEPARATOR = ","
MOST_AT_ONCE = 100
# A lost wake-up is repaired; waiting for the disk twice per event would be a waste.
QUEUE_SESSION = {"synchronous_commit": "off", "search_path": QUEUE_SCHEMA}

log = structlog.get_logger(__name__)


class Lane(StrEnum):
    """Two lanes with their own threads: nothing slow may ever stand before a welcome."""

    WELCOME = "welcome"
    WORK = "work"


# What to do, and the lane whose worker should.
Message = tuple[Lane, str]


class QueueAway(Exception):
    """The queue cannot be asked; its text is the kind of the driver's error, never its words."""


class Queue:
    """Messages between processes, one list for each lane.

    Args:
        url: ``redis://...``, ``postgresql://...`` or ``sqlite:///path`` of the *database*: the
            messages of an embedded installation then stand in a file beside it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def wake(self, lane: Lane, *messages: str) -> None:
        """Tell a worker of ``lane`` that there is something to do; never fails.

        What cannot be said is found by the workers' own look at the due rows.
        """
        try:
            self._storages[lane].enqueue(SEPARATOR.join(messages).encode())
        except Exception as error:  # each of three drivers raises its own family
            log.warning("queue_wake_failed", lane=lane, error=type(error).__name__)

    def take(self, lane: Lane) -> list[str]:
        """Return the next messages, if any; waits a second at most where the store can wait."""
        data = self._storages[lane].dequeue()
        return [] if data is None else bytes(data).decode().split(SEPARATOR)

    def waits(self, lane: Lane) -> bool:
        """Whether ``take`` itself waits for a message; on SQLite the caller must pause."""
        return bool(self._storages[lane].blocking)

    def sizes(self) -> dict[Lane, int]:
        """Return how many messages nobody has taken yet.

        Raises:
            QueueAway: the queue cannot be reached; a log line has said so.
        """
        try:
            return {lane: int(storage.queue_size()) for lane, storage in self._storages.items()}
        except Exception as error:  # each of three drivers raises its own family
            why = type(error).__name__
            log.warning("queue_not_readable", error=why)
            raise QueueAway(why) from None

    def close(self) -> None:
        for storage in self._storages.values():
            storage.close()

    @cached_property
    def _storages(self) -> dict[Lane, BaseStorage]:
        return {lane: _storage(self._url, f"kegui_{lane}") for lane in Lane}


class Waker:
    """Wakes from a thread of its own, so that nobody waits for the queue while WeCom waits.

    Under a rush many messages go as one. What is lost when the process ends is found by the
    workers' own look at the due rows.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._pending: SimpleQueue[Sequence[Message]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wake(self, messages: Sequence[Message]) -> None:
        """Let the workers know, at once but not before this returns."""
        self._pending.put(messages)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        # Not in __init__: a server may fork after making its application.
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            pending = [*self._pending.get()]
            while len(pending) < MOST_AT_ONCE and not self._pending.empty():
                pending += self._pending.get()
            for lane in Lane:
                if messages := [message for of, message in pending if of == lane]:
                    self._queue.wake(lane, *messages)


class _PostgresMessages(PostgresStorage):  # type: ignore[misc]
    """Messages in a schema of their own, where the owner of our tables looks nothing up."""

    def initialize_schema(self) -> None:
        with self.db(commit=True, close=True) as cursor:
            # `kegui migrate` has made it, except in a database that holds nothing but the queue.
            cursor.execute("SELECT to_regnamespace(%s) IS NULL", (QUEUE_SCHEMA,))
            if cursor.fetchone()[0]:
                cursor.execute(f"CREATE SCHEMA {QUEUE_SCHEMA}")
        super().initialize_schema()


def _storage(url: str, name: str) -> BaseStorage:
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss", "unix"):
        return RedisStorage(name, url=url)
    if scheme in ("postgresql", "postgres"):
        session = db.session_options({**db.POSTGRES_SESSION, **QUEUE_SESSION})
        line: dict[str, Any] = {**db.POSTGRES_LINE, "options": session}
        return _PostgresMessages(name, dsn=url, table_prefix="kegui_queue", **line)
    if scheme == "sqlite":
        path = Path(parse(url)["database"])
        private.make_folder(path.parent)
        messages = path.with_name(path.name + "-queue")
        private.keep(messages)
        return SqliteStorage(name, filename=str(messages), fsync=False)
    raise ValueError("KEGUI_QUEUE_URL must begin with redis://, postgresql:// or sqlite:///")
