"""What the clock has struck, and how long the trouble behind a pause has lasted."""

from typing import Any

from peewee import SQL, CharField, IntegerField, Model, TextField

from bot.db import UTCDateTimeField

PAUSE = "endpoint_pause"


def up(migrator: Any, db: Any) -> None:
    class JobRun(Model):
        job = CharField(primary_key=True, max_length=96)
        struck_at = UTCDateTimeField()
        finished_at = UTCDateTimeField(null=True)
        error = TextField(null=True)

        class Meta:
            database = db
            table_name = "job_run"

    db.create_tables([JobRun])
    # With a default of the database's own, the version before still writes its pauses.
    failures = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    migrator.migrate(
        migrator.add_column(PAUSE, "since", UTCDateTimeField(null=True)),
        migrator.add_column(PAUSE, "failures", failures, allow_not_null=True),
        migrator.add_column(PAUSE, "probe_until", UTCDateTimeField(null=True)),
    )


def down(migrator: Any, db: Any) -> None:
    migrator.migrate(
        *(migrator.drop_column(PAUSE, name) for name in ("probe_until", "failures", "since"))
    )
    db.execute_sql("DROP TABLE job_run")
