"""Readings of WeCom: their progress, and what they found and healed."""

from typing import Any

from peewee import BigAutoField, CharField, CompositeKey, IntegerField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class SyncRun(Model):
        run = CharField(max_length=32, primary_key=True)
        kind = CharField(max_length=16)
        started_at = UTCDateTimeField()
        finished_at = UTCDateTimeField(null=True)
        members = IntegerField()
        customers = IntegerField()
        groups = IntegerField()

        class Meta:
            database = db
            table_name = "sync_run"

    class SyncProgress(Model):
        run = CharField(max_length=32)
        step = CharField(max_length=16)
        subject = CharField(max_length=64)
        cursor = TextField()
        finished_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "sync_progress"
            primary_key = CompositeKey("run", "step", "subject")

    class SyncFinding(Model):
        id = BigAutoField()
        run = CharField(max_length=32)
        kind = CharField(max_length=32)
        subject = CharField(max_length=64)
        userid = CharField(max_length=64, null=True)
        here = TextField()
        wecom = TextField()
        outcome = CharField(max_length=8)
        found_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "sync_finding"
            indexes = ((("run", "kind"), False),)

    class SyncCount(Model):
        run = CharField(max_length=32)
        kind = CharField(max_length=32)
        outcome = CharField(max_length=8)
        number = IntegerField()

        class Meta:
            database = db
            table_name = "sync_count"
            primary_key = CompositeKey("run", "kind", "outcome")

    db.create_tables([SyncRun, SyncProgress, SyncFinding, SyncCount])
    db.execute_sql("CREATE INDEX sync_run_started_at ON sync_run (started_at)")


def down(migrator: Any, db: Any) -> None:
    for table in ("sync_count", "sync_finding", "sync_progress", "sync_run"):
        db.execute_sql(f"DROP TABLE {table}")
