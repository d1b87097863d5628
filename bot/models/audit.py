"""The audit log: rows that are only added; see ``bot.audit.chain``."""

from datetime import datetime

from peewee import BigAutoField, BigIntegerField, CharField, IntegerField, JSONField, TextField

from bot.db import Model, UTCDateTimeField

# What nobody may change; migrations/0004_audit.py sees to that.
ADD_ONLY = ("audit_entry", "audit_seal", "audit_anchor")


class AuditEntry(Model):
    """Who did or saw what; written in the act's own transaction."""

    id = BigAutoField()
    writer = CharField(max_length=32)
    number = BigIntegerField()
    at = UTCDateTimeField()
    actor = CharField(max_length=160)
    act = CharField(max_length=64)
    subject = CharField(max_length=160)
    purpose = TextField(default="")
    origin = CharField(max_length=64, default="")
    details = JSONField(default=dict)
    mac = CharField(max_length=64)

    class Meta:
        indexes = (
            (("writer", "number"), True),
            (("actor", "id"), False),
            (("subject", "id"), False),
            (("act", "id"), False),
        )


class AuditWriter(Model):
    """How many entries one thread of one process has made."""

    writer = CharField(max_length=32, primary_key=True)
    number = BigIntegerField()
    mac = CharField(max_length=64)


class AuditSeal(Model):
    """An entry's place in the one chain."""

    position = BigIntegerField(primary_key=True)
    entry_id = BigIntegerField(unique=True)
    link = CharField(max_length=64)


class AuditSealed(Model):
    """Up to which number the entries of a writer are sealed: what saves the sealer a search."""

    writer = CharField(max_length=32, primary_key=True)
    number = BigIntegerField()


class AuditEnd(Model):
    """The last seal of the chain; one row, which moves with every seal."""

    id = IntegerField(primary_key=True)
    position = BigIntegerField()
    link = CharField(max_length=64)
    mac = CharField(max_length=64)


class AuditCheck(Model):
    """What the last verification found: how many entries are sealed, and how many faults there
    are, of which ``first`` is the first in words; one row."""

    id = IntegerField(primary_key=True)
    at = UTCDateTimeField()
    sealed = BigIntegerField()
    faults = IntegerField()
    first = TextField(default="")

    @classmethod
    def keep(cls, at: datetime, sealed: int, faults: int, first: str) -> None:
        """Note what a verification found, in the place of the one before."""
        cls.insert(id=1, at=at, sealed=sealed, faults=faults, first=first).on_conflict(
            conflict_target=[cls.id], preserve=[cls.at, cls.sealed, cls.faults, cls.first]
        ).execute()


class AuditAnchor(Model):
    """The chain as it was at a moment, signed."""

    position = BigIntegerField(primary_key=True)
    link = CharField(max_length=64)
    at = UTCDateTimeField()
    signature = CharField(max_length=128)
