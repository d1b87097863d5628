"""Find the logins that hold along an index, among all there ever were."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("CREATE INDEX login_open ON login (expires_at) WHERE ended_at IS NULL")


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP INDEX login_open")
