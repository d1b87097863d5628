"""Handovers with their items, attempts and hand work."""

from typing import Any

from peewee import (
    BigAutoField,
    CharField,
    DateField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class Handover(Model):
        id = BigAutoField()
        kind = CharField(max_length=16)
        userid = CharField(index=True, max_length=64)
        last_day = DateField(null=True)
        mode = CharField(max_length=16)
        state = CharField(index=True, max_length=24, default="planned")
        reason = TextField(default="")
        source = CharField(max_length=32)
        successors = JSONField(default=list)
        scope = JSONField(null=True)
        full_userids = JSONField(default=list)
        transfer_success_msg = TextField(default="")
        approved_by = CharField(null=True, max_length=128)
        approved_at = UTCDateTimeField(null=True)
        contact_ways_done_at = UTCDateTimeField(null=True)
        created_at = UTCDateTimeField()
        updated_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "handover"

    class HandoverItem(Model):
        id = BigAutoField()
        handover = ForeignKeyField(Handover)
        kind = CharField(max_length=16)
        subject = CharField(max_length=64)
        state = CharField(max_length=16, default="planned")
        takeover_userid = CharField(null=True, max_length=64)
        reason = TextField(default="")
        errcode = IntegerField(null=True)
        updated_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "handover_item"
            indexes = (
                (("handover", "kind", "subject"), True),
                (("subject", "state"), False),
                (("handover", "state"), False),
            )

    class TransferAttempt(Model):
        id = BigAutoField()
        item = ForeignKeyField(HandoverItem)
        number = IntegerField()
        takeover_userid = CharField(max_length=64)
        endpoint = CharField(max_length=64)
        status = CharField(max_length=16, default="started")
        errcode = IntegerField(null=True)
        submitted_at = UTCDateTimeField()
        takeover_time = UTCDateTimeField(null=True)
        settled_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "transfer_attempt"
            indexes = ((("item", "number"), True),)

    class HandWork(Model):
        id = BigAutoField()
        handover = ForeignKeyField(Handover)
        kind = CharField(max_length=32)
        subject = CharField(max_length=128)
        text = TextField()

        class Meta:
            database = db
            table_name = "hand_work"
            indexes = ((("handover", "kind", "subject"), True),)

    db.create_tables([Handover, HandoverItem, TransferAttempt, HandWork])
    db.execute_sql(
        "CREATE UNIQUE INDEX handover_one_open_offboarding ON handover (userid)"
        " WHERE kind = 'offboarding' AND state IN"
        " ('planned', 'awaiting_approval', 'scheduled', 'running')"
    )


def down(migrator: Any, db: Any) -> None:
    for table in ("hand_work", "transfer_attempt", "handover_item", "handover"):
        db.execute_sql(f"DROP TABLE {table}")
