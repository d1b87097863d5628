"""The inbox, a table for what was settled long ago, and a view of both."""

from typing import Any

from peewee import BigAutoField, BlobField, CharField, IntegerField, JSONField, Model

from bot.db import UTCDateTimeField

COLUMNS = (
    "id, key, source, event, change_type, userid, external_userid, lane, payload, state, attempts,"
    " received_at, due_at, lease_until, finished_at, replayed_at, error_code,"
    " error_facts"
)


def up(migrator: Any, db: Any) -> None:
    class StoredEvent(Model):
        id = BigAutoField()
        key = CharField(max_length=64, unique=True)
        source = CharField(max_length=16)
        event = CharField(max_length=64)
        change_type = CharField(max_length=64)
        userid = CharField(max_length=64, null=True)
        external_userid = CharField(max_length=64, null=True)
        lane = CharField(max_length=16)
        payload = BlobField()
        state = CharField(max_length=16)
        attempts = IntegerField()
        received_at = UTCDateTimeField()
        due_at = UTCDateTimeField()
        lease_until = UTCDateTimeField(null=True)
        finished_at = UTCDateTimeField(null=True)
        replayed_at = UTCDateTimeField(null=True)
        error_code = CharField(max_length=64, null=True)
        error_facts = JSONField(null=True)

        class Meta:
            database = db

    class InboxEvent(StoredEvent):
        class Meta:
            table_name = "inbox_event"
            indexes = (
                (("event", "change_type"), False),
                (("userid", "external_userid"), False),
            )

    class InboxArchive(StoredEvent):
        class Meta:
            table_name = "inbox_archive"
            indexes = (
                (("state", "id"), False),
                (("userid", "id"), False),
                (("external_userid", "id"), False),
            )

    db.create_tables([InboxEvent, InboxArchive])
    # Find the few unsettled events among years of settled ones.
    db.execute_sql(
        "CREATE INDEX inbox_event_unsettled ON inbox_event (lane, state, due_at)"
        " WHERE state IN ('waiting', 'claimed', 'failed', 'dead')"
    )
    db.execute_sql("CREATE INDEX inbox_event_external_userid ON inbox_event (external_userid)")
    # The columns are named: a column that a later release adds must be added here by it.
    db.execute_sql(
        f"CREATE VIEW inbox_history AS SELECT {COLUMNS} FROM inbox_event"  # noqa: S608
        f" UNION ALL SELECT {COLUMNS} FROM inbox_archive"
    )


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP VIEW inbox_history")
    for table in ("inbox_archive", "inbox_event"):
        db.execute_sql(f"DROP TABLE {table}")
