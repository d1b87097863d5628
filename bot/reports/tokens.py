"""The tokens of the REST API, and which of them may call."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bot.access import not_of_the_firm
from bot.actions.tokens import TERMINAL
from bot.models import ApiToken

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
    """A token and what it is worth now; orphaned: its owner has left, so it ended."""

    row: ApiToken
    state: str


def tokens(now: datetime, today: date) -> list[Token]:
    """Return all tokens: first those that may call, the first to expire before the others."""
    rows: list[ApiToken] = list(ApiToken.select().order_by(ApiToken.id.desc()))
    people = {row.owner for row in rows if row.owner and not row.owner.startswith(TERMINAL)}
    gone = not_of_the_firm(people, today)
    found = [Token(row, state_of(row, now, gone)) for row in rows]
    may_call = [one for one in found if one.state in MAY_CALL]
    for_ever = datetime.max.replace(tzinfo=now.tzinfo)
    may_call.sort(key=lambda one: one.row.expires_at or for_ever)
    return may_call + [one for one in found if one.state not in MAY_CALL]


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
