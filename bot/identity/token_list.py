"""The tokens of the REST API, and which of them may call."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bot.identity.access import not_of_the_firm
from bot.identity.rights import CHANGE_TOKENS
from bot.identity.tokens import ADMIN, TERMINAL
from bot.models import ApiToken, RoleGrant
from bot.models.granting import genuine

HOLDS, EXPIRES_SOON, WAITING, EXPIRED, ORPHANED, MAKER_LOST, NOT_GENUINE, REVOKED = (
    "holds",
    "expires_soon",
    "waiting",
    "expired",
    "orphaned",
    "maker_lost",
    "not_genuine",
    "revoked",
)
MAY_CALL = (HOLDS, EXPIRES_SOON)
# Those that ended need nobody any more.
LIVE = (*MAY_CALL, WAITING)
SOON = timedelta(days=30)


@dataclass(frozen=True)
class Token:
    """A token and what it is worth now; orphaned: its owner has left, so it ended; waiting: its
    owner has not consented; maker lost: who made it has left, or may make none any more; not
    genuine: the row is not as Kegui wrote it.

    ``exceeds_owner``: it may do everything, and whoever answers for it is no administrator.
    """

    row: ApiToken
    state: str
    exceeds_owner: bool = False


def tokens(now: datetime, today: date) -> list[Token]:
    """Return all tokens: first those that may call, the first to expire before the others."""
    rows: list[ApiToken] = list(ApiToken.select().order_by(ApiToken.id.desc()))
    gone, powerless = _ended_with(rows, today)
    administrators = _administrators()
    found = []
    for row in rows:
        state = state_of(row, now, gone, powerless)
        # Whoever sat at a terminal has no roles.
        is_person = bool(row.owner) and not row.owner.startswith(TERMINAL)
        exceeds = is_person and ADMIN in row.scopes and row.owner not in administrators
        found.append(Token(row, state, exceeds and state in MAY_CALL))
    may_call = [one for one in found if one.state in LIVE]
    for_ever = datetime.max.replace(tzinfo=now.tzinfo)
    may_call.sort(key=lambda one: one.row.expires_at or for_ever)
    return may_call + [one for one in found if one.state not in LIVE]


def live_tokens_of(owner: str, now: datetime, today: date) -> list[ApiToken]:
    """Return the tokens that may call and for which this person answers."""
    query = ApiToken.select().where(ApiToken.owner == owner, ApiToken.revoked_at.is_null())
    rows = list(query.order_by(ApiToken.id))
    gone, powerless = _ended_with(rows, today)
    return [row for row in rows if state_of(row, now, gone, powerless) in MAY_CALL]


def state_of(
    token: ApiToken, now: datetime, gone: Collection[str], powerless: Collection[str]
) -> str:
    """Say what a token is worth.

    Args:
        gone: the owners who are of the firm no more.
        powerless: the makers who are so, or may make no tokens.
    """
    if token.revoked_at is not None:
        return REVOKED
    if token.expires_at is not None and token.expires_at <= now:
        return EXPIRED
    if not token.is_genuine:
        return NOT_GENUINE
    if token.owner in gone:
        return ORPHANED
    if token.maker in powerless:
        return MAKER_LOST
    if token.consented_at is None:
        return WAITING
    if token.expires_at is not None and token.expires_at - now <= SOON:
        return EXPIRES_SOON
    return HOLDS


def _ended_with(rows: Collection[ApiToken], today: date) -> tuple[set[str], set[str]]:
    """The owners who are of the firm no more, and the makers who are so or may make no tokens."""
    owners = {row.owner for row in rows} - {""}
    makers = {row.maker for row in rows} - {""}
    people = {actor for actor in owners | makers if not actor.startswith(TERMINAL)}
    gone = not_of_the_firm(people, today)
    return gone & owners, (makers & people) & (gone | (makers - _administrators()))


def _administrators() -> set[str]:
    granted = RoleGrant.select().where(
        RoleGrant.role.in_([str(role) for role in CHANGE_TOKENS.roles]),
        RoleGrant.revoked_at.is_null(),
    )
    return {row.actor for row in genuine(granted)}
