"""The task queue: it only wakes a worker, the rows in the database are the truth.

huey keeps the messages (SQLite embedded, PostgreSQL or Redis when scaled out). A message that
is lost or comes twice does no harm: workers also look for due rows every second, and only one
of them can claim a row.
"""

from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from huey.storage import BaseStorage, PostgresStorage, RedisStorage, SqliteStorage
from playhouse.db_url import parse

log = structlog.get_logger(__name__)


class Lane(StrEnum):
    """Two lanes with their own threads: nothing slow may ever stand before a welcome."""

    WELCOME = "welcome"
    WORK = "work"


class Queue:
    """Messages between processes, one list for each lane.

    Args:
        url: ``redis://...``, ``postgresql://...`` or ``sqlite:///path`` of the *database*: the
            messages of an embedded installation then stand in a file beside it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def wake(self, lane: Lane, message: str) -> None:
        """Tell a worker of ``lane`` that there is something to do; never fails.

        What cannot be said is found by the workers' own look at the due rows.
        """
        try:
            self._storages[lane].enqueue(message.encode())
        except Exception as error:  # each of three drivers raises its own family
            log.warning("queue_wake_failed", lane=lane, error=type(error).__name__)

    def take(self, lane: Lane) -> str | None:
        """Return the next message, or None; waits a second at most where the store can wait."""
        data = self._storages[lane].dequeue()
        return None if data is None else bytes(data).decode()

    def waits(self, lane: Lane) -> bool:
        """Whether ``take`` itself waits for a message; on SQLite the caller must pause."""
        return bool(self._storages[lane].blocking)

    def ping(self) -> None:
        """Raise the driver's error when the queue cannot be reached."""
        self._storages[Lane.WORK].queue_size()

    def size(self, lane: Lane) -> int:
        return int(self._storages[lane].queue_size())

    def close(self) -> None:
        for storage in self._storages.values():
            storage.close()

    @cached_property
    def _storages(self) -> dict[Lane, BaseStorage]:
        return {lane: _storage(self._url, f"kegui_{lane}") for lane in Lane}


def _storage(url: str, name: str) -> BaseStorage:
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss", "unix"):
        return RedisStorage(name, url=url)
    if scheme in ("postgresql", "postgres"):
        # A lost wake-up is repaired; waiting for the disk twice per event would be a waste.
        options: dict[str, Any] = {"options": "-c synchronous_commit=off"}
        return PostgresStorage(name, dsn=url, table_prefix="kegui_queue", **options)
    if scheme == "sqlite":
        path = Path(parse(url)["database"])
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteStorage(name, filename=str(path.with_name(path.name + "-queue")), fsync=False)
    raise ValueError("KEGUI_QUEUE_URL must begin with redis://, postgresql:// or sqlite:///")
