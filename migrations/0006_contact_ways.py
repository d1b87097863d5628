"""Contact ways that Kegui made."""

from typing import Any

from peewee import BigAutoField, CharField, JSONField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class ContactWay(Model):
        id = BigAutoField()
        config_id = CharField(unique=True, max_length=64)
        qr_code = TextField(default="")
        userids = JSONField(default=list)
        state = CharField(index=True, max_length=30, default="")
        remark = CharField(max_length=30, default="")
        channel = CharField(max_length=64, default="")
        created_at = UTCDateTimeField()
        updated_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "contact_way"

    db.create_tables([ContactWay])


def down(migrator: Any, db: Any) -> None:
    for table in ("contact_way",):
        db.execute_sql(f"DROP TABLE {table}")
