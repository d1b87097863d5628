"""Whom nobody has told yet: pairs in contact without a delivered notice."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import ModelSelect, chunked, fn

from bot.consent.words import NOT_TRIED
from bot.identity.access import EVERYBODY, Scope
from bot.models import Notice, Relation, Staff
from bot.models.customer import LIVE_RELATIONS, NEVER_TOLD, UNTOLD
from bot.models.notice import ARRIVED, AWAITING_CONSENT, NO_CODE, STATES
from bot.reason import Reason
from config import table

# How a contact came that no add event brought; the sources of it, in the order of the index.
READING, HANDOVER = "reading", "handover"
SOURCES = {READING: ("import", "repair"), HANDOVER: ("transfer", "transfer")}
# A firm that begins has all its customers there: nobody counts them at each look.
MOST_NEVER_TOLD = 10_000
# Below what one statement of either database may hold.
CHUNK = 500


@dataclass(frozen=True)
class Gap:
    """A member and a customer between whom the notice is missing, and why."""

    userid: str
    external_userid: str
    added_at: datetime
    reason: Reason
    errcode: int | None


def open_gaps(now: datetime, scope: Scope = EVERYBODY) -> list[Gap]:
    """List the pairs of ``_untold``, those that are open longest first, each with the reason."""
    untold = scope.of_members(_untold(now), Relation.userid)
    shown = list(untold.order_by(Relation.last_add_at, Relation.id))
    last = _last_notices({relation.external_userid for relation in shown})
    return [
        _gap(relation, last.get((relation.userid, relation.external_userid))) for relation in shown
    ]


def open_gaps_with(external_userid: str, now: datetime) -> list[Gap]:
    """List the gaps of one customer."""
    shown = list(_untold(now).where(Relation.external_userid == external_userid))
    last = _last_notices({external_userid})
    return [_gap(one, last.get((one.userid, one.external_userid))) for one in shown]


def count_gaps(now: datetime, scope: Scope = EVERYBODY) -> int:
    """Count what ``open_gaps`` lists, without reading each pair's notices."""
    return scope.of_members(_untold(now), Relation.userid).count()


def never_told(came_by: str, scope: Scope = EVERYBODY) -> "ModelSelect[Relation]":
    """Select the contacts of whom no add event ever spoke, so that no notice could be sent.

    Args:
        came_by: ``READING`` or ``HANDOVER``.
    """
    first, last = SOURCES[came_by]
    query = Relation.select().where(NEVER_TOLD, Relation.source.between(first, last))
    order = (Relation.source, Relation.userid, Relation.external_userid)
    return scope.of_members(query, Relation.userid).order_by(*order)


def count_never_told(scope: Scope = EVERYBODY) -> dict[str, int]:
    """Count them by how they came, each up to ``MOST_NEVER_TOLD``."""
    # Only what the index has: the rows themselves need not be read.
    by_index = {
        came_by: never_told(came_by, scope).select(Relation.userid).order_by()
        for came_by in SOURCES
    }
    return {came_by: query.limit(MOST_NEVER_TOLD).count() for came_by, query in by_index.items()}


def _untold(now: datetime) -> "ModelSelect[Relation]":
    """Select the pairs whose last add event is over a minute old and brought no notice.

    A pair whose notice waits for the customer's agreement (41053) is no gap for a day. A member
    for whom no code ever came is one trouble for the operator, not a gap for each customer:
    see ``members_without_codes``.
    """
    settings = table("notices")["digest"]
    before = now - timedelta(seconds=settings["gap_after_seconds"])
    patience = now - timedelta(hours=settings["awaiting_consent_hours"])
    told = Notice.select(Notice.id).where(
        Notice.userid == Relation.userid,
        Notice.external_userid == Relation.external_userid,
        Notice.at >= Relation.noted_at,
        Notice.state.in_(ARRIVED) | ((Notice.state == AWAITING_CONSENT) & (Notice.at > patience)),
    )
    return Relation.select().where(
        UNTOLD,
        Relation.state.in_(LIVE_RELATIONS),
        Relation.last_add_at <= before,
        Relation.userid.not_in(sorted(members_without_codes())),
        # What ``told_at`` does not know yet; EXISTS would be made a join with every notice.
        fn.COALESCE(told.limit(1), 0) == 0,
    )


def _last_notices(external_userids: set[str]) -> dict[tuple[str, str], Notice]:
    """Return the last notice of each pair with one of these customers."""
    return {
        (notice.userid, notice.external_userid): notice
        for some in chunked(sorted(external_userids), CHUNK)
        for notice in Notice.select().where(Notice.external_userid.in_(some)).order_by(Notice.id)
    }


def _gap(relation: Relation, last: Notice | None) -> Gap:
    if last is not None and last.at < relation.noted_at:
        last = None  # it belongs to an earlier contact of the two
    return Gap(
        relation.userid,
        relation.external_userid,
        relation.added_at,
        last.reason if last else Reason(NOT_TRIED),
        last.errcode if last else None,
    )


def members_without_codes() -> set[str]:
    """Name the members whose adds never bring a code: an administrator's own welcome covers
    them (path 92137)."""
    needed = table("notices")["digest"]["adds_without_code"]
    theirs = Notice.select(Notice.id).where(Notice.userid == Staff.userid)
    # Each question ends at the first rows of an index, however many notices there are.
    adds_without = theirs.where(Notice.state == NO_CODE).offset(needed - 1).limit(1)
    with_code = theirs.where(Notice.state.in_([state for state in STATES if state != NO_CODE]))
    query = Staff.select(Staff.userid).where(fn.EXISTS(adds_without), ~fn.EXISTS(with_code))
    return {row.userid for row in query}
