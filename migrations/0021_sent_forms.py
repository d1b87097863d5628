"""Forms that make something do it once, however often they are sent."""

from typing import Any

from peewee import CharField, Model

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class SentForm(Model):
        key = CharField(max_length=64, primary_key=True)
        sent_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "sent_form"

    db.create_tables([SentForm])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE sent_form")
