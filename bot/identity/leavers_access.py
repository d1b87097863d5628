"""Whoever leaves loses for good what let them in: an account made anew begins with nothing."""

from bot import clock
from bot.audit.log import Who
from bot.db import locked, transaction
from bot.identity import local_users, logins, roles, second_factors, tokens
from bot.identity.access import LOCAL, logins_of, who_left
from bot.kegui import Kegui
from bot.models import ApiToken, Department, LocalUser, RoleGrant, SecondFactor
from bot.rights import Role

WHY = "has_left"


def take_from(userid: str, by: Who, kegui: Kegui) -> None:
    """End a leaver's logins, tokens, authenticator app and roles, also as a local administrator; of
    a second time nothing is left.

    That they lead a department is forgotten as well: WeCom says it again, should it be so.
    """
    with transaction():
        logins.end(logins.open_logins(userid, kegui), by, kegui, WHY)
        second_factors.remove(userid, by, kegui)
        tokens.revoke_all_of(userid, by, kegui, WHY)
        for actor in logins_of(userid)[1:]:
            local_users.disable(actor.removeprefix(LOCAL), by, kegui)
        granted = RoleGrant.select().where(
            RoleGrant.actor == userid, RoleGrant.revoked_at.is_null()
        )
        for grant in list(granted):
            roles.revoke(userid, Role(grant.role), grant.department_id, by, kegui)
        led = [one.id for one in Department.select() if userid in one.leaders]
        for number in led:
            department = locked(Department.select().where(Department.id == number)).get()
            department.leaders = [one for one in department.leaders if one != userid]
            department.save(only=[Department.leaders])


def take_from_all(kegui: Kegui) -> None:
    """Do so with everybody who has left by now: also whose last day is over while WeCom keeps the
    account."""
    today = clock.now().astimezone(kegui.settings.zone).date()
    for userid in sorted(who_left(_holders(kegui), today)):
        take_from(userid, Who("wecom"), kegui)


def _holders(kegui: Kegui) -> set[str]:
    """The members who have anything that lets them in."""
    granted = RoleGrant.select(RoleGrant.actor).where(RoleGrant.revoked_at.is_null())
    held = ApiToken.select(ApiToken.owner, ApiToken.maker).where(ApiToken.revoked_at.is_null())
    bound = LocalUser.select(LocalUser.userid).where(LocalUser.disabled_at.is_null())
    found = {login.actor for login in logins.everybodys_open_logins(kegui)}
    found |= {row.actor for row in granted}
    found |= {row.actor for row in SecondFactor.select(SecondFactor.actor)}
    found |= {actor for row in held for actor in (row.owner, row.maker)}
    found |= {user.userid for user in bound}
    return {one for one in found if one and not one.startswith((LOCAL, tokens.TERMINAL))}
