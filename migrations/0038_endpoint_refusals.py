"""Remember which endpoints refuse everybody."""

from typing import Any

from peewee import CharField, IntegerField, Model

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class EndpointRefusal(Model):
        name = CharField(max_length=128, primary_key=True)
        endpoint = CharField(max_length=96)
        errcode = IntegerField(null=True)
        records = IntegerField()
        since = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "endpoint_refusal"

    db.create_tables([EndpointRefusal])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE endpoint_refusal")
