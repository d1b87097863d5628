"""Tokens of the REST API: make one, and let it call no more."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.identity.access import access_of, humans_behind
from bot.kegui import Kegui
from bot.models import ApiToken
from bot.models.granting import genuine

READ = "read"
ADMIN = "admin"
SCOPES = (
    READ,
    "offboarding",
    "handover",
    "allocation",
    "events",
    "audit",
    "archive",
    "rules",
    "hr",
    ADMIN,
)
PREFIX = "kgt_"
TERMINAL = "cli:"
MAKER_LOST_THE_RIGHT = "maker_lost_the_right"
MOST_DAYS = 3650
# As an actor it stands behind "api:" in 128 characters.
LONGEST_NAME = 124


class Obstacle(StrEnum):
    """Why a token cannot be made."""

    NAME = "name"
    NAME_TAKEN = "name taken"
    SCOPES = "scopes"
    DAYS = "days"
    OWNER = "owner"


class NotPossible(Exception):
    """The token cannot be made so; ``why`` names the rule, the text says it."""

    def __init__(self, why: Obstacle, text: str) -> None:
        super().__init__(text)
        self.why = why


def make(
    name: str,
    scopes: Sequence[str],
    by: Who,
    kegui: Kegui,
    *,
    owner: str = "",
    days: int,
    departments: Sequence[int] = (),
) -> str:
    """Make a token and return it, the only time that anybody sees it.

    Args:
        owner: who answers for it: with a member who leaves, it ends. Nobody given: the maker. Who
            is somebody else must consent before it may call.
        days: how long it holds.
        departments: content is read of their members only, and of those below; none: of all.

    Raises:
        NotPossible: no name or the name of a token that holds, an unknown scope or none, a wrong
            number of days, or an owner who is not of the firm.
    """
    owner = owner or by.actor
    # A terminal is a place of trust of its own: there nobody is asked.
    is_own = by.actor.startswith(TERMINAL) or humans_behind(owner) <= by.people
    with transaction():
        _check(name, scopes, owner, days, kegui)
        made = create_token(
            name,
            scopes,
            owner=owner,
            maker=by.actor,
            days=days,
            is_consented=is_own,
            departments=departments,
        )
        kegui.audit.record(
            by,
            "token.create",
            f"token {name}",
            scopes=",".join(scopes),
            owner=owner,
            days=days,
            departments=",".join(map(str, departments)) or None,
        )
    return made


def create_token(
    name: str,
    scopes: Sequence[str],
    *,
    owner: str = "",
    maker: str = "",
    days: int | None = None,
    is_consented: bool = True,
    departments: Sequence[int] = (),
) -> str:
    """Write a token down and return it; only its digest is kept. Nobody is asked or told.

    Raises:
        ValueError: no scope at all, or one that does not exist.
    """
    if not scopes or set(scopes) - set(SCOPES):
        raise ValueError(f"a token needs scopes out of {', '.join(SCOPES)}")
    token = PREFIX + secrets.token_urlsafe(32)
    now = clock.now()
    ApiToken.create(
        name=name,
        digest=digest(token),
        scopes=sorted(set(scopes)),
        created_at=now,
        owner=owner,
        maker=maker,
        consented_at=now if is_consented else None,
        expires_at=None if days is None else now + timedelta(days=days),
        departments=sorted(set(departments)),
    )
    return token


def revoke(token: ApiToken, by: Who, kegui: Kegui, reason: str = "") -> bool:
    """Let a token call no more; False when it could not any longer."""
    with transaction():
        is_live = ApiToken.id == token.id, ApiToken.revoked_at.is_null()
        revoked = ApiToken.change(*is_live, revoked_at=clock.now())
        if revoked:
            kegui.audit.record(
                by, "token.revoke", f"token {token.name}", token=token.id, reason=reason or None
            )
    return bool(revoked)


def waiting_for(owner: str) -> list[ApiToken]:
    """Return the tokens that wait until this person consents to answer for them."""
    waiting = ApiToken.select().where(
        ApiToken.owner == owner, ApiToken.consented_at.is_null(), ApiToken.revoked_at.is_null()
    )
    return genuine(waiting.order_by(ApiToken.id))


def consent(token: ApiToken, by: Who, kegui: Kegui) -> bool:
    """Let a token call from now on, by the word of its owner; False when it waits for nobody."""
    with transaction():
        is_waiting = (
            ApiToken.id == token.id,
            ApiToken.owner == by.actor,
            ApiToken.consented_at.is_null(),
            ApiToken.revoked_at.is_null(),
        )
        changed = token.is_genuine and ApiToken.change(*is_waiting, consented_at=clock.now())
        if changed:
            kegui.audit.record(
                by,
                "token.consent",
                f"token {token.name}",
                token=token.id,
                maker=token.maker,
                scopes=",".join(token.scopes),
            )
    return bool(changed)


def revoke_all_of(actor: str, by: Who, kegui: Kegui, reason: str) -> int:
    """End the tokens that somebody made or answers for; returns how many were live."""
    return _revoke((ApiToken.owner == actor) | (ApiToken.maker == actor), by, kegui, reason)


def revoke_made_by(actor: str, by: Who, kegui: Kegui) -> int:
    """End the tokens that somebody made who may make none any more."""
    return _revoke(ApiToken.maker == actor, by, kegui, MAKER_LOST_THE_RIGHT)


def _revoke(which: Any, by: Who, kegui: Kegui, reason: str) -> int:
    held = ApiToken.select().where(which, ApiToken.revoked_at.is_null()).order_by(ApiToken.id)
    return sum(revoke(token, by, kegui, reason) for token in list(held))


def digest(token: str) -> str:
    """What is stored of a token; it is random enough that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _check(name: str, scopes: Sequence[str], owner: str, days: int, kegui: Kegui) -> None:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise NotPossible(Obstacle.NAME, f"a name has 1 to {LONGEST_NAME} characters")
    if not scopes or set(scopes) - set(SCOPES):
        raise NotPossible(Obstacle.SCOPES, f"a token needs scopes out of {', '.join(SCOPES)}")
    if not 1 <= days <= MOST_DAYS:
        raise NotPossible(Obstacle.DAYS, f"a token holds 1 to {MOST_DAYS} days")
    now = clock.now()
    # The audit log knows a token by its name.
    holds = ApiToken.expires_at.is_null() | (ApiToken.expires_at > now)
    same = ApiToken.select().where(ApiToken.name == name, ApiToken.revoked_at.is_null(), holds)
    if same.exists():
        raise NotPossible(Obstacle.NAME_TAKEN, f"there is a token {name} already: revoke it first")
    today = now.astimezone(kegui.settings.zone).date()
    if not owner.startswith(TERMINAL) and access_of(owner, today) is None:
        raise NotPossible(Obstacle.OWNER, f"nobody of the firm is called {owner}")
