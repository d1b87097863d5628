"""What all processes share about speaking with WeCom: tokens, pauses, leases."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import structlog
from peewee import BlobField, CharField, IntegerField, PeeweeException, TextField

from bot import clock
from bot.db import Model, UTCDateTimeField, connection

log = structlog.get_logger(__name__)

# After a process was killed, others wait no longer than this.
DURATION = timedelta(seconds=15)


class AccessToken(Model):
    """The one access token of a secret, sealed."""

    secret_name = CharField(max_length=16, primary_key=True)
    sealed = BlobField(null=True)
    expires_at = UTCDateTimeField(null=True)


class EndpointPause(Model):
    """Nobody calls this endpoint with this secret until the pause ends."""

    name = CharField(max_length=128, primary_key=True)
    secret_name = CharField(max_length=16)
    endpoint = CharField(max_length=96)
    until = UTCDateTimeField()
    reason = TextField()
    errcode = IntegerField(null=True)


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
        now = clock.now()
        cls.insert(name=name, holder=holder, until=now + duration).on_conflict_ignore().execute()
        cls.update(holder=holder, until=now + duration).where(
            cls.name == name, cls.until < now
        ).execute()
        row = cls.get_or_none(cls.name == name)
        if row is None or row.holder != holder:
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
            cls.delete().where(cls.name == name, cls.holder == holder).execute()

    @classmethod
    def _beat(cls, name: str, holder: str, duration: timedelta, ended: threading.Event) -> None:
        while not ended.wait(duration.total_seconds() / 3):
            try:
                with connection():
                    cls.update(until=clock.now() + duration).where(
                        cls.name == name, cls.holder == holder
                    ).execute()
            except PeeweeException as error:
                log.warning("lease_not_renewed", lease=name, error=type(error).__name__)
