"""Carry a handover forward: plan, wait for approval and day, submit, follow, finish."""

from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from peewee import Expression, fn

from bot import clock
from bot.alarms import LEAVER_UNAPPROVED, raise_alarm
from bot.audit.log import Who
from bot.db import transaction
from bot.effects import Busy
from bot.handover import approval_cards, group_transfers, handovers, plan, transfers
from bot.handover.contact_ways import replace_leaver
from bot.handover.rules import Counts, starts_at
from bot.handover.words import ALREADY_CONTACT
from bot.identity import leavers_access
from bot.kegui import Kegui
from bot.models import Handover, HandoverItem, Lease, Staff
from bot.models.handover import (
    AWAITING_APPROVAL,
    CUSTOMER,
    DONE,
    DONE_WITH_EXCEPTIONS,
    GROUP,
    HANDOVER_OPEN,
    IS_DECIDED,
    ITEM_IN_FLIGHT,
    OFFBOARDING,
    PLANNED,
    RUNNING,
    SCHEDULED,
)
from bot.models.staff import LEFT
from bot.queue import Lane
from bot.reason import NO_REASON, Reason
from bot.staff import staff
from bot.wecom import Paused, WeComError, reason_of
from bot.wecom.pause_list import pause_of

log = structlog.get_logger(__name__)

# Nobody changes a leave more often than that while it is planned once.
MOST_PLANS = 3


def advance(handover_id: int, kegui: Kegui) -> bool:
    """Do all that can be done now; safe at any moment and any number of times.

    One process at a time works on one handover member, because WeCom refuses two transfers of
    one member at once (45035). It does the member's other handovers too: who came for one of
    them meanwhile was turned away. False when another process is at it.

    Raises:
        WeComError, Busy: the first trouble, after every handover was tried.
    """
    userid = Handover.get_by_id(handover_id).userid
    done: set[int] = set()
    troubles: list[Exception] = []
    with Lease.held(f"handover of {userid}") as held:
        if not held:
            return False
        to_do = [handover_id]
        while to_do:
            for one in to_do:
                done.add(one)
                trouble: WeComError | None = None
                try:
                    _advance(Handover.get_by_id(one), kegui)
                except WeComError as error:
                    trouble = error
                    troubles.append(error)
                except Busy as busy:
                    troubles.append(busy)
                _note_wait(one, trouble, kegui)
            to_do = [one for one in pending(userid) if one not in done]
    if troubles:
        raise troubles[0]
    return True


def _note_wait(handover_id: int, trouble: WeComError | None, kegui: Kegui) -> None:
    """Remember what keeps a handover from going on, and until when, or that nothing does."""
    if trouble is None:
        Handover.update(waits_until=None, **NO_REASON.columns("waits_for")).where(
            Handover.id == handover_id, Handover.waits_for_code != ""
        ).execute()
        return
    next_look = clock.now() + timedelta(seconds=kegui.settings.transfer_poll_seconds)
    if isinstance(trouble, Paused):
        until = trouble.until
    else:
        until = pause_of(trouble.endpoint, clock.now()) or next_look
    Handover.update(waits_until=until, **reason_of(trouble).columns("waits_for")).where(
        Handover.id == handover_id
    ).execute()


def pending(userid: str | None = None) -> list[int]:
    """Return the handovers that have something to do or to follow, of one member or of all."""
    query = Handover.select(Handover.id).where(_is_pending())
    if userid is not None:
        query = query.where(Handover.userid == userid)
    return [handover.id for handover in query.order_by(Handover.id)]


def first_of_each() -> list[int]:
    """Return one handover of each member of whom any is pending: who advances it does the rest."""
    query = Handover.select(fn.MIN(Handover.id)).where(_is_pending()).group_by(Handover.userid)
    return [number for (number,) in cast(Any, query.tuples())]


def wake_pending(kegui: Kegui) -> None:
    """Running handovers are asked for again and again, until each customer is settled."""
    for handover_id in first_of_each():
        kegui.queue.wake(Lane.WORK, f"handover:{handover_id}")


