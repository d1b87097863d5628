"""Find a customer by any two characters of the name or id that stand together, along an index.

Without an extension, which a database's keeper would have to allow; and pg_trgm takes three
characters, where many a Chinese name has two. Of a million customers it takes 40 seconds, during
which no new one is noted; consent notices go out meanwhile.
"""

from typing import Any

from peewee import PostgresqlDatabase

# Only the letters A to Z are folded: so is what `bot.customers.directory` compares with, and no
# language's rules, which a new version of the server may change, are in the index. An older Kegui
# that restores its own backup leaves the function behind.
BIGRAMS = """
CREATE OR REPLACE FUNCTION bigrams(given text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array_agg(DISTINCT substr(folded, place, 2))
  FROM (SELECT lower(given COLLATE "C") AS folded) AS one,
       generate_series(1, greatest(length(given) - 1, 1)) AS place
$$
"""
INDEXES = ("name", "external_userid")


def up(migrator: Any, db: Any) -> None:
    if not isinstance(db, PostgresqlDatabase):
        return
    db.execute_sql(BIGRAMS)
    # Who writes a customer writes the indexes too, also where functions are nobody's by default.
    db.execute_sql("GRANT EXECUTE ON FUNCTION bigrams(text) TO PUBLIC")
    for column in INDEXES:
        # What was added lately is looked through in the index's waiting list: a short one, because
        # whoever finds it full has to empty it.
        db.execute_sql(
            f"CREATE INDEX customer_{column}_bigrams ON customer"
            f' USING gin (bigrams({column} COLLATE "C")) WITH (gin_pending_list_limit = 512)'
        )
    # Of what a function makes of a column the planner knows nothing before.
    db.execute_sql("ANALYZE customer")


def down(migrator: Any, db: Any) -> None:
    if not isinstance(db, PostgresqlDatabase):
        return
    for column in INDEXES:
        db.execute_sql(f"DROP INDEX IF EXISTS customer_{column}_bigrams")
    db.execute_sql("DROP FUNCTION IF EXISTS bigrams(text)")
