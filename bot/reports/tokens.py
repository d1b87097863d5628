"""The tokens of the REST API, and which of them may call."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bot.access import not_of_the_firm
from bot.actions.tokens import ADMIN, TERMINAL
from bot.models import ApiToken, RoleGrant
from bot.rules.rights import Role

HOLDS, EXPIRES_SOON, EXPIRED, ORPHANED, REVOKED = (
    "holds",
    "expires_soon",
    "expired",
    "orphaned",
    "revoked",
)
MAY_CALL = (HOLDS, EXPIRES_SOON)
SOON = timedelta(days=30)


@dataclass(frozen=True)
class Token:
    """A token and what it is worth now; orphaned: its owner has left, so it ended.

    ``exceeds_owner``: it may do everything, and whoever answers for it is no administrator.
    """

    row: ApiToken
    state: str
    exceeds_owner: bool = False


def tokens(now: datetime, today: date) -> list[Token]:
    """Return all tokens: first those that may call, the first to expire before the others."""
    rows: list[ApiToken] = list(ApiToken.select().order_by(ApiToken.id.desc()))
    people = {row.owner for row in rows if row.owner and not row.owner.startswith(TERMINAL)}
    gone = not_of_the_firm(people, today)
    administrators = _administrators()
    found = []
    for row in rows:
        state = state_of(row, now, gone)
        # Whoever sat at a terminal has no roles.
        is_person = bool(row.owner) and not row.owner.startswith(TERMINAL)
        exceeds = is_person and ADMIN in row.scopes and row.owner not in administrators
        found.append(Token(row, state, exceeds and state in MAY_CALL))
    may_call = [one for one in found if one.state in MAY_CALL]
    for_ever = datetime.max.replace(tzinfo=now.tzinfo)
    may_call.sort(key=lambda one: one.row.expires_at or for_ever)
    return may_call + [one for one in found if one.state not in MAY_CALL]


def live_tokens_of(owner: str, now: datetime, today: date) -> list[ApiToken]:
    """Return the tokens that may call and for which this person answers."""
    gone = not_of_the_firm([owner], today)
    rows = ApiToken.select().where(ApiToken.owner == owner, ApiToken.revoked_at.is_null())
    return [row for row in rows.order_by(ApiToken.id) if state_of(row, now, gone) in MAY_CALL]


def state_of(token: ApiToken, now: datetime, gone: Collection[str]) -> str:
    """Say what a token is worth.

    Args:
        gone: the owners who are of the firm no more.
    """
    if token.revoked_at is not None:
        return REVOKED
    if token.expires_at is not None and token.expires_at <= now:
        return EXPIRED
    if token.owner in gone:
        return ORPHANED
    if token.expires_at is not None and token.expires_at - now <= SOON:
        return EXPIRES_SOON
    return HOLDS


def _administrators() -> set[str]:
    granted = RoleGrant.select(RoleGrant.actor).where(
        RoleGrant.role == str(Role.ADMINISTRATOR), RoleGrant.revoked_at.is_null()
    )
    return {row.actor for row in granted}
