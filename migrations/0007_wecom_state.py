"""Tokens, pauses, leases, readings and alarms."""

from typing import Any

from peewee import BigAutoField, BlobField, CharField, IntegerField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class AccessToken(Model):
        secret_name = CharField(primary_key=True, max_length=16)
        sealed = BlobField(null=True)
        expires_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "access_token"

    class EndpointPause(Model):
        name = CharField(primary_key=True, max_length=128)
        secret_name = CharField(max_length=16)
        endpoint = CharField(max_length=96)
        until = UTCDateTimeField()
        reason = TextField()
        errcode = IntegerField(null=True)

        class Meta:
            database = db
            table_name = "endpoint_pause"

    class Lease(Model):
        name = CharField(primary_key=True, max_length=128)
        holder = CharField(max_length=64)
        until = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "lease"

    class SyncRun(Model):
        run = CharField(primary_key=True, max_length=32)
        kind = CharField(max_length=16)
        started_at = UTCDateTimeField()
        finished_at = UTCDateTimeField(null=True)
        members = IntegerField(default=0)
        customers = IntegerField(default=0)
        groups = IntegerField(default=0)

        class Meta:
            database = db
            table_name = "sync_run"

    class SyncProgress(Model):
        run = CharField(max_length=32)
        userid = CharField(max_length=64)
        cursor = TextField(default="")
        customers = IntegerField(default=0)
        finished_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "sync_progress"
            indexes = ((("run", "userid"), True),)

    class Alarm(Model):
        id = BigAutoField()
        kind = CharField(max_length=48)
        subject = CharField(max_length=128, default="")
        text = TextField()
        what_to_do = TextField()
        since = UTCDateTimeField()
        ended_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "alarm"

    db.create_tables([AccessToken, EndpointPause, Lease, SyncRun, SyncProgress, Alarm])
    db.execute_sql(
        "CREATE UNIQUE INDEX alarm_one_open ON alarm (kind, subject) WHERE ended_at IS NULL"
    )


def down(migrator: Any, db: Any) -> None:
    for table in ("alarm", "sync_progress", "sync_run", "lease", "endpoint_pause", "access_token"):
        db.execute_sql(f"DROP TABLE {table}")
