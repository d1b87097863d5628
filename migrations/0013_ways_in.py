"""Calls and forms that do something once, however often they are sent."""

from typing import Any

from peewee import (
    BigAutoField,
    CharField,
    IntegerField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class IdempotencyKey(Model):
        id = BigAutoField()
        caller = CharField(max_length=32)
        path = CharField(max_length=255)
        key = CharField(max_length=255)
        body_sha256 = CharField(max_length=64)
        request_key = CharField(max_length=64)
        status = IntegerField(null=True)
        answer = TextField(null=True)
        created_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "idempotency_key"
            indexes = ((("caller", "path", "key"), True),)

    db.create_tables([IdempotencyKey])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE idempotency_key")
