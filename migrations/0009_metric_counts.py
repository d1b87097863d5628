"""What the processes counted, for whoever asks one of them."""

from typing import Any

from peewee import CharField, CompositeKey, DoubleField, Model


def up(migrator: Any, db: Any) -> None:
    class MetricCount(Model):
        name = CharField(max_length=96)
        labels = CharField()
        value = DoubleField()

        class Meta:
            database = db
            table_name = "metric_count"
            primary_key = CompositeKey("name", "labels")

    db.create_tables([MetricCount])


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP TABLE metric_count")
