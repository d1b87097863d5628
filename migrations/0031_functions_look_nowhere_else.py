"""Functions of the database look names up in PostgreSQL's own schema, and nowhere else.

Whoever may make functions or operators in another schema could have them run by whoever writes.
"""

from typing import Any

from peewee import PostgresqlDatabase

ALONE = ("audit_is_add_only()", "bigrams(text)")
FOLLOWS = """
CREATE OR REPLACE FUNCTION staff_department_follows() RETURNS trigger LANGUAGE plpgsql
{where_to_look} AS $$
BEGIN
  DELETE FROM {table} WHERE userid = NEW.userid;
  INSERT INTO {table} (department_id, userid)
    SELECT DISTINCT department::int, NEW.userid
    FROM jsonb_array_elements_text(NEW.departments::jsonb) AS department;
  RETURN NULL;
END $$
"""
PATH = "SET search_path = pg_catalog, pg_temp"


def up(migrator: Any, db: Any) -> None:
    if not isinstance(db, PostgresqlDatabase):
        return
    for function in ALONE:
        db.execute_sql(f"ALTER FUNCTION {function} {PATH}")
    [schema] = db.execute_sql("SELECT quote_ident(current_schema())").fetchone()
    _follow(db, f"{schema}.staff_department", PATH)


def down(migrator: Any, db: Any) -> None:
    if not isinstance(db, PostgresqlDatabase):
        return
    for function in ALONE:
        db.execute_sql(f"ALTER FUNCTION {function} RESET search_path")
    _follow(db, "staff_department", "")


def _follow(db: Any, table: str, where_to_look: str) -> None:
    # A literal % would be a parameter's beginning; a schema's name may have one.
    db.execute_sql(FOLLOWS.format(table=table, where_to_look=where_to_look).replace("%", "%%"))
