"""Calls and forms that do something once, however often they are sent."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class ApiToken(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "api_token"

    class IdempotencyKey(Model):
        id = BigAutoField()
        token = ForeignKeyField(ApiToken)
        path = CharField(max_length=255)
        key = CharField(max_length=255)
        body_sha256 = CharField(max_length=64)
        status = IntegerField(null=True)
        answer = TextField(null=True)
        handover_id = BigIntegerField(null=True)
        created_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "idempotency_key"
            indexes = ((("token", "path", "key"), True),)

    class SentForm(Model):
        key = CharField(max_length=64, primary_key=True)
        sent_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "sent_form"

    db.create_tables([IdempotencyKey, SentForm])


def down(migrator: Any, db: Any) -> None:
    for table in ("sent_form", "idempotency_key"):
        db.execute_sql(f"DROP TABLE {table}")
