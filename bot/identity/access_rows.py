"""Rows that grant access: sign those of before, find those that somebody else wrote."""

from collections.abc import Iterator

from bot import clock
from bot.alarms import end_alarm, raise_alarm
from bot.identity.access import LOCAL
from bot.kegui import Kegui
from bot.models import Alarm, ApiToken, LocalUser, Login, RoleGrant, SecondFactor
from bot.models.granting import Granting
from bot.reason import Reason

FORGED = "access_row_forged"
KINDS: tuple[type[Granting], ...] = (ApiToken, LocalUser, Login, RoleGrant, SecondFactor)


def look_for_forged(kegui: Kegui) -> None:
    """One alarm for each row that would grant something, and that Kegui did not write so."""
    found = set()
    for row in _that_hold():
        if row.is_genuine:
            continue
        table, name = row._meta.table_name, row.get_id()
        subject = f"{table} {name}"
        found.add(subject)
        command = _what_ends(row)
        raise_alarm(
            FORGED,
            subject,
            Reason(FORGED, {"table": table, "row": name}),
            kegui,
            advice=Reason("do_run_and_grant_again", {"command": command})
            if command
            else Reason("do_set_up_app_again", {"name": name}),
        )
    for alarm in list(Alarm.select().where(Alarm.kind == FORGED, Alarm.ended_at.is_null())):
        if alarm.subject not in found:
            end_alarm(FORGED, alarm.subject)


def _that_hold() -> Iterator[Granting]:
    """The rows that would grant something now."""
    now = clock.now()
    holds = ApiToken.expires_at.is_null() | (ApiToken.expires_at > now)
    yield from ApiToken.select().where(ApiToken.revoked_at.is_null(), holds)
    yield from RoleGrant.select().where(RoleGrant.revoked_at.is_null())
    yield from LocalUser.select().where(LocalUser.disabled_at.is_null())
    yield from Login.select().where(Login.ended_at.is_null(), Login.expires_at > now)
    yield from SecondFactor.select()


def _what_ends(row: Granting) -> str:
    """Name the command that takes a row back; none for a member's app, which they set up anew."""
    if isinstance(row, ApiToken):
        return f"kegui token revoke {row.id}"
    if isinstance(row, RoleGrant):
        place = "" if row.department_id is None else f" --department {row.department_id}"
        return f"kegui user revoke {row.actor} {row.role}{place}"
    if isinstance(row, LocalUser):
        return f"kegui user disable {row.name}"
    if isinstance(row, Login):
        return f"kegui user end-logins {row.actor}"
    if isinstance(row, SecondFactor) and row.actor.startswith(LOCAL):
        return f"kegui user second-factor {row.actor.removeprefix(LOCAL)}"
    return ""
