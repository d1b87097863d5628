"""Find the handover that a call opened whose process died before it could answer."""

from typing import Any

from peewee import BigIntegerField

TABLE = "idempotency_key"


def up(migrator: Any, db: Any) -> None:
    column = BigIntegerField(null=True)
    migrator.migrate(migrator.add_column(TABLE, "handover_id", column))


def down(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.drop_column(TABLE, "handover_id"))
