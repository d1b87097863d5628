"""Views that people save, and a form sent twice that moves customers once."""

from typing import Any

from peewee import BigAutoField, CharField, Model, TextField

from bot.db import UTCDateTimeField


def up(migrator: Any, db: Any) -> None:
    class SavedView(Model):
        id = BigAutoField()
        actor = CharField(max_length=160)
        screen = CharField(max_length=32)
        name = CharField(max_length=64)
        query = TextField()
        saved_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "saved_view"
            indexes = ((("actor", "screen", "name"), True),)

    db.create_tables([SavedView])
    db.execute_sql(
        "CREATE UNIQUE INDEX handover_one_of_a_form ON handover (userid, source)"
        " WHERE substr(source, 1, 8) = 'console '"
    )


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP INDEX handover_one_of_a_form")
    db.execute_sql("DROP TABLE saved_view")
