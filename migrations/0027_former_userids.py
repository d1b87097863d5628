"""Remember under which userids members were known before."""

from typing import Any

from peewee import CharField, Model

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class FormerUserid(Model):
        former = CharField(max_length=64, primary_key=True)
        userid = CharField(max_length=64, index=True)
        renamed_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "former_userid"

    db.create_tables([FormerUserid])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE former_userid")
