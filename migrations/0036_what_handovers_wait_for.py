"""Remember what a handover waits for; find the items that nobody takes over."""

from typing import Any

from peewee import SQL, TextField

from bot.db import UTCDateTimeField

TABLE = "handover"


def up(migrator: Any, db: Any) -> None:
    migrator.migrate(
        migrator.add_column(
            TABLE, "waits_for", TextField(default="", constraints=[SQL("DEFAULT ''")])
        ),
        migrator.add_column(TABLE, "waits_until", UTCDateTimeField(null=True)),
    )
    db.execute_sql(
        "CREATE INDEX handover_item_without_successor ON handover_item (handover_id)"
        " WHERE takeover_userid IS NULL AND state = 'planned'"
    )


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP INDEX handover_item_without_successor")
    migrator.migrate(
        migrator.drop_column(TABLE, "waits_until"), migrator.drop_column(TABLE, "waits_for")
    )
