"""Handovers with their items, attempts and work by hand."""

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
    class Allocation(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "allocation"

    class Handover(Model):
        id = BigAutoField()
        kind = CharField(max_length=16)
        userid = CharField(max_length=64, index=True)
        last_day = DateField(null=True)
        mode = CharField(max_length=16)
        state = CharField(max_length=24, index=True)
        reason = TextField()
        source = CharField(max_length=32)
        allocation = ForeignKeyField(Allocation, null=True, index=False)
        request_key = CharField(max_length=64, null=True)
        successors = JSONField()
        scope = JSONField(null=True)
        full_userids = JSONField()
        transfer_success_msg = TextField()
        approved_by = CharField(max_length=128, null=True)
        approved_at = UTCDateTimeField(null=True)
        contact_ways_done_at = UTCDateTimeField(null=True)
        waits_for_code = CharField(max_length=64)
        waits_for_facts = JSONField()
        waits_until = UTCDateTimeField(null=True)
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
        state = CharField(max_length=16)
        takeover_userid = CharField(max_length=64, null=True)
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
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
        status = CharField(max_length=16)
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
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
        done_at = UTCDateTimeField(null=True)
        done_by = CharField(max_length=128, null=True)

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
    # A form that is sent twice moves customers once.
    db.execute_sql(
        "CREATE UNIQUE INDEX handover_one_of_a_request ON handover (userid, request_key)"
    )
    db.execute_sql(
        "CREATE INDEX handover_item_without_successor ON handover_item (handover_id)"
        " WHERE takeover_userid IS NULL AND state = 'planned'"
    )
    # Which item gave a customer to their owner.
    db.execute_sql("ALTER TABLE ownership ADD COLUMN item_id BIGINT REFERENCES handover_item (id)")


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("ALTER TABLE ownership DROP COLUMN item_id")
    for table in ("hand_work", "transfer_attempt", "handover_item", "handover"):
        db.execute_sql(f"DROP TABLE {table}")
