"""Why customers belong to whom: the rules, what they decided, and what was tried."""

from typing import Any

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    IntegerField,
    JSONField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField

TABLES = ("allocation", "dry_run", "rule_set")


def up(migrator: Any, db: Any) -> None:
    class RuleSet(Model):
        id = BigAutoField()
        kind = CharField(max_length=32)
        number = IntegerField()
        label = CharField(max_length=32)
        body = TextField()
        body_sha256 = CharField(max_length=64)
        source = CharField(max_length=16)
        state = CharField(max_length=16, index=True)
        drafted_by = CharField(max_length=160)
        drafted_at = UTCDateTimeField()
        released_by = CharField(max_length=160, null=True)
        released_at = UTCDateTimeField(null=True)
        ended_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "rule_set"
            indexes = ((("kind", "number"), True),)

    RuleSet.add_index(
        RuleSet.index(
            RuleSet.kind, unique=True, name="ruleset_one_released", where=SQL("state = 'released'")
        )
    )

    class DryRun(Model):
        id = BigAutoField()
        rule_set_id = BigIntegerField(index=True)
        since = UTCDateTimeField()
        until = UTCDateTimeField()
        state = CharField(max_length=16, index=True)
        asked_by = CharField(max_length=160)
        asked_at = UTCDateTimeField()
        claimed_until = UTCDateTimeField(null=True)
        tried = IntegerField()
        finished_at = UTCDateTimeField(null=True)
        error = TextField(null=True)
        result = JSONField(null=True)

        class Meta:
            database = db
            table_name = "dry_run"

    class Allocation(Model):
        id = BigAutoField()
        event_id = BigIntegerField(null=True, unique=True)
        external_userid = CharField(max_length=64, index=True)
        added_userid = CharField(max_length=64)
        channel = CharField(max_length=64)
        owner = CharField(max_length=64, null=True)
        outcome = CharField(max_length=24)
        rule = CharField(max_length=128, null=True)
        rule_set_id = BigIntegerField(null=True)
        rules_version = CharField(max_length=32)
        seed = BigIntegerField()
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
        arrival = JSONField()
        explained = BlobField(null=True)
        decided_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "allocation"
            indexes = (
                (("decided_at", "owner"), False),
                (("rule", "owner", "decided_at"), False),
            )

    db.create_tables([RuleSet, DryRun, Allocation])


def down(migrator: Any, db: Any) -> None:
    for table in TABLES:
        db.execute_sql(f"DROP TABLE {table}")
