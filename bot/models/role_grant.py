"""Roles that people were given."""

from peewee import SQL, BigAutoField, CharField, IntegerField

from bot.db import UTCDateTimeField
from bot.models.granting import Granting
from bot.models.naming import MemberField


class RoleGrant(Granting):
    """Who has which role; ``department_id`` with all below it, or null: over the whole firm."""

    id = BigAutoField()
    actor = MemberField(max_length=160)
    role = CharField(max_length=32)
    department_id = IntegerField(null=True)
    granted_by = MemberField(max_length=160)
    granted_at = UTCDateTimeField()
    revoked_by = MemberField(max_length=160, null=True)
    revoked_at = UTCDateTimeField(null=True)


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
