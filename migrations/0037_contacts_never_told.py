"""Find the contacts of whom no add event ever spoke: nobody told them of archiving."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql(
        "CREATE INDEX relation_never_told ON relation (source, userid, external_userid)"
        " WHERE last_add_at IS NULL AND (told_at IS NULL OR told_at < noted_at)"
        " AND state IN ('active', 'half')"
    )


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP INDEX relation_never_told")
