"""What people do for a handover by hand is marked as done: by whom and when."""

from typing import Any

from peewee import CharField

from bot.db import UTCDateTimeField

TABLE = "hand_work"


def up(migrator: Any, db: Any) -> None:
    migrator.migrate(
        migrator.add_column(TABLE, "done_at", UTCDateTimeField(null=True)),
        migrator.add_column(TABLE, "done_by", CharField(max_length=128, null=True)),
    )
    # Of what is over nobody was reminded so far; it must not all come back at once.
    db.execute_sql(
        "UPDATE hand_work SET done_at = (SELECT updated_at FROM handover"
        " WHERE handover.id = hand_work.handover_id)"
        " WHERE handover_id IN (SELECT id FROM handover"
        " WHERE state IN ('done', 'done_with_exceptions', 'cancelled'))"
    )


def down(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.drop_column(TABLE, "done_by"), migrator.drop_column(TABLE, "done_at"))
