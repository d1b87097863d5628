"""The audit log: rows that can be added and read, and neither changed nor removed."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    IntegerField,
    JSONField,
    Model,
    PostgresqlDatabase,
    TextField,
)

from bot.db import UTCDateTimeField

ADD_ONLY = ("audit_entry", "audit_seal", "audit_anchor")
# Names are looked up in PostgreSQL's own schema: another one may hold operators of others.
REFUSE_ON_POSTGRES = """
CREATE FUNCTION audit_is_add_only() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END $$
"""
REFUSE_ON_SQLITE = "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
# What REPLACE would take a row away for: SQLite fires no trigger of the row that goes.
UNIQUE = {
    "audit_entry": "id = NEW.id OR (writer = NEW.writer AND number = NEW.number)",
    "audit_seal": "position = NEW.position OR entry_id = NEW.entry_id",
    "audit_anchor": "position = NEW.position",
}


def up(migrator: Any, db: Any) -> None:
    class AuditEntry(Model):
        id = BigAutoField()
        writer = CharField(max_length=32)
        number = BigIntegerField()
        at = UTCDateTimeField()
        actor = CharField(max_length=160)
        act = CharField(max_length=64)
        subject = CharField(max_length=160)
        purpose = TextField()
        origin = CharField(max_length=64)
        details = JSONField()
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

    class AuditEnd(Model):
        id = IntegerField(primary_key=True)
        position = BigIntegerField()
        link = CharField(max_length=64)
        mac = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "audit_end"

    class AuditAnchor(Model):
        position = BigIntegerField(primary_key=True)
        link = CharField(max_length=64)
        at = UTCDateTimeField()
        signature = CharField(max_length=128)

        class Meta:
            database = db
            table_name = "audit_anchor"

    class AuditCheck(Model):
        id = IntegerField(primary_key=True)
        at = UTCDateTimeField()
        sealed = BigIntegerField()
        faults = IntegerField()
        first = TextField()

        class Meta:
            database = db
            table_name = "audit_check"

    db.create_tables(
        [AuditEntry, AuditWriter, AuditSeal, AuditSealed, AuditEnd, AuditAnchor, AuditCheck]
    )
    if isinstance(db, PostgresqlDatabase):
        _protect_on_postgres(db)
    else:
        _protect_on_sqlite(db)


def down(migrator: Any, db: Any) -> None:
    for table in (*ADD_ONLY, "audit_writer", "audit_sealed", "audit_end", "audit_check"):
        db.execute_sql(f"DROP TABLE {table}")
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("DROP FUNCTION audit_is_add_only()")


def _protect_on_postgres(db: Any) -> None:
    """Take from every role but the owner what would change a row; the trigger stops the owner's
    own mistakes, and the verifier finds what an owner does on purpose."""
    db.execute_sql(REFUSE_ON_POSTGRES)
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
                f" {REFUSE_ON_SQLITE}"
            )
        there = f"SELECT 1 FROM {table} WHERE {UNIQUE[table]}"  # noqa: S608 - our own words
        db.execute_sql(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({there})"
            f" {REFUSE_ON_SQLITE}"
        )
