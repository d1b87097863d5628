"""The end of the audit log's chain is kept; on SQLite REPLACE takes no row of the log away.

The row itself is made by the clock, which has the key.
"""

from typing import Any

from peewee import BigIntegerField, CharField, IntegerField, Model, PostgresqlDatabase

# What REPLACE would take a row away for: SQLite fires no trigger of the row that goes.
UNIQUE = {
    "audit_entry": "id = NEW.id OR (writer = NEW.writer AND number = NEW.number)",
    "audit_seal": "position = NEW.position OR entry_id = NEW.entry_id",
    "audit_anchor": "position = NEW.position",
}


def up(migrator: Any, db: Any) -> None:
    class AuditEnd(Model):
        id = IntegerField(primary_key=True)
        position = BigIntegerField()
        link = CharField(max_length=64)
        mac = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "audit_end"

    db.create_tables([AuditEnd])
    if isinstance(db, PostgresqlDatabase):
        return
    for table, same in UNIQUE.items():
        there = f"SELECT 1 FROM {table} WHERE {same}"  # noqa: S608 - our own words
        db.execute_sql(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({there})"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
        )


def down(migrator: Any, db: Any) -> None:
    if not isinstance(db, PostgresqlDatabase):
        for table in UNIQUE:
            db.execute_sql(f"DROP TRIGGER {table}_no_replace")
    db.execute_sql("DROP TABLE audit_end")
