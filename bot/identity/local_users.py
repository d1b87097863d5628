"""Administrators without a WeCom account, for the first hour and emergencies."""

import re
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from peewee import IntegrityError

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.identity import logins, roles, second_factors, tokens
from bot.identity.access import LOCAL, people_with_roles
from bot.identity.passwords import SHORTEST, Weakness, weakness
from bot.kegui import Kegui
from bot.models import LocalUser, Login, Staff
from bot.rights import Role
from config import common_passwords

DISABLED = "is_disabled"
NOT_GENUINE = (
    "the row of {name} was not written by Kegui, or changed since: run `kegui user disable {name}`"
    " and make another administrator"
)
TOO_WEAK = {
    Weakness.SHORT: f"a password has {SHORTEST} characters or more",
    Weakness.COMMON: "many people use such a password, or it is easily guessed: take another",
    Weakness.NAME: "a password does not hold its owner's name: take another",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,31}")
# RFC 9106's second choice, which is also the library's default.
_hasher = PasswordHasher()
# Of a password that nobody knows: whoever asks for a name that nobody has waits as long as for a
# wrong password. Made beforehand, because every process would make it when it starts.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$CXQtcBndUNgjsMKBwd3b3w$zsZ3te"
    "JafhmKf1UTtpooL1qvMNtFKLviXV46pHXp9HA"
)


class NotPossible(Exception):
    """The text says why."""


class WeakPassword(NotPossible):
    """The password would be guessed; ``why`` names the rule."""

    def __init__(self, why: Weakness) -> None:
        super().__init__(TOO_WEAK[why])
        self.why = why


def create_admin(name: str, password: str, by: Who, kegui: Kegui) -> str:
    """Make a local administrator; returns the secret for their authenticator app.

    They cannot log in before ``second_factors.confirm`` has seen the app's first code.

    Raises:
        NotPossible: a bad name or one that is taken.
        WeakPassword: see ``bot.identity.passwords``.
    """
    if not NAME.fullmatch(name):
        raise NotPossible("a name has 2 to 32 letters, digits, and . _ -")
    _check_password(password, [name])
    actor = LOCAL + name
    try:
        with transaction():
            LocalUser.create(
                name=name, password_hash=_hasher.hash(password), created_at=clock.now()
            )
            kegui.audit.record(by, "user.create_admin", actor)
            roles.grant(actor, Role.ADMINISTRATOR, None, by, kegui)
            return second_factors.prepare(actor, kegui.vault)
    except IntegrityError:
        raise NotPossible(f"there is a user {name} already") from None


def bind(name: str, userid: str, by: Who, kegui: Kegui) -> bool:
    """Write down which member a local administrator is; False when it stands so.

    Raises:
        NotPossible: there is no such administrator, or the member has a role that must not meet
            one of theirs.
    """
    actor = LOCAL + name
    with transaction():
        user = LocalUser.get_or_none(LocalUser.name == name)
        if user is None:
            raise NotPossible(f"there is no user {name}: see `kegui user list`")
        if not user.is_genuine:
            raise NotPossible(NOT_GENUINE.format(name=name))
        if user.userid == userid:
            return False
        for role in {Role(row.role) for row in people_with_roles().get(actor, [])}:
            try:
                roles.check_apart(userid, role)
            except roles.NotPossible as error:
                raise NotPossible(str(error)) from None
        LocalUser.change(LocalUser.name == name, userid=userid)
        kegui.audit.record(by, "user.bind", actor, userid=userid, before=user.userid)
    return True


def set_password(
    name: str, password: str, by: Who, kegui: Kegui, *, keep: Login | None = None
) -> int:
    """Give a local administrator another password and end their logins; returns how many ended.

    Args:
        keep: the login in which they do it themselves.

    Raises:
        NotPossible: no local administrator who may log in is called so.
        WeakPassword: see ``bot.identity.passwords``.
    """
    user = LocalUser.get_or_none(LocalUser.name == name, LocalUser.disabled_at.is_null())
    if user is None:
        raise NotPossible(f"no user {name} may log in: see `kegui user list`")
    if not user.is_genuine:
        raise NotPossible(NOT_GENUINE.format(name=name))
    member = Staff.get_or_none(Staff.userid == (user.userid or ""))
    _check_password(password, [name, user.userid or "", member.name if member else ""])
    made = _hasher.hash(password)
    actor = LOCAL + name
    with transaction():
        LocalUser.change(LocalUser.name == name, password_hash=made)
        kegui.audit.record(by, "user.set_password", actor)
        others = [
            login
            for login in logins.open_logins(actor, kegui)
            if keep is None or login.id != keep.id
        ]
        return logins.end(others, by, kegui, logins.NEW_PASSWORD)


def _check_password(password: str, names: Iterable[str]) -> None:
    if (why := weakness(password, names, common_passwords())) is not None:
        raise WeakPassword(why)


def exists(name: str) -> bool:
    """Whether a local administrator is or was called so."""
    return LocalUser.select().where(LocalUser.name == name).exists()


def disable(name: str, by: Who, kegui: Kegui) -> bool:
    """Let a local administrator in no more, and end their logins and tokens; False when nobody is
    called so, or it is done."""
    with transaction():
        is_enabled = LocalUser.name == name, LocalUser.disabled_at.is_null()
        changed = LocalUser.change(*is_enabled, disabled_at=clock.now())
        if changed:
            actor = LOCAL + name
            kegui.audit.record(by, "user.disable", actor)
            logins.end(logins.open_logins(actor, kegui), by, kegui, DISABLED)
            tokens.revoke_all_of(actor, by, kegui, DISABLED)
    return bool(changed)


def has_password(name: str, password: str) -> bool:
    """Whether that is the password of a local administrator who may log in."""
    user = LocalUser.get_or_none(LocalUser.name == name, LocalUser.disabled_at.is_null())
    if user is not None and not user.is_genuine:
        user = None
    try:
        return _hasher.verify(user.password_hash if user else _NOBODY, password) and bool(user)
    except (VerificationError, InvalidHashError):
        return False
