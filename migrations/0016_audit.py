"""The audit log: rows that can be added and read, and neither changed nor removed."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    JSONField,
    Model,
    PostgresqlDatabase,
    TextField,
)

from bot.db import UTCDateTimeField

ADD_ONLY = ("audit_entry", "audit_seal", "audit_anchor")
REFUSE = """
CREATE FUNCTION audit_is_add_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END $$
"""


def up(migrator: Any, db: Any) -> None:
    class AuditEntry(Model):
        id = BigAutoField()
        writer = CharField(max_length=32)
        number = BigIntegerField()
        at = UTCDateTimeField()
        actor = CharField(max_length=160)
        act = CharField(max_length=64)
        subject = CharField(max_length=160)
        purpose = TextField(default="")
        origin = CharField(max_length=64, default="")
        details = JSONField(default=dict)
        mac = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "audit_entry"
            indexes = (
                (("writer", "number"), True),
                (("actor", "id"), False),
                (("subject", "id"), False),
                (("act", "id"), False),
            )

    class AuditWriter(Model):
        writer = CharField(max_length=32, primary_key=True)
        number = BigIntegerField()
        mac = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "audit_writer"

    class AuditSeal(Model):
        position = BigIntegerField(primary_key=True)
        entry_id = BigIntegerField(unique=True)
        link = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "audit_seal"

    class AuditSealed(Model):
        writer = CharField(max_length=32, primary_key=True)
        number = BigIntegerField()

        class Meta:
            database = db
            table_name = "audit_sealed"

    class AuditAnchor(Model):
        position = BigIntegerField(primary_key=True)
        link = CharField(max_length=64)
        at = UTCDateTimeField()
        signature = CharField(max_length=128)

        class Meta:
            database = db
            table_name = "audit_anchor"

    db.create_tables([AuditEntry, AuditWriter, AuditSeal, AuditSealed, AuditAnchor])
    if isinstance(db, PostgresqlDatabase):
        _protect_on_postgres(db)
    else:
        _protect_on_sqlite(db)


def down(migrator: Any, db: Any) -> None:
    for table in (*ADD_ONLY, "audit_writer", "audit_sealed"):
        db.execute_sql(f"DROP TABLE {table}")
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("DROP FUNCTION audit_is_add_only()")


def _protect_on_postgres(db: Any) -> None:
    """Take from every role but the owner what would change a row; the trigger stops the owner's
    own mistakes, and the verifier finds what an owner does on purpose."""
    db.execute_sql(REFUSE)
    for table in ADD_ONLY:
        db.execute_sql(
            f"CREATE TRIGGER audit_is_add_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION audit_is_add_only()"
        )
        others = db.execute_sql(
            "SELECT DISTINCT grantee FROM information_schema.role_table_grants"
            " WHERE table_schema = current_schema() AND table_name = %s"
            " AND grantee <> (SELECT tableowner FROM pg_tables"
            " WHERE schemaname = current_schema() AND tablename = %s)",
            (table, table),
        ).fetchall()
        for (role,) in others:
            name = "PUBLIC" if role == "PUBLIC" else '"' + str(role).replace('"', '""') + '"'
            db.execute_sql(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {name}")


def _protect_on_sqlite(db: Any) -> None:
    for table in ADD_ONLY:
        for what in ("UPDATE", "DELETE"):
            db.execute_sql(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
            )
