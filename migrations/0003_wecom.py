"""What Kegui knows of WeCom's API: tokens, pauses, and endpoints that refuse everybody."""

from typing import Any

from peewee import BlobField, CharField, IntegerField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class AccessToken(Model):
        secret_name = CharField(max_length=16, primary_key=True)
        sealed = BlobField(null=True)
        expires_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "access_token"

    class EndpointPause(Model):
        name = CharField(max_length=128, primary_key=True)
        secret_name = CharField(max_length=16)
        endpoint = CharField(max_length=96)
        until = UTCDateTimeField()
        reason = TextField()
        errcode = IntegerField(null=True)
        since = UTCDateTimeField(null=True)
        failures = IntegerField()
        probe_until = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "endpoint_pause"

    class EndpointRefusal(Model):
        name = CharField(max_length=128, primary_key=True)
        endpoint = CharField(max_length=96)
        errcode = IntegerField(null=True)
        records = IntegerField()
        since = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "endpoint_refusal"

    db.create_tables([AccessToken, EndpointPause, EndpointRefusal])


def down(migrator: Any, db: Any) -> None:
    for table in ("endpoint_refusal", "endpoint_pause", "access_token"):
        db.execute_sql(f"DROP TABLE {table}")
