"""Calls and forms that do something once, however often they are sent; views that people save."""

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

    class SavedView(Model):
        id = BigAutoField()
        actor = CharField(max_length=160)
        screen = CharField(max_length=32)
        name = CharField(max_length=64)
        query = TextField()
        saved_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "saved_view"
            indexes = ((("actor", "screen", "name"), True),)

    db.create_tables([IdempotencyKey, SentForm, SavedView])


def down(migrator: Any, db: Any) -> None:
    for table in ("saved_view", "sent_form", "idempotency_key"):
        db.execute_sql(f"DROP TABLE {table}")
