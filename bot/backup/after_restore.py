"""A restored database does not know what was done since: mark what was open as "we cannot tell".

What the database knows as settled stays settled, and what it never heard of is found by the
reading. Between the two stands what was open at the moment of the backup: it may have been done
afterwards, and nothing of it may be done twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import clock
from bot.consent import notices
from bot.db import transaction
from bot.handover import group_transfers, match, transfers
from bot.handover.words import ALREADY_CONTACT
from bot.models import (
    Effect,
    Handover,
    HandoverItem,
    InboxEvent,
    Lease,
    Staff,
    SyncProgress,
    SyncRun,
    TransferAttempt,
)
from bot.models import effect as effects
from bot.models.handover import GROUP, HANDOVER_OPEN, PLANNED, SUBMITTED
from bot.models.inbox_event import OPEN_STATES, WAITING
from bot.queue import Lane
from bot.reason import Reason

# WeCom drops the very same message for half an hour (path 90236); the worker needs some of it.
SAME_MESSAGE_IS_DROPPED = timedelta(minutes=20)
RESTORED = Reason(effects.RESTORED).columns()


@dataclass(frozen=True)
class Marked:
    """How many rows are now "we cannot tell", and which cases go on when the worker starts."""

    welcomes: int
    effects: int
    items: int
    open_cases: tuple[str, ...]


def mark(taken_at: datetime) -> Marked:
    """Mark what was open when the backup was taken; safe to repeat.

    - A welcome code is dead or used by now: its notice is ``unknown``, a gap, and the rest of
      the event's story goes on.
    - An act that was begun or had failed may have been done since: it counts as begun and never
      answered. A message is repeated only while WeCom itself drops a repetition.
    - A planned transfer may have been sent since: it counts as begun, so that WeCom is asked
      (transfer_result, groupchat/get) before anything is sent.
    - A reading that was under way begins anew, because what it has read is old.

    Args:
        taken_at: when the backup was taken.
    """
    now = clock.now()
    with transaction():
        Lease.delete().execute()
        SyncProgress.delete().execute()
        SyncRun.delete().where(SyncRun.finished_at.is_null()).execute()
        return Marked(
            welcomes=_end_welcomes(now),
            effects=_doubt_effects(taken_at, now),
            items=_doubt_planned_items(taken_at, now),
            open_cases=tuple(
                f"{case.kind} {case.id} of {case.userid}: {case.state}"
                for case in Handover.select()
                .where(Handover.state.in_(HANDOVER_OPEN))
                .order_by(Handover.id)
            ),
        )


def _end_welcomes(now: datetime) -> int:
    in_welcome_lane = (InboxEvent.lane == Lane.WELCOME) & InboxEvent.state.in_(OPEN_STATES)
    # One without an id is refused by the worker: nobody was to be welcomed.
    names_both = InboxEvent.userid.is_null(False) & InboxEvent.external_userid.is_null(False)
    for row in list(InboxEvent.select().where(in_welcome_lane, names_both)):
        external_userid, userid = row.external_userid or "", Staff.spelled(row.userid or "")
        # The takeover member of a handover of ours greets nobody: there is nothing to miss.
        if match.item_for(external_userid, userid, row.received_at) is None:
            notices.record_unknown(row.id, external_userid, userid)
    return (
        InboxEvent.update(lane=Lane.WORK, state=WAITING, attempts=0, due_at=now, lease_until=None)
        .where(in_welcome_lane)
        .execute()
    )


def _doubt_effects(taken_at: datetime, now: datetime) -> int:
    is_open = Effect.state.in_((effects.STARTED, effects.FAILED))
    is_message = Effect.kind == "app_message"
    dropped = now - taken_at < SAME_MESSAGE_IS_DROPPED
    settled = (
        Effect.update(state=effects.UNKNOWN, errcode=None, finished_at=now, **RESTORED)
        .where(is_open, ~is_message if dropped else is_open)
        .execute()
    )
    begun = (
        Effect.update(state=effects.STARTED, errcode=None, lease_until=now, **RESTORED)
        .where(is_open)
        .execute()
    )
    return settled + begun


def _doubt_planned_items(taken_at: datetime, now: datetime) -> int:
    gone = {member.userid for member in Staff.select().where(Staff.left_at.is_null(False))}
    items = list(
        HandoverItem.select(HandoverItem, Handover)
        .join(Handover)
        .where(
            Handover.state.in_(HANDOVER_OPEN),
            HandoverItem.state == PLANNED,
            HandoverItem.takeover_userid.is_null(False),
            HandoverItem.reason_code != ALREADY_CONTACT,
        )
        .order_by(HandoverItem.id)
    )
    for item in items:
        TransferAttempt.create(
            item=item,
            number=len(item.tries()) + 1,
            takeover_userid=item.takeover_userid,
            endpoint=_endpoint(item, item.handover.userid in gone),
            submitted_at=taken_at,
        )
        item.state, item.updated_at = SUBMITTED, now
        item.save()
    return len(items)


def _endpoint(item: HandoverItem, resigned: bool) -> str:
    by = group_transfers if item.kind == GROUP else transfers
    return by.RESIGNED if resigned else by.IN_SERVICE
