"""Remember when each job of the timetable last went well."""

from typing import Any

from peewee import BooleanField, CharField, FloatField, Model

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class PlannedJob(Model):
        job = CharField(max_length=96, primary_key=True)
        patience = FloatField()
        may_take = FloatField()
        is_reading = BooleanField()
        well_at = UTCDateTimeField()
        failed_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "planned_job"

    db.create_tables([PlannedJob])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE planned_job")
