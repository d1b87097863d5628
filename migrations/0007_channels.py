"""Contact ways that Kegui made."""

from typing import Any

from peewee import BigAutoField, CharField, JSONField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class ContactWay(Model):
        id = BigAutoField()
        config_id = CharField(max_length=64, unique=True)
        qr_code = TextField()
        userids = JSONField()
        state = CharField(max_length=30, index=True)
        remark = CharField(max_length=30)
        channel = CharField(max_length=64)
        created_at = UTCDateTimeField()
        updated_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "contact_way"

    db.create_tables([ContactWay])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE contact_way")
