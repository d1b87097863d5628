"""What a handover must move, as WeCom lists it, and who gets each piece."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from peewee import chunked, fn

from bot import clock
from bot.audit.log import Who
from bot.db import released, transaction
from bot.handover.rules import Piece, Successor, assign
from bot.handover.words import (
    ALREADY_CONTACT,
    CUSTOMER_REFUSED_AND,
    NO_CONTACT,
    NOT_LISTED,
    TAKER_UNFIT,
)
from bot.kegui import Kegui
from bot.models import (
    Customer,
    GroupChat,
    Handover,
    HandoverItem,
    Ownership,
    Relation,
    Staff,
    TransferAttempt,
)
from bot.models.customer import LIVE_RELATIONS
from bot.models.handover import (
    CANCELLED,
    CUSTOMER,
    FAILED,
    GROUP,
    HANDOVER_OPEN,
    LIMIT,
    OFFBOARDING,
    PLANNED,
    REFUSED,
)
from bot.reason import Reason
from bot.staff import staff
from bot.staff.candidate import UNKNOWN_MEMBER
from bot.wecom import ABOUT_ONE

RULES = Who("rules")
ITEMS_AT_ONCE = 500
# What a plan is made of.
PLANNED_WITH = ("state", "successors", "full_userids")
TRIED = (REFUSED, LIMIT, "unfit")


def collect(handover: Handover, gone: bool, kegui: Kegui) -> None:
    """Add an item for all that WeCom says is the member's, whether an event told us or not.

    A customer whom WeCom lists no more, while the member is in service, has nothing left to
    move but the ownership, where somebody else is in contact: perhaps an administrator moved the
    customer, or we did and do not know it (restored from a backup). A manager's own list of
    customers is taken as it is.
    """
    if handover.scope is not None:
        return
    listed = _customers_listed(handover.userid, gone, kegui)
    known = {
        relation.external_userid
        for relation in Relation.select(Relation.external_userid).where(
            Relation.userid == handover.userid, Relation.state.in_(LIVE_RELATIONS)
        )
    }
    groups = _groups_listed(handover.userid, kegui) if handover.kind == OFFBOARDING else []
    now = clock.now()
    with transaction():
        if Handover.lock(handover.id).state not in HANDOVER_OPEN:
            return
        for external_userid in sorted(listed | (known if gone else set())):
            _add(handover, CUSTOMER, external_userid)
        for chat_id in groups:
            _add(handover, GROUP, chat_id)
        if not gone:
            for item in _planned(handover, CUSTOMER):
                if item.subject in listed:
                    continue
                if handover.kind != OFFBOARDING or not _has_other_contact(item, handover, kegui):
                    item.state, item.updated_at = CANCELLED, now
                    item.reason = Reason(NOT_LISTED)
                    item.save()


def _customers_listed(userid: str, gone: bool, kegui: Kegui) -> set[str]:
    with released():
        if gone:
            return {row.external_userid for row in kegui.wecom.resigned.unassigned_of(userid)}
        return set(kegui.wecom.customers.ids_of(userid))


def _groups_listed(userid: str, kegui: Kegui) -> list[str]:
    known = [
        group.chat_id
        for group in GroupChat.select().where(
            GroupChat.owner == userid, GroupChat.dismissed_at.is_null()
        )
    ]
    try:
        with released():
            return [group.chat_id for group in kegui.wecom.groups.owned_by(userid)]
    except ABOUT_ONE:
        # A member without groups or outside the range: what we know is all there is.
        return known


def _add(handover: Handover, kind: str, subject: str) -> None:
    if kind == CUSTOMER:
        # Perhaps no event ever spoke of this customer; the nightly reading finds the name.
        Customer.meet(subject, channel="", met_at=clock.now())
    HandoverItem.insert(
        handover=handover, kind=kind, subject=subject, updated_at=clock.now()
    ).on_conflict_ignore().execute()


def takers(handover: Handover) -> dict[str | None, int]:
    """Count the planned items by who is to get them; None: nobody yet."""
    query = (
        HandoverItem.select(HandoverItem.takeover_userid, fn.COUNT(HandoverItem.id))
        .where(HandoverItem.handover == handover, HandoverItem.state == PLANNED)
        .group_by(HandoverItem.takeover_userid)
    )
    return dict(cast(Any, query.tuples()))


def release_unfit(handover: Handover, kegui: Kegui) -> None:
    """Take planned items back from members who cannot take over any more: they left, are leaving,
    on leave or off duty, or were to get a customer as a contact and are none any more.

    ``assign_successors`` gives them to others. Nothing is written for a handover that a person
    has changed or ended since it was read.
    """
    items = [item for kind in (CUSTOMER, GROUP) for item in _planned(handover, kind)]
    items = [item for item in items if item.takeover_userid]
    unfit = _unfit(items, kegui)
    lost_contact = _without_contact(items)
    taken: Counter[str] = Counter()
    with transaction():
        if _is_changed(handover):
            return
        for item in items:
            if item.takeover_userid in unfit or item.id in lost_contact:
                userid = str(item.takeover_userid)
                why = unfit.get(userid, NO_CONTACT)
                reason = Reason(TAKER_UNFIT, {"member": userid, "why": why})
                released = HandoverItem.update(
                    takeover_userid=None, updated_at=clock.now(), **reason.columns()
                )
                if released.where(item.is_as_planned()).execute():
                    taken[userid] += 1
        for userid, number in sorted(taken.items()):
            kegui.audit.record(
                RULES,
                f"{handover.kind}.plan_anew",
                handover.subject,
                userid=userid,
                reason=unfit.get(userid, NO_CONTACT),
                number=number,
            )


def _unfit(items: Sequence[HandoverItem], kegui: Kegui) -> dict[str, str]:
    """Say of the members who are to get these items who cannot take over now, and why."""
    planned = {str(item.takeover_userid) for item in items}
    known = {one.userid: one for one in staff.candidates(kegui, sorted(planned))}
    found = {
        userid: known[userid].unfit if userid in known else UNKNOWN_MEMBER for userid in planned
    }
    return {userid: why for userid, why in found.items() if why}


def _without_contact(items: Sequence[HandoverItem]) -> set[int]:
    """Name the items that go to a contact of the customer who is none any more."""
    by_contact = [item for item in items if item.reason_code == ALREADY_CONTACT]
    live: set[tuple[str, str]] = set()
    for some in chunked(by_contact, ITEMS_AT_ONCE):
        query = Relation.select(Relation.external_userid, Relation.userid).where(
            Relation.external_userid.in_([item.subject for item in some]),
            Relation.state.in_(LIVE_RELATIONS),
        )
        live |= {(relation.external_userid, relation.userid) for relation in query}
    return {item.id for item in by_contact if (item.subject, item.takeover_userid) not in live}


def _is_changed(handover: Handover) -> bool:
    """Whether a person has changed or ended a handover since it was read; in a transaction."""
    is_now = Handover.lock(handover.id)
    return any(getattr(is_now, name) != getattr(handover, name) for name in PLANNED_WITH)


def assign_successors(handover: Handover, kegui: Kegui, *, final: bool) -> None:
    """Give every planned item without a takeover member one.

    Nothing is written for a handover that a person has changed or ended since it was read.

    Args:
        final: the handover runs: an item that nobody can take is settled with the reason;
            before, it only shows the reason, and a person can name other successors.
    """
    to_plan = {
        kind: [item for item in _planned(handover, kind) if item.takeover_userid is None]
        for kind in (CUSTOMER, GROUP)
    }
    if not any(to_plan.values()):
        return
    successors, departments = _successors(handover, kegui)
    now = clock.now()
    for kind, items in to_plan.items():
        if kind == CUSTOMER and handover.kind == OFFBOARDING:
            items = [item for item in items if not _has_other_contact(item, handover, kegui)]
        by_id = {item.id: item for item in items}
        pieces = [Piece(item.id, _tried(item)) for item in items]
        full = handover.full_userids if kind == CUSTOMER else ()
        assignments = assign(pieces, successors, departments, full)
        with transaction():
            if _is_changed(handover):
                return
            for assignment in assignments:
                item, state = by_id[assignment.piece_id], PLANNED
                why = assignment.reason
                reason = Reason(why)
                if assignment.takeover_userid is None and final:
                    state, reason = _end_without_successor(item, why, bool(successors))
                HandoverItem.update(
                    takeover_userid=assignment.takeover_userid,
                    state=state,
                    updated_at=now,
                    **reason.columns(),
                ).where(item.is_as_planned()).execute()


def _end_without_successor(item: HandoverItem, why: str, any_successor: bool) -> tuple[str, Reason]:
    """How an item ends that nobody can take, and why."""
    refused = next((one for one in item.tries() if one.status == REFUSED), None)
    if refused is not None:
        facts = {"member": refused.takeover_userid, "why": why}
        return REFUSED, Reason(CUSTOMER_REFUSED_AND, facts)
    return LIMIT if any_successor else FAILED, Reason(why)


def _tried(item: HandoverItem) -> frozenset[str]:
    return frozenset(
        attempt.takeover_userid
        for attempt in TransferAttempt.select().where(
            TransferAttempt.item == item, TransferAttempt.status.in_(TRIED)
        )
    )


def _has_other_contact(item: HandoverItem, handover: Handover, kegui: Kegui) -> bool:
    """Plan a customer who has an eligible contact already: only the ownership moves."""
    others = [
        relation.userid
        for relation in Relation.select().where(
            Relation.external_userid == item.subject,
            Relation.userid != handover.userid,
            Relation.state.in_(LIVE_RELATIONS),
        )
    ]
    fit = (
        [
            candidate
            for candidate in staff.candidates(kegui, others)
            if not candidate.unfit and candidate.userid != handover.userid
        ]
        if others
        else []
    )
    if not fit:
        return False
    owner = Ownership.current(item.subject)
    chosen = min(
        fit,
        key=lambda one: (owner is None or one.userid != owner.userid, one.customers, one.userid),
    )
    HandoverItem.update(
        takeover_userid=chosen.userid, updated_at=clock.now(), **Reason(ALREADY_CONTACT).columns()
    ).where(HandoverItem.id == item.id, HandoverItem.state == PLANNED).execute()
    return True


def _successors(handover: Handover, kegui: Kegui) -> tuple[list[Successor], list[int]]:
    """Return who may take over, and the leaver's departments."""
    member = Staff.get_or_none(Staff.userid == handover.userid)
    departments = list(member.departments) if member else []
    named = handover.successors or None
    candidates = [
        candidate
        for candidate in staff.candidates(kegui, named)
        if candidate.userid != handover.userid
    ]
    planned = _planned_loads()
    return [
        Successor(
            userid=candidate.userid,
            departments=candidate.departments,
            load=candidate.customers + planned.get(candidate.userid, 0),
            capacity=candidate.capacity,
            unfit=candidate.unfit,
            is_named=bool(named),
        )
        for candidate in candidates
        if named or not candidate.unfit
    ], departments


def _planned_loads() -> dict[str, int]:
    """Count the customers who are on their way to each member."""
    on_their_way = HandoverItem.select(HandoverItem.takeover_userid).where(
        HandoverItem.kind == CUSTOMER,
        HandoverItem.takeover_userid.is_null(False),
        HandoverItem.state.in_((PLANNED, "submitted", "waiting")),
    )
    return Counter(str(item.takeover_userid) for item in on_their_way)


def _planned(handover: Handover, kind: str) -> list[HandoverItem]:
    return list(
        HandoverItem.select()
        .where(
            HandoverItem.handover == handover,
            HandoverItem.kind == kind,
            HandoverItem.state == PLANNED,
        )
        .order_by(HandoverItem.id)
    )
