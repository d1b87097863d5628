"""Staff, customers, contacts and owners."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    IntegerField,
    JSONField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class Department(Model):
        id = IntegerField(primary_key=True)
        name = CharField(default="")
        parent_id = IntegerField(default=0)
        leaders = JSONField(default=list)

        class Meta:
            database = db
            table_name = "department"

    class Staff(Model):
        userid = CharField(primary_key=True, max_length=64)
        name = CharField(default="")
        departments = JSONField(default=list)
        main_department = IntegerField(null=True)
        direct_leader = CharField(null=True, max_length=64)
        status = IntegerField(default=1)
        serves = BooleanField(default=False)
        left_at = UTCDateTimeField(null=True)
        returned_at = UTCDateTimeField(null=True)
        capacity = IntegerField(null=True)
        licences = JSONField(default=list)
        on_duty = BooleanField(default=True)
        on_leave = BooleanField(default=False)
        seen_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "staff"

    class Customer(Model):
        external_userid = CharField(primary_key=True, max_length=64)
        name = CharField(default="")
        type = IntegerField(null=True)
        channel = CharField(max_length=64, default="")
        review = CharField(index=True, null=True, max_length=32)
        met_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "customer"

    class Relation(Model):
        id = BigAutoField()
        external_userid = CharField(max_length=64)
        userid = CharField(index=True, max_length=64)
        state = CharField(max_length=16)
        source = CharField(max_length=16)
        channel = CharField(max_length=64, default="")
        added_at = UTCDateTimeField()
        noted_at = UTCDateTimeField()
        last_add_at = UTCDateTimeField(null=True)
        ended_at = UTCDateTimeField(null=True)
        end = CharField(null=True, max_length=32)

        class Meta:
            database = db
            table_name = "relation"
            indexes = ((("external_userid", "userid"), True),)

    class Ownership(Model):
        id = BigAutoField()
        external_userid = CharField(index=True, max_length=64)
        userid = CharField(index=True, max_length=64)
        since = UTCDateTimeField()
        until = UTCDateTimeField(null=True)
        reason = TextField()
        allocation_id = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "ownership"

    class GroupChat(Model):
        chat_id = CharField(primary_key=True, max_length=64)
        name = CharField(default="")
        owner = CharField(index=True, max_length=64)
        dismissed_at = UTCDateTimeField(null=True)
        seen_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "group_chat"

    db.create_tables([Department, Staff, Customer, Relation, Ownership, GroupChat])
    db.execute_sql(
        "CREATE UNIQUE INDEX ownership_one_owner ON ownership (external_userid) WHERE until IS NULL"
    )


def down(migrator: Any, db: Any) -> None:
    for table in ("group_chat", "ownership", "relation", "customer", "staff", "department"):
        db.execute_sql(f"DROP TABLE {table}")
