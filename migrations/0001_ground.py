"""What every capability stands on: keys, leases, effects, alarms, jobs and counts."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    FloatField,
    IntegerField,
    JSONField,
    Model,
)

from bot.db import UTCDateTimeField

TABLES = ("metric_count", "planned_job", "job_run", "alarm", "effect", "lease", "data_key")


def up(migrator: Any, db: Any) -> None:
    class DataKey(Model):
        id = IntegerField(primary_key=True)
        wrapped = BlobField()
        created_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "data_key"

    class Lease(Model):
        name = CharField(max_length=128, primary_key=True)
        holder = CharField(max_length=64)
        until = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "lease"

    class Effect(Model):
        id = BigAutoField()
        identity = CharField(max_length=255, unique=True)
        kind = CharField(max_length=32)
        event_id = BigIntegerField(null=True, index=True)
        state = CharField(max_length=16)
        attempts = IntegerField()
        errcode = IntegerField(null=True)
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
        sealed_text = BlobField(null=True)
        started_at = UTCDateTimeField()
        lease_until = UTCDateTimeField()
        finished_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "effect"

    class Alarm(Model):
        id = BigAutoField()
        kind = CharField(max_length=48)
        subject = CharField(max_length=128)
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
        advice_code = CharField(max_length=64)
        advice_facts = JSONField()
        since = UTCDateTimeField()
        ended_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "alarm"

    class JobRun(Model):
        job = CharField(max_length=96, primary_key=True)
        struck_at = UTCDateTimeField()
        finished_at = UTCDateTimeField(null=True)
        error_code = CharField(max_length=64)
        error_facts = JSONField()

        class Meta:
            database = db
            table_name = "job_run"

    class PlannedJob(Model):
        job = CharField(max_length=96, primary_key=True)
        patience = FloatField()
        may_take = FloatField()
        is_reading = BooleanField()
        well_at = UTCDateTimeField()
        failed_at = UTCDateTimeField(null=True)
        away_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "planned_job"

    class MetricCount(Model):
        name = CharField(max_length=96)
        labels = CharField(max_length=255)
        value = DoubleField()

        class Meta:
            database = db
            table_name = "metric_count"
            primary_key = CompositeKey("name", "labels")

    db.create_tables([DataKey, Lease, Effect, Alarm, JobRun, PlannedJob, MetricCount])
    db.execute_sql(
        "CREATE UNIQUE INDEX alarm_one_open ON alarm (kind, subject) WHERE ended_at IS NULL"
    )


def down(migrator: Any, db: Any) -> None:
    for table in TABLES:
        db.execute_sql(f"DROP TABLE {table}")
