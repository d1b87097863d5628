"""What a reading found and healed; its progress by steps."""

from typing import Any

from peewee import BigAutoField, CharField, CompositeKey, IntegerField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class SyncProgress(Model):
        run = CharField(max_length=32)
        step = CharField(max_length=16)
        subject = CharField(max_length=64)
        cursor = TextField(default="")
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
        here = TextField(default="")
        wecom = TextField(default="")
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
        number = IntegerField(default=0)

        class Meta:
            database = db
            table_name = "sync_count"
            primary_key = CompositeKey("run", "kind", "outcome")

    # Progress lives as long as an unfinished reading: that one begins anew.
    db.execute_sql("DROP TABLE sync_progress")
    db.create_tables([SyncProgress, SyncFinding, SyncCount])
    db.execute_sql("CREATE INDEX sync_run_started_at ON sync_run (started_at)")


def down(migrator: Any, db: Any) -> None:
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

    db.execute_sql("DROP INDEX sync_run_started_at")
    for table in ("sync_count", "sync_finding", "sync_progress"):
        db.execute_sql(f"DROP TABLE {table}")
    # The hourly readings were unknown before: they would pass for a finished import.
    db.execute_sql("DELETE FROM sync_run WHERE kind = 'unassigned'")
    db.create_tables([SyncProgress])
