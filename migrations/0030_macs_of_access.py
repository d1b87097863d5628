"""A MAC on rows that grant access."""

from typing import Any

from peewee import CharField

TABLES = ("api_token", "local_user", "login", "role_grant", "second_factor")


def up(migrator: Any, db: Any) -> None:
    migrator.migrate(
        *(
            migrator.add_column(table, "mac", CharField(max_length=64, null=True))
            for table in TABLES
        )
    )


def down(migrator: Any, db: Any) -> None:
    for table in TABLES:
        db.execute_sql(f"ALTER TABLE {table} DROP COLUMN mac")
