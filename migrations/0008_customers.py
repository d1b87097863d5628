"""Customers, their relations with members, their owners, conflicts, and group chats."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    Model,
    PostgresqlDatabase,
)

from bot.db import UTCDateTimeField

TABLES = ("group_chat", "ownership", "conflict", "relation", "customer")
INDEXES = {
    "customer_met": "customer (met_at, external_userid)",
    "customer_channel": "customer (channel, met_at, external_userid)",
    "customer_unowned": "customer (met_at, external_userid) WHERE NOT is_owned",
    "relation_untold": (
        "relation (last_add_at)"
        " WHERE last_add_at IS NOT NULL AND (told_at IS NULL OR told_at < noted_at)"
    ),
    # Contacts of whom no add event ever spoke.
    "relation_never_told": (
        "relation (source, userid, external_userid)"
        " WHERE last_add_at IS NULL AND (told_at IS NULL OR told_at < noted_at)"
        " AND state IN ('active', 'half')"
    ),
}
ONLY_ONE = {
    "ownership_one_owner": "ownership (external_userid) WHERE until IS NULL",
    "conflict_one_open": "conflict (external_userid) WHERE state = 'open'",
}
# Find a customer by any two characters of the name or id that stand together. Without an extension,
# which a database's keeper would have to allow; and pg_trgm takes three characters, where many a
# Chinese name has two. Only the letters A to Z are folded: so is what `bot.customers.directory`
# compares with, and no language's rules, which a new version of the server may change, are in the
# index. A restored backup may have left the function behind.
BIGRAMS = """
CREATE OR REPLACE FUNCTION bigrams(given text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT array_agg(DISTINCT substr(folded, place, 2))
  FROM (SELECT lower(given COLLATE "C") AS folded) AS one,
       generate_series(1, greatest(length(given) - 1, 1)) AS place
$$
"""


def up(migrator: Any, db: Any) -> None:
    class Customer(Model):
        external_userid = CharField(max_length=64, primary_key=True)
        name = CharField(max_length=255)
        type = IntegerField(null=True)
        channel = CharField(max_length=64)
        tags = JSONField()
        review = CharField(max_length=32, null=True, index=True)
        met_at = UTCDateTimeField()
        is_owned = BooleanField()

        class Meta:
            database = db
            table_name = "customer"

    class Relation(Model):
        id = BigAutoField()
        external_userid = CharField(max_length=64)
        userid = CharField(max_length=64, index=True)
        state = CharField(max_length=16)
        source = CharField(max_length=16)
        channel = CharField(max_length=64)
        added_at = UTCDateTimeField()
        noted_at = UTCDateTimeField()
        last_add_at = UTCDateTimeField(null=True)
        told_at = UTCDateTimeField(null=True)
        ended_at = UTCDateTimeField(null=True)
        end = CharField(max_length=32, null=True)

        class Meta:
            database = db
            table_name = "relation"
            indexes = ((("external_userid", "userid"), True),)

    class Conflict(Model):
        id = BigAutoField()
        external_userid = CharField(max_length=64, index=True)
        state = CharField(max_length=16, index=True)
        owner = CharField(max_length=64, null=True)
        contenders = JSONField()
        opened_at = UTCDateTimeField()
        resolved_at = UTCDateTimeField(null=True)
        resolution = JSONField(null=True)
        told_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "conflict"

    class Ownership(Model):
        id = BigAutoField()
        external_userid = CharField(max_length=64, index=True)
        userid = CharField(max_length=64, index=True)
        since = UTCDateTimeField()
        until = UTCDateTimeField(null=True)
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
        allocation_id = BigIntegerField(null=True)
        conflict = ForeignKeyField(Conflict, null=True, index=False)

        class Meta:
            database = db
            table_name = "ownership"

    class GroupChat(Model):
        chat_id = CharField(max_length=64, primary_key=True)
        name = CharField(max_length=255)
        owner = CharField(max_length=64, index=True)
        dismissed_at = UTCDateTimeField(null=True)
        seen_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "group_chat"

    db.create_tables([Customer, Relation, Conflict, Ownership, GroupChat])
    for name, what in INDEXES.items():
        db.execute_sql(f"CREATE INDEX {name} ON {what}")
    for name, what in ONLY_ONE.items():
        db.execute_sql(f"CREATE UNIQUE INDEX {name} ON {what}")
    if isinstance(db, PostgresqlDatabase):
        _make_search(db)


def _make_search(db: Any) -> None:
    db.execute_sql(BIGRAMS)
    # Every writer of a customer writes the indexes too, also where functions are nobody's by
    # default.
    db.execute_sql("GRANT EXECUTE ON FUNCTION bigrams(text) TO PUBLIC")
    for column in ("name", "external_userid"):
        # What was added lately is looked through in the index's waiting list: a short one, because
        # the writer who finds it full has to empty it.
        db.execute_sql(
            f"CREATE INDEX customer_{column}_bigrams ON customer"
            f' USING gin (bigrams({column} COLLATE "C")) WITH (gin_pending_list_limit = 512)'
        )


def down(migrator: Any, db: Any) -> None:
    for table in TABLES:
        db.execute_sql(f"DROP TABLE {table}")
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("DROP FUNCTION bigrams(text)")
