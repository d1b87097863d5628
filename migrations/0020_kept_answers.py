"""Find customers without an owner and pairs without a notice along an index, however many have."""

from typing import Any

from bot.db import UTCDateTimeField

INDEXES = {
    "customer_unowned": "customer (met_at, external_userid) WHERE NOT is_owned",
    "customer_channel": "customer (channel, met_at, external_userid)",
    "relation_untold": (
        "relation (last_add_at)"
        " WHERE last_add_at IS NOT NULL AND (told_at IS NULL OR told_at < noted_at)"
    ),
    "notice_state_userid": "notice (state, userid)",
}
OWNED = """
UPDATE customer SET is_owned = (1 = 1) WHERE EXISTS (
  SELECT 1 FROM ownership WHERE ownership.external_userid = customer.external_userid)
"""
TOLD = """
UPDATE relation SET told_at = (
  SELECT MAX(notice.at) FROM notice
  WHERE notice.external_userid = relation.external_userid AND notice.userid = relation.userid
    AND notice.state IN ('delivered', 'by_hand'))
"""


def up(migrator: Any, db: Any) -> None:
    # With a default of the database's: processes of before, which go on meanwhile, know no column.
    db.execute_sql("ALTER TABLE customer ADD COLUMN is_owned BOOLEAN NOT NULL DEFAULT FALSE")
    migrator.migrate(migrator.add_column("relation", "told_at", UTCDateTimeField(null=True)))
    db.execute_sql(OWNED)
    db.execute_sql(TOLD)
    for name, what in INDEXES.items():
        db.execute_sql(f"CREATE INDEX {name} ON {what}")


def down(migrator: Any, db: Any) -> None:
    for name in INDEXES:
        db.execute_sql(f"DROP INDEX {name}")
    migrator.migrate(
        migrator.drop_column("relation", "told_at"),
        migrator.drop_column("customer", "is_owned"),
    )
