"""What all processes together have counted since the installation began."""

from collections.abc import Mapping

from peewee import EXCLUDED, CharField, CompositeKey, DoubleField

from bot.db import Model


class MetricCount(Model):
    """One counter, or one bucket of a histogram; ``labels`` is JSON with sorted names."""

    name = CharField(max_length=96)
    labels = CharField()
    value = DoubleField()

    class Meta:
        table_name = "metric_count"
        primary_key = CompositeKey("name", "labels")

    @classmethod
    def add(cls, counted: Mapping[tuple[str, str], float]) -> None:
        """Add to what stands there, by (name, labels), in one statement."""
        rows = [
            # Always in the same order: two processes would otherwise wait for each other's rows.
            {"name": name, "labels": labels, "value": counted[name, labels]}
            for name, labels in sorted(counted)
        ]
        cls.insert_many(rows).on_conflict(
            conflict_target=[cls.name, cls.labels],
            update={cls.value: cls.value + EXCLUDED.value},
        ).execute()
