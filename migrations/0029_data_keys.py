"""The keys that seal, each wrapped by the master key."""

from typing import Any

from peewee import BlobField, IntegerField, Model

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class DataKey(Model):
        id = IntegerField(primary_key=True)
        wrapped = BlobField()
        created_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "data_key"

    db.create_tables([DataKey])


def down(migrator: Any, db: Any) -> None:
    # Key 1 alone is the master key itself, and what it sealed the version before opens.
    [(keys,)] = db.execute_sql("SELECT COUNT(*) FROM data_key WHERE id > 1").fetchall()
    if keys:
        raise RuntimeError("the data keys were rotated: the version before opens nothing of theirs")
    db.execute_sql("DROP TABLE data_key")
