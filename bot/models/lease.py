"""A lease: one process at a time does something, and another may once that one is dead."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import structlog
from peewee import CharField, PeeweeException

from bot import db
from bot.db import Model, UTCDateTimeField

log = structlog.get_logger(__name__)

# After a process was killed, others wait no longer than this.
DURATION = timedelta(seconds=15)


class Lease(Model):
    """Somebody works on ``name``; a dead holder's lease runs out at ``until``."""

    name = CharField(max_length=128, primary_key=True)
    holder = CharField(max_length=64)
    until = UTCDateTimeField()

    @classmethod
    @contextmanager
    def held(cls, name: str, duration: timedelta = DURATION) -> Iterator[bool]:
        """Hold the lease for the block and keep it alive; False when another has it."""
        holder = uuid4().hex
        if not cls.take(name, holder, duration):
            yield False
            return
        ended = threading.Event()
        heart = threading.Thread(target=cls._beat, args=(name, holder, duration, ended))
        heart.start()
        try:
            yield True
        finally:
            ended.set()
            heart.join()
            cls.give_back(name, holder)

    @classmethod
    def take(cls, name: str, holder: str, duration: timedelta = DURATION) -> bool:
        """Take a lease that nobody else holds, or keep one's own for longer."""
        now = db.now()
        fresh = {"holder": holder, "until": now + duration}
        inserted = cls.insert(name=name, **fresh).on_conflict_ignore().returning(cls.name).execute()
        if list(inserted):
            return True
        mine_or_over = (cls.holder == holder) | db.is_over(cls.until, now)
        return bool(cls.update(fresh).where(cls.name == name, mine_or_over).execute())

    @classmethod
    def give_back(cls, name: str, holder: str) -> None:
        """End a lease before its time."""
        cls.delete().where(cls.name == name, cls.holder == holder).execute()

    @classmethod
    def _beat(cls, name: str, holder: str, duration: timedelta, ended: threading.Event) -> None:
        while not ended.wait(duration.total_seconds() / 3):
            try:
                with db.connection():
                    cls.update(until=db.now() + duration).where(
                        cls.name == name, cls.holder == holder
                    ).execute()
            except PeeweeException as error:
                log.warning("lease_not_renewed", lease=name, error=type(error).__name__)
