"""Why customers belong to whom, and where two members met."""

from typing import Any

from peewee import BigAutoField, BigIntegerField, CharField, JSONField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class Allocation(Model):
        id = BigAutoField()
        event_id = BigIntegerField(unique=True, null=True)
        external_userid = CharField(index=True, max_length=64)
        added_userid = CharField(max_length=64)
        channel = CharField(max_length=64, default="")
        owner = CharField(null=True, max_length=64)
        outcome = CharField(max_length=24)
        rule = CharField(null=True, max_length=128)
        rules_version = CharField(max_length=32)
        reason = TextField()
        candidates = JSONField(default=list)
        excluded = JSONField(default=list)
        decided_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "allocation"

    class Conflict(Model):
        id = BigAutoField()
        external_userid = CharField(index=True, max_length=64)
        state = CharField(index=True, max_length=16, default="open")
        owner = CharField(null=True, max_length=64)
        contenders = JSONField(default=list)
        opened_at = UTCDateTimeField()
        resolved_at = UTCDateTimeField(null=True)
        resolution = JSONField(null=True)
        told_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "conflict"

    db.create_tables([Allocation, Conflict])
    db.execute_sql(
        "CREATE UNIQUE INDEX conflict_one_open ON conflict (external_userid) WHERE state = 'open'"
    )


def down(migrator: Any, db: Any) -> None:
    for table in ("conflict", "allocation"):
        db.execute_sql(f"DROP TABLE {table}")
