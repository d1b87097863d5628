"""Remember of a job that failed whether WeCom was out of reach."""

from typing import Any

from bot.db import UTCDateTimeField

TABLE = "planned_job"


def up(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.add_column(TABLE, "away_at", UTCDateTimeField(null=True)))


def down(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.drop_column(TABLE, "away_at"))
