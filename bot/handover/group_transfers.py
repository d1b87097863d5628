"""Move customer groups to their new owners: at most 100 a call, 300 an owner and day."""

from collections.abc import Sequence
from datetime import datetime, time, tzinfo

import structlog

from bot import clock
from bot.db import released, transaction
from bot.handover.rules import GROUPS_PER_OWNER_AND_DAY, Verdict, batches, judge, reason_of
from bot.handover.transfers import (
    ACCEPTED,
    NOT_SENT,
    STARTED,
    UNFIT,
    begin_attempts,
    refused_elsewhere,
    set_state,
    undo_attempts,
)
from bot.handover.words import DAILY_LIMIT, GROUP_OWNER_IS, TAKER_REFUSED
from bot.kegui import Kegui
from bot.models import GroupChat, Handover, HandoverItem, Staff, TransferAttempt
from bot.models.handover import DONE, FAILED, GROUP, ITEM_IN_FLIGHT, PLANNED, WAITING
from bot.reason import Reason
from bot.wecom import Refused, Transient, Unreadable, WeComError

log = structlog.get_logger(__name__)

IN_SERVICE = "groupchat/onjob_transfer"
RESIGNED = "groupchat/transfer"


def submit(handover: Handover, *, resigned: bool, kegui: Kegui) -> bool:
    """Move the planned groups; what is above the day's number waits for tomorrow.

    Returns:
        Whether an answer left items to be planned anew or sent by the other endpoint.
    """
    by_takeover: dict[str, list[HandoverItem]] = {}
    for item in _items(handover, (PLANNED,)):
        if item.takeover_userid:
            by_takeover.setdefault(item.takeover_userid, []).append(item)
    unfinished = False
    for takeover_userid in sorted(by_takeover):
        items = by_takeover[takeover_userid]
        room = GROUPS_PER_OWNER_AND_DAY - _moved_today(takeover_userid, kegui.settings.zone)
        for item in items[max(room, 0) :]:
            item.reason = Reason(DAILY_LIMIT)
            item.save(only=[HandoverItem.reason_code, HandoverItem.reason_facts])
        for batch in batches(items[: max(room, 0)]):
            attempts = begin_attempts(handover, batch, RESIGNED if resigned else IN_SERVICE)
            failed = _call(takeover_userid, attempts, resigned, kegui) if attempts else {}
            for item in (attempt.item for attempt in attempts):
                unfinished |= _record(item, failed.get(item.subject, 0), takeover_userid)
    return unfinished


def _call(
    takeover_userid: str, attempts: Sequence[TransferAttempt], resigned: bool, kegui: Kegui
) -> dict[str, int]:
    chat_ids = [attempt.item.subject for attempt in attempts]
    try:
        with released():
            return kegui.wecom.groups.transfer(chat_ids, takeover_userid, resigned=resigned)
    except Refused as refused:
        return dict.fromkeys(chat_ids, refused.errcode or 0)
    except WeComError as error:
        if isinstance(error, Transient) and error.maybe_executed:
            raise
        undo_attempts(attempts, error)
        raise


def _record(item: HandoverItem, errcode: int, takeover_userid: str) -> bool:
    """Record WeCom's answer for one group; True when the item must be planned or sent again."""
    verdict = judge(errcode, refused_elsewhere(item))
    if verdict is Verdict.ACCEPTED:
        _settle(item, DONE, DONE)
        GroupChat.update(owner=takeover_userid).where(GroupChat.chat_id == item.subject).execute()
    elif verdict is Verdict.LOOK_UP:
        _settle(item, WAITING, ACCEPTED, errcode)
    elif verdict in (Verdict.OTHER_ENDPOINT, Verdict.LATER):
        _settle(item, PLANNED, NOT_SENT, errcode)
        return verdict is Verdict.OTHER_ENDPOINT
    elif verdict in (Verdict.UNFIT, Verdict.FULL):
        with transaction():
            reason = Reason(TAKER_REFUSED, {"member": takeover_userid, "errcode": errcode})
            _settle(item, PLANNED, UNFIT, errcode, reason)
            item.takeover_userid = None
            item.save()
        return True
    else:
        _settle(item, FAILED, FAILED, errcode, reason_of(errcode))
    return False


def poll(handover: Handover, kegui: Kegui) -> None:
    """Look at the groups whose owner we cannot tell: the group itself says who owns it."""
    for item in _items(handover, ITEM_IN_FLIGHT):
        attempts = item.tries()
        try:
            with released():
                shown = kegui.wecom.groups.get(item.subject).owner
        except Refused as refused:
            _settle(item, FAILED, FAILED, refused.errcode, reason_of(refused.errcode or 0))
            continue
        except Unreadable as error:
            log.warning("group_not_readable", why=str(error))
            continue
        if not shown:
            continue  # the answer does not say: another look will
        owner = Staff.spelled(shown)
        if owner == item.takeover_userid:
            _settle(item, DONE, DONE)
            GroupChat.update(owner=owner).where(GroupChat.chat_id == item.subject).execute()
        elif owner != handover.userid:
            _settle(item, DONE, DONE, None, Reason(GROUP_OWNER_IS, {"member": owner}))
            item.takeover_userid = owner
            item.save()
        elif attempts and attempts[-1].status == STARTED:
            _settle(item, PLANNED, NOT_SENT)


def _settle(
    item: HandoverItem,
    state: str,
    status: str,
    errcode: int | None = None,
    reason: Reason | None = None,
) -> None:
    now = clock.now()
    with transaction():
        TransferAttempt.update(
            status=status, errcode=errcode, settled_at=None if status == ACCEPTED else now
        ).where(
            TransferAttempt.item == item, TransferAttempt.status.in_((STARTED, ACCEPTED))
        ).execute()
        item.errcode = errcode
        if reason is not None:
            item.reason = reason
        set_state(item, state)
        item.save()


def _moved_today(takeover_userid: str, zone: tzinfo) -> int:
    today = clock.now().astimezone(zone).date()
    return (
        TransferAttempt.select()
        .join(HandoverItem)
        .where(
            HandoverItem.kind == GROUP,
            TransferAttempt.takeover_userid == takeover_userid,
            TransferAttempt.status.in_((DONE, STARTED, ACCEPTED)),
            TransferAttempt.submitted_at >= datetime.combine(today, time(), zone),
        )
        .count()
    )


def _items(handover: Handover, states: tuple[str, ...]) -> list[HandoverItem]:
    return list(
        HandoverItem.select()
        .where(
            HandoverItem.handover == handover,
            HandoverItem.kind == GROUP,
            HandoverItem.state.in_(states),
        )
        .order_by(HandoverItem.id)
    )
