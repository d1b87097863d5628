"""The conversation archive: messages in one chain, their keys, and an index of sealed words."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    IntegerField,
    JSONField,
    Model,
    PostgresqlDatabase,
)

from bot.db import PairsField, UTCDateTimeField

TABLES = (
    "archive_file",
    "archive_media",
    "archive_anchor",
    "archive_silence",
    "archive_day_key",
    "archive_participant",
    "archive_conversation",
    "archive_message",
    "archive_state",
)


def up(migrator: Any, db: Any) -> None:
    class ArchiveState(Model):
        id = IntegerField(primary_key=True)
        begun_at = UTCDateTimeField()
        cursor = BigIntegerField()
        last_sent_at = UTCDateTimeField(null=True)
        pulled_at = UTCDateTimeField(null=True)
        asked_at = UTCDateTimeField(null=True)
        trouble = CharField(max_length=160)
        position = BigIntegerField()
        link = CharField(max_length=64)
        mac = CharField(max_length=64)
        permitted = JSONField()
        permitted_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "archive_state"

    class ArchiveMessage(Model):
        position = BigIntegerField(primary_key=True)
        seq = BigIntegerField()
        msgid = CharField(max_length=128)
        state = CharField(max_length=16)
        publickey_ver = IntegerField()
        msgtype = CharField(max_length=64)
        action = CharField(max_length=16)
        sender = CharField(max_length=128)
        chat_id = CharField(max_length=128)
        conversation = BigIntegerField(null=True)
        sent_at = UTCDateTimeField()
        is_estimated = BooleanField()
        pulled_at = UTCDateTimeField()
        recalls = CharField(max_length=128, null=True)
        day = CharField(max_length=10, index=True)
        sealed = BlobField()
        pairs = PairsField(null=True)
        hash = CharField(max_length=64)
        link = CharField(max_length=64)
        is_open = BooleanField()
        code = IntegerField(null=True)

        class Meta:
            database = db
            table_name = "archive_message"
            indexes = (
                (("msgid", "state"), True),
                (("seq", "position"), False),
                (("conversation", "sent_at"), False),
                (("sent_at", "position"), False),
                (("sender", "sent_at"), False),
            )

    class ArchiveConversation(Model):
        id = BigAutoField()
        key = CharField(max_length=264, unique=True)
        chat_id = CharField(max_length=128, index=True)
        kind = CharField(max_length=16)
        first_at = UTCDateTimeField()
        last_at = UTCDateTimeField(index=True)

        class Meta:
            database = db
            table_name = "archive_conversation"

    class ArchiveParticipant(Model):
        conversation = BigIntegerField()
        person = CharField(max_length=128)
        first_at = UTCDateTimeField()
        last_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "archive_participant"
            primary_key = CompositeKey("conversation", "person")
            indexes = ((("person", "conversation"), False),)

    class ArchiveDayKey(Model):
        day = CharField(max_length=10, primary_key=True)
        sealed = BlobField()
        created_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "archive_day_key"

    class ArchiveSilence(Model):
        id = BigAutoField()
        reason = CharField(max_length=16)
        since = UTCDateTimeField()
        until = UTCDateTimeField()
        seq_before = BigIntegerField()
        seq_after = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "archive_silence"

    class ArchiveAnchor(Model):
        position = BigIntegerField(primary_key=True)
        link = CharField(max_length=64)
        at = UTCDateTimeField()
        signature = CharField(max_length=128)

        class Meta:
            database = db
            table_name = "archive_anchor"

    class ArchiveMedia(Model):
        id = BigAutoField()
        message = BigIntegerField()
        number = IntegerField()
        kind = CharField(max_length=64)
        sealed = BlobField()
        size = BigIntegerField(null=True)
        state = CharField(max_length=16)
        file = CharField(max_length=64, null=True, index=True)
        is_md5_right = BooleanField(null=True)
        deadline = UTCDateTimeField()
        due_at = UTCDateTimeField()
        tries = IntegerField()
        code = IntegerField(null=True)

        class Meta:
            database = db
            table_name = "archive_media"
            indexes = ((("message", "number"), True), (("state", "due_at"), False))

    class ArchiveFile(Model):
        name = CharField(max_length=64, primary_key=True)
        sealed = BlobField()
        size = BigIntegerField()
        type = CharField(max_length=64)
        stored_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "archive_file"

    db.create_tables(
        [
            ArchiveState,
            ArchiveMessage,
            ArchiveConversation,
            ArchiveParticipant,
            ArchiveDayKey,
            ArchiveSilence,
            ArchiveAnchor,
            ArchiveMedia,
            ArchiveFile,
        ]
    )
    db.execute_sql(
        "CREATE INDEX archive_message_recalls ON archive_message (recalls)"
        " WHERE recalls IS NOT NULL"
    )
    db.execute_sql(
        "CREATE INDEX archive_message_open ON archive_message (publickey_ver) WHERE is_open"
    )
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("CREATE INDEX archive_message_pairs ON archive_message USING gin (pairs)")
    else:
        # Without a copy of the words: what is looked for stands in archive_message.pairs.
        db.execute_sql(
            "CREATE VIRTUAL TABLE archive_pairs"
            " USING fts5(pairs, content='', detail='none', tokenize='ascii')"
        )


def down(migrator: Any, db: Any) -> None:
    if not isinstance(db, PostgresqlDatabase):
        db.execute_sql("DROP TABLE archive_pairs")
    for table in TABLES:
        db.execute_sql(f"DROP TABLE {table}")
