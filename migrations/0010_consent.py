"""What customers were told and what they answered."""

from typing import Any

from peewee import BigAutoField, BigIntegerField, CharField, IntegerField, JSONField, Model

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class Notice(Model):
        id = BigAutoField()
        event_id = BigIntegerField(unique=True)
        external_userid = CharField(max_length=64)
        userid = CharField(max_length=64)
        template = CharField(max_length=64)
        version = CharField(max_length=32)
        text_sha256 = CharField(max_length=64)
        state = CharField(max_length=24)
        errcode = IntegerField(null=True)
        reason_code = CharField(max_length=64)
        reason_facts = JSONField()
        at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "notice"
            indexes = ((("external_userid", "userid"), False),)

    class GapDigest(Model):
        id = BigAutoField()
        userid = CharField(max_length=64, index=True)
        external_userid = CharField(max_length=64)
        added_at = UTCDateTimeField()
        told_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "gap_digest"
            indexes = ((("external_userid", "userid", "added_at"), True),)

    class Consent(Model):
        id = BigAutoField()
        external_userid = CharField(max_length=64)
        userid = CharField(max_length=64, null=True)
        chat_id = CharField(max_length=64, null=True)
        state = CharField(max_length=16)
        since = UTCDateTimeField()
        evidence = CharField(max_length=255)
        event_id = BigIntegerField(null=True, unique=True)
        recorded_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "consent"
            indexes = (
                (("external_userid", "userid", "since", "state"), True),
                (("external_userid", "chat_id", "since", "state"), True),
            )

    db.create_tables([Notice, GapDigest, Consent])
    db.execute_sql("CREATE INDEX notice_state_userid ON notice (state, userid)")


def down(migrator: Any, db: Any) -> None:
    for table in ("consent", "gap_digest", "notice"):
        db.execute_sql(f"DROP TABLE {table}")
