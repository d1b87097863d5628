"""What all processes share about speaking with WeCom: tokens, pauses, leases."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

from peewee import BlobField, CharField, IntegerField, TextField

from bot import clock
from bot.db import Model, UTCDateTimeField


class LeaseLost(Exception):
    """The lease ran out while its holder was still at work."""


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
    """Somebody works on ``name`` until ``until``; a dead holder's lease runs out."""

    name = CharField(max_length=128, primary_key=True)
    holder = CharField(max_length=64)
    until = UTCDateTimeField()

    @classmethod
    @contextmanager
    def held(cls, name: str, duration: timedelta) -> Iterator[str | None]:
        """Hold the lease for the block; gives the holder's name, or None when another has it."""
        holder = uuid4().hex
        now = clock.now()
        cls.insert(name=name, holder=holder, until=now + duration).on_conflict_ignore().execute()
        cls.update(holder=holder, until=now + duration).where(
            cls.name == name, cls.until < now
        ).execute()
        row = cls.get_or_none(cls.name == name)
        if row is None or row.holder != holder:
            yield None
            return
        try:
            yield holder
        finally:
            cls.delete().where(cls.name == name, cls.holder == holder).execute()

    @classmethod
    def renew(cls, name: str, holder: str, duration: timedelta) -> None:
        """Hold the lease for ``duration`` from now.

        Raises:
            LeaseLost: it ran out and another has taken it.
        """
        if not (
            cls.update(until=clock.now() + duration)
            .where(cls.name == name, cls.holder == holder)
            .execute()
        ):
            raise LeaseLost(name)


class SyncProgress(Model):
    """How far a reading of WeCom has come: one row for each member read."""

    run = CharField(max_length=32)
    userid = CharField(max_length=64)
    cursor = TextField(default="")
    customers = IntegerField(default=0)
    finished_at = UTCDateTimeField(null=True)

    class Meta:
        indexes = ((("run", "userid"), True),)


class SyncRun(Model):
    """One reading of departments, members, customers and groups."""

    run = CharField(max_length=32, primary_key=True)
    kind = CharField(max_length=16)
    started_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(null=True)
    members = IntegerField(default=0)
    customers = IntegerField(default=0)
    groups = IntegerField(default=0)
