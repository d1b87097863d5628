"""What the archive may lack, and how far it has come."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from peewee import SQL, fn

from bot import clock
from bot.archive.runner import is_configured
from bot.identity.access import EVERYBODY, Scope
from bot.models import (
    ArchiveConversation,
    ArchiveMedia,
    ArchiveMessage,
    ArchiveParticipant,
    ArchiveSilence,
    ArchiveState,
    Relation,
    Staff,
)
from bot.models.archive import EXPIRED, MISSING, NO_PULL, PENDING
from bot.models.customer import LIVE_RELATIONS
from config.settings import Settings

# Who is archived and said nothing for so long may not be archived after all.
SILENT_AFTER = timedelta(days=7)


def report(
    settings: Settings, now: datetime | None = None, scope: Scope = EVERYBODY
) -> dict[str, Any]:
    """Say what is missing and where, as design.md 5.5 has it; ``scope`` over the members named."""
    now = now or clock.now()
    state = ArchiveState.now()
    pulled_at = state.pulled_at if state else None
    permitted = set(state.permitted) if state and state.permitted_at else None
    return {
        "last_seq": str(state.cursor if state else 0),
        "last_pull_at": pulled_at,
        "lag_seconds": None
        if pulled_at is None
        else max(0, int((now - pulled_at).total_seconds())),
        "undecryptable": undecryptable(),
        "media_missing": count_media(MISSING, EXPIRED),
        "silences": _silences(state, settings, now),
        "members_not_permitted": sorted(scope.within(_not_permitted(permitted))),
        "members_silent": sorted(scope.within(_silent(permitted, now))),
    }


def status(settings: Settings) -> dict[str, Any]:
    """Say how far the archive has come, for a terminal."""
    now = clock.now()
    state = ArchiveState.now()
    pulled_at = state.pulled_at if state else None
    return {
        "is_configured": is_configured(settings),
        "last_seq": str(state.cursor if state else 0),
        "last_pull_at": pulled_at.isoformat() if pulled_at else None,
        "lag_seconds": _seconds(pulled_at, now),
        "messages": state.position if state else 0,
        "undecryptable": undecryptable(),
        "media_pending": count_media(PENDING),
        "media_missing": count_media(MISSING, EXPIRED),
        "trouble": state.trouble if state else "",
    }


def _seconds(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else max(0, int((now - since).total_seconds()))


def undecryptable(pulled_before: datetime | None = None) -> list[dict[str, int]]:
    """Count the rows that wait for a key, by its version; of those pulled before a moment only."""
    waiting: Any = ArchiveMessage.select(ArchiveMessage.publickey_ver, fn.COUNT(SQL("*"))).where(
        SQL("is_open")
    )
    if pulled_before is not None:
        waiting = waiting.where(ArchiveMessage.pulled_at < pulled_before)
    rows: Any = (
        waiting.group_by(ArchiveMessage.publickey_ver)
        .order_by(ArchiveMessage.publickey_ver)
        .tuples()
    )
    return [{"publickey_ver": version, "count": count} for version, count in rows]


def count_media(*states: str) -> int:
    return ArchiveMedia.select().where(ArchiveMedia.state.in_(states)).count()


def _silences(
    state: ArchiveState | None, settings: Settings, now: datetime
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [
        {"from": row.since, "to": row.until, "reason": row.reason}
        for row in ArchiveSilence.select().order_by(ArchiveSilence.since, ArchiveSilence.id)
    ]
    # One that lasts still.
    if state is not None and is_configured(settings):
        since = state.pulled_at or state.begun_at
        if now - since > settings.archive_alarm_after:
            found.append({"from": since, "to": now, "reason": NO_PULL})
    return found


def _not_permitted(permitted: set[str] | None) -> set[str]:
    """Members who have customers, and whose conversations WeCom does not archive."""
    if permitted is None:
        return set()
    query = (
        Relation.select(Relation.userid)
        .join(Staff, on=(Staff.userid == Relation.userid))
        .where(Relation.state.in_(LIVE_RELATIONS), Staff.left_at.is_null())
        .distinct()
    )
    lowered = {one.lower() for one in permitted}
    return {row.userid for row in query if row.userid.lower() not in lowered}


def _silent(permitted: set[str] | None, now: datetime) -> set[str]:
    """Members whose conversations WeCom archives, and of whom nothing came for a week."""
    if not permitted:
        return set()
    query = (
        ArchiveParticipant.select(ArchiveParticipant.person)
        .join(
            ArchiveConversation,
            on=(ArchiveConversation.id == ArchiveParticipant.conversation),
        )
        .where(
            ArchiveConversation.last_at > now - SILENT_AFTER,
            ArchiveParticipant.last_at > now - SILENT_AFTER,
        )
        .distinct()
    )
    heard = {row.person for row in query}
    names = Staff.spellings(permitted)
    return {names[one] for one in permitted if one not in heard and names[one] not in heard}
