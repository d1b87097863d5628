"""The inbox and the record of every act on the outside."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    IntegerField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class InboxEvent(Model):
        id = BigAutoField()
        key = CharField(unique=True, max_length=64)
        source = CharField(max_length=16)
        event = CharField(max_length=64)
        change_type = CharField(max_length=64)
        userid = CharField(null=True, max_length=64)
        external_userid = CharField(null=True, max_length=64)
        lane = CharField(max_length=16)
        payload = BlobField()
        state = CharField(max_length=16, default="waiting")
        attempts = IntegerField(default=0)
        received_at = UTCDateTimeField()
        due_at = UTCDateTimeField()
        lease_until = UTCDateTimeField(null=True)
        finished_at = UTCDateTimeField(null=True)
        replayed_at = UTCDateTimeField(null=True)
        error = TextField(null=True)

        class Meta:
            database = db
            table_name = "inbox_event"
            indexes = (
                (("lane", "state", "due_at"), False),
                (("event", "change_type"), False),
                (("userid", "external_userid"), False),
            )

    class Effect(Model):
        id = BigAutoField()
        identity = CharField(unique=True)
        kind = CharField(max_length=32)
        event_id = BigIntegerField(index=True, null=True)
        state = CharField(max_length=16, default="started")
        attempts = IntegerField(default=1)
        errcode = IntegerField(null=True)
        error = TextField(null=True)
        started_at = UTCDateTimeField()
        lease_until = UTCDateTimeField()
        finished_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "effect"

    db.create_tables([InboxEvent, Effect])


def down(migrator: Any, db: Any) -> None:
    for table in ("effect", "inbox_event"):
        db.execute_sql(f"DROP TABLE {table}")
