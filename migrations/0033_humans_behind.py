"""Which people stand behind proposals, tokens and local administrators; no row before a login."""

from datetime import UTC, datetime, timedelta
from typing import Any

from peewee import BooleanField, CharField, Model, PostgresqlDatabase, Table

from bot.db import UTCDateTimeField

FIXED_BEFORE = ("id", "kind", "subject", "terms", "proposed_by", "proposed_at", "reason")
FIXED = (*FIXED_BEFORE, "proposer", "proposer_too")
REFUSAL = "a proposal stands as it was made and decided"
TWO_HUMANS = (
    "CONSTRAINT proposal_two_humans CHECK (state IN ('open', 'withdrawn') OR proposer <> decider"
    " AND proposer <> decider_too AND proposer_too <> decider AND proposer_too <> decider_too)"
)
# Behind these stands nobody.
NOT_PEOPLE = ("api:", "cli:")
# A token and the entry of its making are written in one transaction.
AT_ONCE = timedelta(minutes=1)


def up(migrator: Any, db: Any) -> None:
    migrator.migrate(
        migrator.add_column("local_user", "userid", CharField(max_length=64, null=True)),
        migrator.add_column("api_token", "maker", CharField(max_length=160, default="")),
        migrator.add_column("api_token", "consented_at", UTCDateTimeField(null=True)),
    )
    db.execute_sql("UPDATE api_token SET consented_at = created_at")
    _fill_makers(db)
    for column in ("proposer", "proposer_too", "decider"):
        db.execute_sql(f"ALTER TABLE proposal ADD COLUMN {column} VARCHAR(160)")
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("ALTER TABLE proposal ADD COLUMN decider_too VARCHAR(160)")
        db.execute_sql(f"ALTER TABLE proposal ADD {TWO_HUMANS}")
    else:
        # SQLite adds a constraint only with a column, and drops it with the column.
        db.execute_sql(f"ALTER TABLE proposal ADD COLUMN decider_too VARCHAR(160) {TWO_HUMANS}")
    _unfix(db)
    _fill_proposers(db)
    _fix(db, FIXED)
    db.execute_sql("DROP TABLE login_state")


def down(migrator: Any, db: Any) -> None:
    class LoginState(Model):
        digest = CharField(max_length=64, primary_key=True)
        created_at = UTCDateTimeField()
        target = CharField(max_length=1024, default="")
        is_step_up = BooleanField(default=False)
        method = CharField(max_length=16)

        class Meta:
            database = db
            table_name = "login_state"

    db.create_tables([LoginState])
    _unfix(db)
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("ALTER TABLE proposal DROP CONSTRAINT proposal_two_humans")
    for column in ("decider_too", "decider", "proposer_too", "proposer"):
        db.execute_sql(f"ALTER TABLE proposal DROP COLUMN {column}")
    _fix(db, FIXED_BEFORE)
    for table, column in (
        ("api_token", "consented_at"),
        ("api_token", "maker"),
        ("local_user", "userid"),
    ):
        db.execute_sql(f"ALTER TABLE {table} DROP COLUMN {column}")


def _fill_makers(db: Any) -> None:
    """Who made the tokens that there are, by the audit log."""
    tokens: Any = Table("api_token", ("id", "name", "created_at", "maker")).bind(db)
    entries: Any = Table("audit_entry", ("act", "subject", "actor", "at")).bind(db)
    for token in list(tokens.select(tokens.id, tokens.name, tokens.created_at).dicts()):
        made = entries.select(entries.actor, entries.at).where(
            entries.act == "token.create", entries.subject == f"token {token['name']}"[:160]
        )
        for entry in list(made.dicts()):
            if abs(_moment(entry["at"]) - _moment(token["created_at"])) < AT_ONCE:
                tokens.update(maker=entry["actor"]).where(tokens.id == token["id"]).execute()


def _fill_proposers(db: Any) -> None:
    """Who stands behind what is still to be decided."""
    tokens: Any = Table("api_token", ("id", "name", "owner", "maker", "revoked_at")).bind(db)
    names = ("id", "state", "proposed_by", "proposer", "proposer_too")
    proposals: Any = Table("proposal", names).bind(db)
    waiting = proposals.select(proposals.id, proposals.proposed_by)
    for row in list(waiting.where(proposals.state == "open").dicts()):
        behind = [row["proposed_by"]]
        if row["proposed_by"].startswith("api:"):
            name = row["proposed_by"].removeprefix("api:")
            of_name = tokens.select(tokens.owner, tokens.maker).where(
                tokens.name == name, tokens.revoked_at.is_null()
            )
            behind = [
                actor
                for token in of_name.order_by(tokens.id.desc()).limit(1).dicts()
                for actor in (token["owner"], token["maker"])
            ]
        people = sorted({one for one in behind if one and not one.startswith(NOT_PEOPLE)})
        one, other, *_more = [*people, None, None]
        proposals.update(proposer=one, proposer_too=other).where(
            proposals.id == row["id"]
        ).execute()


def _moment(at: Any) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unfix(db: Any) -> None:
    if isinstance(db, PostgresqlDatabase):
        # In the way of the owner's own updates, until they are made anew.
        for name in ("proposal_no_change", "proposal_no_truncate"):
            db.execute_sql(f"DROP TRIGGER {name} ON proposal")
        db.execute_sql("DROP FUNCTION proposal_stands()")
    else:
        for name in ("proposal_no_change", "proposal_no_delete", "proposal_no_replace"):
            db.execute_sql(f"DROP TRIGGER {name}")


def _fix(db: Any, fixed: tuple[str, ...]) -> None:
    """As migration 0025 says it, for these columns."""
    if isinstance(db, PostgresqlDatabase):
        old = ", ".join(f"OLD.{name}::text" for name in fixed)
        new = ", ".join(f"NEW.{name}::text" for name in fixed)
        db.execute_sql(
            f"""
CREATE FUNCTION proposal_stands() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state = 'open' AND ({old}) IS NOT DISTINCT FROM ({new}) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
        )
        for name, when in (
            ("proposal_no_change", "UPDATE OR DELETE ON proposal FOR EACH ROW"),
            ("proposal_no_truncate", "TRUNCATE ON proposal FOR EACH STATEMENT"),
        ):
            db.execute_sql(
                f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION proposal_stands()"
            )
        return
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in fixed)
    in_the_way = (
        "EXISTS (SELECT 1 FROM proposal WHERE id = NEW.id OR state = 'open' AND NEW.state = 'open'"
        " AND kind = NEW.kind AND subject = NEW.subject)"
    )
    for name, when in (
        ("proposal_no_change", f"UPDATE ON proposal WHEN OLD.state <> 'open' OR {changed}"),
        ("proposal_no_delete", "DELETE ON proposal"),
        ("proposal_no_replace", f"INSERT ON proposal WHEN {in_the_way}"),
    ):
        db.execute_sql(
            f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