def _is_pending() -> object:
    in_flight = HandoverItem.select(HandoverItem.handover).where(
        HandoverItem.state.in_(ITEM_IN_FLIGHT)
    )
    # One that waits for an approval is among them: perhaps nobody could be asked for it yet.
    return Handover.state.in_(HANDOVER_OPEN) | Handover.id.in_(in_flight)


def counts(handover: Handover) -> Counts:
    """Count the items of a handover by state."""
    query = (
        HandoverItem.select(HandoverItem.state, fn.COUNT(HandoverItem.id))
        .where(HandoverItem.handover == handover)
        .group_by(HandoverItem.state)
    )
    return Counts(dict(cast(Any, query.tuples())))


def _advance(handover: Handover, kegui: Kegui) -> None:
    if handover.state == PLANNED:
        gone = _account_is_gone(handover.userid, kegui)
        plan.collect(handover, gone, kegui)
        handover = _plan(handover, kegui)
    elif handover.state in (AWAITING_APPROVAL, SCHEDULED):
        handover = _keep_plan_fit(handover, kegui)
    if handover.state == SCHEDULED and begins_at(handover, kegui) is None:
        handover = _go_to(handover, SCHEDULED, RUNNING, _is_as_read(handover))
    if handover.state == AWAITING_APPROVAL:
        _warn_when_gone(handover, kegui)
    if handover.state == RUNNING:
        _run(handover, kegui)
    elif _has_items_in_flight(handover):
        # Cancelled with transfers under way: WeCom has no recall, so they are followed. Or
        # restored from a backup: whether they are under way is looked up before all else.
        gone = _account_is_gone(handover.userid, kegui)
        transfers.poll(handover, gone=gone, kegui=kegui)
        group_transfers.poll(handover, kegui)
    if handover.state == AWAITING_APPROVAL:
        approval_cards.ask_for_approval(handover, kegui)


def _plan(handover: Handover, kegui: Kegui) -> Handover:
    """Plan it, and plan it anew when a person changes it meanwhile.

    Whether it was changed or approved is asked in the change of its state itself: that may happen
    in this very moment.
    """
    for _ in range(MOST_PLANS):
        plan.release_unfit(handover, kegui)
        plan.assign_successors(handover, kegui, final=False)
        is_as_read = _is_as_read(handover)
        _go_to(handover, PLANNED, SCHEDULED, IS_DECIDED, is_as_read)
        handover = _go_to(handover, PLANNED, AWAITING_APPROVAL, ~IS_DECIDED, is_as_read)
        if handover.state != PLANNED:
            break
    return handover


def _keep_plan_fit(handover: Handover, kegui: Kegui) -> Handover:
    """A plan may wait for weeks: who is to take over then must be able to.

    Before an approval that is another proposal; an approval that was given outlasts it.
    """
    before = plan.takers(handover)
    plan.release_unfit(handover, kegui)
    plan.assign_successors(handover, kegui, final=False)
    if plan.takers(handover) != before:
        handovers.propose_new_plan(handover, kegui)
    return Handover.get_by_id(handover.id)


def _is_as_read(handover: Handover) -> Expression:
    is_as_read: Expression = Handover.updated_at == handover.updated_at
    return is_as_read


def _has_items_in_flight(handover: Handover) -> bool:
    in_flight = HandoverItem.state.in_(ITEM_IN_FLIGHT)
    return HandoverItem.select().where(HandoverItem.handover == handover, in_flight).exists()


def _run(handover: Handover, kegui: Kegui) -> None:
    gone = _account_is_gone(handover.userid, kegui)
    transfers.poll(handover, gone=gone, kegui=kegui)
    group_transfers.poll(handover, kegui)
    plan.collect(handover, gone, kegui)
    resigned = {CUSTOMER: gone, GROUP: gone}
    # Each round is one plan: it ends when every answer was taken up. WeCom's "has not resigned"
    # and its opposite turn the endpoint round once, so two more rounds than successors suffice.
    for _ in range(_rounds(handover, kegui)):
        # A person may have named other successors, or cancelled it.
        handover = Handover.get_by_id(handover.id)
        if handover.state != RUNNING:
            return
        plan.release_unfit(handover, kegui)
        plan.assign_successors(handover, kegui, final=True)
        _finish_already_contacts(handover)
        again = {
            CUSTOMER: transfers.submit(handover, resigned=resigned[CUSTOMER], kegui=kegui),
            GROUP: group_transfers.submit(handover, resigned=resigned[GROUP], kegui=kegui),
        }
        if not any(again.values()) and _is_untouched(handover):
            break
        for kind in again:
            if _told_other_endpoint(handover, kind):
                resigned[kind] = not resigned[kind]
    if Handover.get_by_id(handover.id).state != RUNNING:
        return
    if handover.kind == OFFBOARDING and handover.contact_ways_done_at is None:
        replace_leaver(handover, kegui)
        Handover.update(contact_ways_done_at=clock.now()).where(
            Handover.id == handover.id
        ).execute()
    standing = counts(handover)
    if standing.is_settled:
        _go_to(handover, RUNNING, DONE_WITH_EXCEPTIONS if standing.has_exceptions else DONE)


