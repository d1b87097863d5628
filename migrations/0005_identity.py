"""Logins, roles, API tokens, and proposals that stand as they were made and decided."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    Check,
    IntegerField,
    JSONField,
    Model,
    PostgresqlDatabase,
    TextField,
)

from bot.db import UTCDateTimeField

TABLES = (
    "proposal",
    "api_token",
    "role_grant",
    "login_failure",
    "login",
    "second_factor",
    "local_user",
)
FIXED = (
    "id",
    "kind",
    "subject",
    "terms",
    "proposed_by",
    "proposed_at",
    "reason",
    "proposer",
    "proposer_too",
)
REFUSAL = "a proposal stands as it was made and decided"
# As text: PostgreSQL's json knows no equality. Names are looked up in its own schema, because the
# application's role may be allowed to make operators in ours.
OLD = ", ".join(f"OLD.{name}::text" for name in FIXED)
NEW = ", ".join(f"NEW.{name}::text" for name in FIXED)
REFUSE_ON_POSTGRES = f"""
CREATE FUNCTION proposal_stands() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state = 'open' AND ({OLD}) IS NOT DISTINCT FROM ({NEW}) THEN
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
    _make_logins(db)
    _make_rights(db)
    _make_proposals(db)


def _make_logins(db: Any) -> None:
    class LocalUser(Model):
        name = CharField(max_length=64, primary_key=True)
        userid = CharField(max_length=64, null=True)
        password_hash = CharField(max_length=255)
        created_at = UTCDateTimeField()
        disabled_at = UTCDateTimeField(null=True)
        mac = CharField(max_length=64, null=True)

        class Meta:
            database = db
            table_name = "local_user"

    class SecondFactor(Model):
        actor = CharField(max_length=160, primary_key=True)
        secret = BlobField()
        last_step = BigIntegerField()
        created_at = UTCDateTimeField()
        confirmed_at = UTCDateTimeField(null=True)
        mac = CharField(max_length=64, null=True)

        class Meta:
            database = db
            table_name = "second_factor"

    class Login(Model):
        id = BigAutoField()
        digest = CharField(max_length=64, unique=True)
        actor = CharField(max_length=160, index=True)
        method = CharField(max_length=16)
        began_at = UTCDateTimeField()
        seen_at = UTCDateTimeField()
        expires_at = UTCDateTimeField()
        ended_at = UTCDateTimeField(null=True)
        stepped_up_at = UTCDateTimeField(null=True)
        address = CharField(max_length=64)
        browser = CharField(max_length=255)
        mac = CharField(max_length=64, null=True)

        class Meta:
            database = db
            table_name = "login"

    class LoginFailure(Model):
        key = CharField(max_length=160, primary_key=True)
        failures = BigIntegerField()
        last_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "login_failure"

    db.create_tables([LocalUser, SecondFactor, Login, LoginFailure])
    # Find the logins that hold among all there ever were.
    db.execute_sql("CREATE INDEX login_open ON login (expires_at) WHERE ended_at IS NULL")


def _make_rights(db: Any) -> None:
    class RoleGrant(Model):
        id = BigAutoField()
        actor = CharField(max_length=160)
        role = CharField(max_length=32)
        department_id = IntegerField(null=True)
        granted_by = CharField(max_length=160)
        granted_at = UTCDateTimeField()
        revoked_by = CharField(max_length=160, null=True)
        revoked_at = UTCDateTimeField(null=True)
        mac = CharField(max_length=64, null=True)

        class Meta:
            database = db
            table_name = "role_grant"

    class ApiToken(Model):
        id = BigAutoField()
        name = CharField(max_length=128)
        digest = CharField(max_length=64, unique=True)
        scopes = JSONField()
        created_at = UTCDateTimeField()
        revoked_at = UTCDateTimeField(null=True)
        owner = CharField(max_length=160)
        maker = CharField(max_length=160)
        consented_at = UTCDateTimeField(null=True)
        expires_at = UTCDateTimeField(null=True)
        last_used_at = UTCDateTimeField(null=True)
        departments = JSONField()
        mac = CharField(max_length=64, null=True)

        class Meta:
            database = db
            table_name = "api_token"

    db.create_tables([RoleGrant, ApiToken])
    db.execute_sql(
        "CREATE UNIQUE INDEX role_grant_one ON role_grant"
        " (actor, role, COALESCE(department_id, 0)) WHERE revoked_at IS NULL"
    )


def _make_proposals(db: Any) -> None:
    class Proposal(Model):
        id = BigAutoField()
        kind = CharField(max_length=64)
        subject = CharField(max_length=160)
        terms = JSONField()
        state = CharField(max_length=16, index=True)
        proposed_by = CharField(max_length=160)
        proposer = CharField(max_length=160, null=True)
        proposer_too = CharField(max_length=160, null=True)
        proposed_at = UTCDateTimeField()
        reason = TextField()
        decided_by = CharField(max_length=160, null=True)
        decider = CharField(max_length=160, null=True)
        decider_too = CharField(max_length=160, null=True)
        decided_at = UTCDateTimeField(null=True)
        decision_reason = TextField()

        class Meta:
            database = db
            table_name = "proposal"
            constraints = (
                Check(
                    "state IN ('open', 'withdrawn') OR decided_by IS NOT NULL"
                    " AND (decided_by <> proposed_by OR substr(proposed_by, 1, 4) = 'api:')",
                    name="proposal_two_people",
                ),
                Check(
                    "state IN ('open', 'withdrawn') OR proposer <> decider"
                    " AND proposer <> decider_too AND proposer_too <> decider"
                    " AND proposer_too <> decider_too",
                    name="proposal_two_humans",
                ),
            )

    db.create_tables([Proposal])
    db.execute_sql(
        "CREATE UNIQUE INDEX proposal_one_open ON proposal (kind, subject) WHERE state = 'open'"
    )
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
    for table in TABLES:
        db.execute_sql(f"DROP TABLE {table}")
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("DROP FUNCTION proposal_stands()")
