"""What the last verification of the audit log found."""

from typing import Any

from peewee import BigIntegerField, IntegerField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class AuditCheck(Model):
        id = IntegerField(primary_key=True)
        at = UTCDateTimeField()
        sealed = BigIntegerField()
        faults = IntegerField()
        first = TextField(default="")

        class Meta:
            database = db
            table_name = "audit_check"

    db.create_tables([AuditCheck])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE audit_check")
