"""Keep the text of a message until it is certain that it was sent."""

from typing import Any

from peewee import BlobField

TABLE = "effect"


def up(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.add_column(TABLE, "sealed_text", BlobField(null=True)))


def down(migrator: Any, db: Any) -> None:
    migrator.migrate(migrator.drop_column(TABLE, "sealed_text"))
