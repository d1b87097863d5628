"""Logins, roles, proposals; whose an API token is and until when."""

from typing import Any

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Check,
    IntegerField,
    JSONField,
    Model,
    TextField,
)

from bot.db import UTCDateTimeField

TABLES = (
    "local_user",
    "second_factor",
    "login",
    "login_state",
    "login_failure",
    "role_grant",
    "proposal",
)


def up(migrator: Any, db: Any) -> None:
    _add_logins(db)
    _add_roles(db)
    migrator.migrate(
        migrator.add_column("api_token", "owner", CharField(max_length=160, default="")),
        migrator.add_column("api_token", "expires_at", UTCDateTimeField(null=True)),
        migrator.add_column("api_token", "last_used_at", UTCDateTimeField(null=True)),
    )


def _add_logins(db: Any) -> None:
    class LocalUser(Model):
        name = CharField(max_length=64, primary_key=True)
        password_hash = CharField(max_length=255)
        created_at = UTCDateTimeField()
        disabled_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "local_user"

    class SecondFactor(Model):
        actor = CharField(max_length=160, primary_key=True)
        secret = BlobField()
        last_step = BigIntegerField(default=0)
        created_at = UTCDateTimeField()
        confirmed_at = UTCDateTimeField(null=True)

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
        address = CharField(max_length=64, default="")
        browser = CharField(max_length=255, default="")

        class Meta:
            database = db
            table_name = "login"

    class LoginState(Model):
        digest = CharField(max_length=64, primary_key=True)
        created_at = UTCDateTimeField()
        target = CharField(max_length=1024, default="")
        is_step_up = BooleanField(default=False)
        method = CharField(max_length=16)

        class Meta:
            database = db
            table_name = "login_state"

    class LoginFailure(Model):
        key = CharField(max_length=160, primary_key=True)
        failures = BigIntegerField()
        last_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "login_failure"

    db.create_tables([LocalUser, SecondFactor, Login, LoginState, LoginFailure])


def _add_roles(db: Any) -> None:
    class RoleGrant(Model):
        id = BigAutoField()
        actor = CharField(max_length=160)
        role = CharField(max_length=32)
        department_id = IntegerField(null=True)
        granted_by = CharField(max_length=160)
        granted_at = UTCDateTimeField()
        revoked_by = CharField(max_length=160, null=True)
        revoked_at = UTCDateTimeField(null=True)

        class Meta:
            database = db
            table_name = "role_grant"

    RoleGrant.add_index(
        RoleGrant.index(
            RoleGrant.actor,
            RoleGrant.role,
            SQL("COALESCE(department_id, 0)"),
            unique=True,
            name="role_grant_one",
            where=SQL("revoked_at IS NULL"),
        )
    )

    class Proposal(Model):
        id = BigAutoField()
        kind = CharField(max_length=64)
        subject = CharField(max_length=160)
        terms = JSONField(default=dict)
        state = CharField(max_length=16, default="open", index=True)
        proposed_by = CharField(max_length=160)
        proposed_at = UTCDateTimeField()
        reason = TextField(default="")
        decided_by = CharField(max_length=160, null=True)
        decided_at = UTCDateTimeField(null=True)
        decision_reason = TextField(default="")

        class Meta:
            database = db
            table_name = "proposal"
            constraints = (
                Check(
                    "state IN ('open', 'withdrawn') OR decided_by IS NOT NULL"
                    " AND (decided_by <> proposed_by OR substr(proposed_by, 1, 4) = 'api:')",
                    name="proposal_two_people",
                ),
            )

    Proposal.add_index(
        Proposal.index(
            Proposal.kind,
            Proposal.subject,
            unique=True,
            name="proposal_one_open",
            where=SQL("state = 'open'"),
        )
    )
    db.create_tables([RoleGrant, Proposal])


def down(migrator: Any, db: Any) -> None:
    for column in ("owner", "expires_at", "last_used_at"):
        migrator.migrate(migrator.drop_column("api_token", column))
    for table in TABLES:
        db.execute_sql(f"DROP TABLE {table}")
