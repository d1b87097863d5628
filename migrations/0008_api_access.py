"""API tokens and stored answers."""

from typing import Any

from peewee import (
    BigAutoField,
    CharField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class ApiToken(Model):
        id = BigAutoField()
        name = CharField(max_length=128)
        digest = CharField(unique=True, max_length=64)
        scopes = JSONField(default=list)
        created_at = UTCDateTimeField()
        revoked_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "api_token"

    class IdempotencyKey(Model):
        id = BigAutoField()
        token = ForeignKeyField(ApiToken)
        path = CharField()
        key = CharField()
        body_sha256 = CharField(max_length=64)
        status = IntegerField(null=True)
        answer = TextField(null=True)
        created_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "idempotency_key"
            indexes = ((("token", "path", "key"), True),)

    db.create_tables([ApiToken, IdempotencyKey])


def down(migrator: Any, db: Any) -> None:
    for table in ("idempotency_key", "api_token"):
        db.execute_sql(f"DROP TABLE {table}")
