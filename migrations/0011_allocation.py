"""Why customers belong to whom."""

from typing import Any

from peewee import BigAutoField, BigIntegerField, CharField, JSONField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class Allocation(Model):
        id = BigAutoField()
        event_id = BigIntegerField(null=True, unique=True)
        external_userid = CharField(max_length=64, index=True)
        added_userid = CharField(max_length=64)
        channel = CharField(max_length=64)
        owner = CharField(max_length=64, null=True)
        outcome = CharField(max_length=24)
        rule = CharField(max_length=128, null=True)
        rules_version = CharField(max_length=32)
        reason = TextField()
        candidates = JSONField()
        excluded = JSONField()
        decided_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "allocation"

    db.create_tables([Allocation])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE allocation")
