"""What was proposed never changes, a decision is final, and no proposal is removed."""

from typing import Any

from peewee import PostgresqlDatabase

FIXED = ("id", "kind", "subject", "terms", "proposed_by", "proposed_at", "reason")
REFUSAL = "a proposal stands as it was made and decided"
# As text: PostgreSQL's json knows no equality. Names are looked up in its own schema, because the
# application's role may be allowed to make operators in ours.
REFUSE_ON_POSTGRES = f"""
CREATE FUNCTION proposal_stands() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state = 'open'
    AND ({", ".join(f"OLD.{name}::text" for name in FIXED)})
      IS NOT DISTINCT FROM ({", ".join(f"NEW.{name}::text" for name in FIXED)})
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
ON_POSTGRES = {
    "proposal_no_change": "UPDATE OR DELETE ON proposal FOR EACH ROW",
    "proposal_no_truncate": "TRUNCATE ON proposal FOR EACH STATEMENT",
}
IS_CHANGED = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in FIXED)
# REPLACE removes what is in its way, and no trigger of a removal is asked.
IS_IN_THE_WAY = (
    "EXISTS (SELECT 1 FROM proposal WHERE id = NEW.id OR state = 'open' AND NEW.state = 'open'"
    " AND kind = NEW.kind AND subject = NEW.subject)"
)
ON_SQLITE = {
    "proposal_no_change": f"UPDATE ON proposal WHEN OLD.state <> 'open' OR {IS_CHANGED}",
    "proposal_no_delete": "DELETE ON proposal",
    "proposal_no_replace": f"INSERT ON proposal WHEN {IS_IN_THE_WAY}",
}


def up(migrator: Any, db: Any) -> None:
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql(REFUSE_ON_POSTGRES)
        for name, when in ON_POSTGRES.items():
            db.execute_sql(
                f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION proposal_stands()"
            )
    else:
        for name, when in ON_SQLITE.items():
            db.execute_sql(
                f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def down(migrator: Any, db: Any) -> None:
    if isinstance(db, PostgresqlDatabase):
        for name in ON_POSTGRES:
            db.execute_sql(f"DROP TRIGGER {name} ON proposal")
        db.execute_sql("DROP FUNCTION proposal_stands()")
    else:
        for name in ON_SQLITE:
            db.execute_sql(f"DROP TRIGGER {name}")
