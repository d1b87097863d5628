"""Readings of WeCom: how far each has come, what differed, and what was healed."""

from peewee import BigAutoField, CharField, CompositeKey, IntegerField, TextField

from bot.db import Model, UTCDateTimeField

IMPORT = "import"
REPAIR = "repair"
UNASSIGNED = "unassigned"
# These read everything; the third reads one list.
WHOLE = (IMPORT, REPAIR)

HEALED = "healed"
PERSON = "person"


class SyncRun(Model):
    """One reading: the first (``import``), a later one (``repair``), or only the list of
    customers whose member has left (``unassigned``)."""

    run = CharField(max_length=32, primary_key=True)
    kind = CharField(max_length=16)
    started_at = UTCDateTimeField(index=True)
    finished_at = UTCDateTimeField(null=True)
    members = IntegerField(default=0)
    customers = IntegerField(default=0)
    groups = IntegerField(default=0)


class SyncProgress(Model):
    """How far an unfinished reading has come: a row for each piece (``step``, ``subject``) of
    it that was begun; a member's ``cursor`` is that of the next page of customers."""

    run = CharField(max_length=32)
    step = CharField(max_length=16)
    subject = CharField(max_length=64)
    cursor = TextField(default="")
    finished_at = UTCDateTimeField(null=True)

    class Meta:
        primary_key = CompositeKey("run", "step", "subject")


class SyncFinding(Model):
    """One difference: what stood here, what WeCom says, and whether it was healed or a
    ``person`` must act. Of each kind a run keeps so many rows only; the counts are whole."""

    id = BigAutoField()
    run = CharField(max_length=32)
    kind = CharField(max_length=32)
    subject = CharField(max_length=64)
    userid = CharField(max_length=64, null=True)
    here = TextField(default="")
    wecom = TextField(default="")
    outcome = CharField(max_length=8)
    found_at = UTCDateTimeField()

    class Meta:
        indexes = ((("run", "kind"), False),)


class SyncCount(Model):
    """How many differences of a kind a run found, by how they ended."""

    run = CharField(max_length=32)
    kind = CharField(max_length=32)
    outcome = CharField(max_length=8)
    number = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("run", "kind", "outcome")