def _is_untouched(handover: Handover) -> bool:
    return Handover.select().where(Handover.id == handover.id, _is_as_read(handover)).exists()


def _rounds(handover: Handover, kegui: Kegui) -> int:
    return 3 + (len(handover.successors) or len(staff.candidates(kegui)))


def _told_other_endpoint(handover: Handover, kind: str) -> bool:
    """Whether WeCom said of planned items that the other endpoint is the right one."""
    return (
        HandoverItem.select()
        .where(
            HandoverItem.handover == handover,
            HandoverItem.kind == kind,
            HandoverItem.state == PLANNED,
            HandoverItem.errcode.in_((40097, 40003, 60111, 90500, 90502)),
        )
        .exists()
    )


def _finish_already_contacts(handover: Handover) -> None:
    """A customer with another eligible contact is not transferred: only the ownership moves."""
    now = clock.now()
    planned = HandoverItem.select().where(
        HandoverItem.handover == handover,
        HandoverItem.state == PLANNED,
        HandoverItem.reason_code == ALREADY_CONTACT,
        HandoverItem.takeover_userid.is_null(False),
    )
    # Read to its end first: SQLite lets nobody write who still reads what another has changed.
    for item in list(planned):
        with transaction():
            ended = HandoverItem.update(state=DONE, updated_at=now)
            if ended.where(item.is_as_planned()).execute():
                transfers.give_ownership(handover, item, str(item.takeover_userid))


def _account_is_gone(userid: str, kegui: Kegui) -> bool:
    """Ask WeCom now whether the member's account still exists.

    A member whom WeCom does not show may only be outside the app's range: then the transfer's
    own answer (40097: has not resigned) turns the endpoint round.
    """
    user = staff.refresh(userid, kegui)
    if user is None:
        staff.mark_left(userid, clock.now(), is_proven=False)
    elif user.status == LEFT:
        staff.mark_left(userid, clock.now())
        leavers_access.take_from(userid, Who("wecom"), kegui)
    return user is None or user.status == LEFT


def begins_at(handover: Handover, kegui: Kegui) -> datetime | None:
    """Say when a handover that needs nobody's word any more begins; None: at once."""
    settings = kegui.settings
    if handover.last_day is None:
        return None
    at = starts_at(handover.last_day, settings.handover_lead, settings.zone)
    if clock.now() >= at:
        return None
    member = Staff.get_or_none(Staff.userid == handover.userid)
    return None if member is not None and member.left_at is not None else at


def _warn_when_gone(handover: Handover, kegui: Kegui) -> None:
    member = Staff.get_or_none(Staff.userid == handover.userid)
    if member is not None and member.left_at is not None:
        raise_alarm(
            LEAVER_UNAPPROVED,
            str(handover.id),
            Reason(LEAVER_UNAPPROVED, {"member": handover.userid, "handover": handover.id}),
            kegui,
        )


def _go_to(handover: Handover, seen: str, state: str, *only: Expression) -> Handover:
    """Change the state unless somebody (a cancelling person) did meanwhile.

    Args:
        only: what else must be true of the handover.
    """
    changed = (
        Handover.update(state=state, updated_at=clock.now())
        .where(Handover.id == handover.id, Handover.state == seen, *only)
        .execute()
    )
    if changed:
        log.info("handover_state", handover=handover.id, state=state)
    return Handover.get_by_id(handover.id)
