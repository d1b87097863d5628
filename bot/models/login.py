"""Logins: who is in the console, since when and from where, and what they proved."""

from peewee import SQL, BigAutoField, BigIntegerField, BlobField, CharField

from bot.db import Model, UTCDateTimeField
from bot.models.granting import Granting
from bot.models.naming import MemberField


class LocalUser(Granting):
    """An administrator who comes in without WeCom, for the first hour and for emergencies.

    ``userid`` is the member who they are; null: nobody has said so yet.
    """

    name = CharField(max_length=64, primary_key=True)
    userid = MemberField(max_length=64, null=True)
    password_hash = CharField(max_length=255)
    created_at = UTCDateTimeField()
    disabled_at = UTCDateTimeField(null=True)


class SecondFactor(Granting):
    """A person's authenticator app; ``secret`` is sealed, a step of time counts once."""

    UNSIGNED = frozenset({"last_step"})

    actor = CharField(max_length=160, primary_key=True)
    secret = BlobField()
    last_step = BigIntegerField(default=0)
    created_at = UTCDateTimeField()
    confirmed_at = UTCDateTimeField(null=True)


class Login(Granting):
    """One browser of one person; only the digest of what its cookie holds is kept.

    ``method``: how they came in. ``stepped_up_at``: when they last proved a second factor.
    """

    UNSIGNED = frozenset({"seen_at", "address", "browser"})

    id = BigAutoField()
    digest = CharField(max_length=64, unique=True)
    actor = MemberField(max_length=160, index=True)
    method = CharField(max_length=16)
    began_at = UTCDateTimeField()
    seen_at = UTCDateTimeField()
    expires_at = UTCDateTimeField()
    ended_at = UTCDateTimeField(null=True)
    stepped_up_at = UTCDateTimeField(null=True)
    address = CharField(max_length=64, default="")
    browser = CharField(max_length=255, default="")


# Logins are kept, and those that hold are asked for each minute.
Login.add_index(
    Login.index(Login.expires_at, name="login_open", where=SQL("ended_at IS NULL")),
)


class LoginFailure(Model):
    """Wrong passwords and codes in a row, for a name and for an address."""

    key = CharField(max_length=160, primary_key=True)
    failures = BigIntegerField()
    last_at = UTCDateTimeField()
