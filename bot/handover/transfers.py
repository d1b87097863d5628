"""Move customers by WeCom's transfer: submit in the fewest calls, follow each to its end."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from bot import clock
from bot.customers import conflicts
from bot.db import released, transaction
from bot.handover.rules import (
    REFUSALS_BEFORE_GIVING_UP,
    Outcome,
    Verdict,
    batches,
    judge,
    outcome_of,
    reason_of,
)
from bot.handover.words import (
    ACCOUNT_VANISHED,
    CUSTOMER_REFUSED,
    OTHER_TRANSFER,
    TAKER_FULL,
    TAKER_REFUSED,
    TRANSFER_NOT_SHOWN,
    WAS_CANCELLED,
)
from bot.kegui import Kegui
from bot.models import Handover, HandoverItem, Ownership, Relation, TransferAttempt
from bot.models.customer import RELATION_ACTIVE
from bot.models.handover import (
    CANCELLED,
    CUSTOMER,
    DONE,
    FAILED,
    HANDOVER_OPEN,
    ITEM_IN_FLIGHT,
    LIMIT,
    PLANNED,
    REFUSED,
    RUNNING,
    SUBMITTED,
    WAITING,
)
from bot.reason import Reason
from bot.wecom import (
    ABOUT_ONE,
    OUT_OF_RANGE,
    Refused,
    TransferRow,
    Transient,
    Unreadable,
    WeComError,
)

log = structlog.get_logger(__name__)

IN_SERVICE = "transfer_customer"
RESIGNED = "resigned/transfer_customer"

# Of an attempt.
STARTED = "started"
ACCEPTED = "accepted"
NOT_SENT = "not_sent"
UNFIT = "unfit"
OVERTAKEN = "overtaken"
# An overtaken attempt is still looked up: WeCom may have finished it after all.
LOOKED_UP = (STARTED, ACCEPTED, OVERTAKEN)

# A running transfer ends within 24 hours: one that WeCom shows nothing of for so long is lost.
LOST_AFTER = timedelta(hours=72)


def submit(handover: Handover, *, resigned: bool, kegui: Kegui) -> bool:
    """Ask WeCom to move all planned items that have a takeover member.

    One call for each hundred customers of a (handover, takeover) pair, one pair after another:
    WeCom refuses two at a time for one handover member (45035). Every attempt is recorded
    before the call.

    Returns:
        Whether an answer left items to be planned anew or sent by the other endpoint.

    Raises:
        WeComError: WeCom could not be asked; what was not sent stays planned.
    """
    by_takeover: dict[str, list[HandoverItem]] = {}
    for item in _ready(handover):
        by_takeover.setdefault(str(item.takeover_userid), []).append(item)
    unfinished = False
    for takeover_userid in sorted(by_takeover):
        for batch in batches(by_takeover[takeover_userid]):
            attempts = begin_attempts(handover, batch, RESIGNED if resigned else IN_SERVICE)
            codes = _call(handover, takeover_userid, attempts, resigned, kegui) if attempts else {}
            for item in (attempt.item for attempt in attempts):
                verdict = _record(handover, item, codes.get(item.subject))
                unfinished |= verdict in (Verdict.FULL, Verdict.UNFIT, Verdict.OTHER_ENDPOINT)
    return unfinished


def _ready(handover: Handover) -> list[HandoverItem]:
    return list(
        HandoverItem.select()
        .where(
            HandoverItem.handover == handover,
            HandoverItem.kind == CUSTOMER,
            HandoverItem.state == PLANNED,
            HandoverItem.takeover_userid.is_null(False),
        )
        .order_by(HandoverItem.id)
    )


def begin_attempts(
    handover: Handover, items: Iterable[HandoverItem], endpoint: str
) -> list[TransferAttempt]:
    """Record, before WeCom is asked, that these items are about to be moved.

    WeCom has no recall, so only those are whom people want moved so at this moment: the handover
    may have been cancelled since they were read, or other successors named.
    """
    now = clock.now()
    attempts: list[TransferAttempt] = []
    with transaction():
        if Handover.lock(handover.id).state != RUNNING:
            return attempts
        for item in items:
            begun = HandoverItem.update(state=SUBMITTED, updated_at=now)
            if not begun.where(item.is_as_planned()).execute():
                continue
            item.state, item.updated_at = SUBMITTED, now
            attempts.append(
                TransferAttempt.create(
                    item=item,
                    number=len(item.tries()) + 1,
                    takeover_userid=item.takeover_userid,
                    endpoint=endpoint,
                    submitted_at=now,
                )
            )
    return attempts


def undo_attempts(attempts: Iterable[TransferAttempt], error: WeComError) -> None:
    """WeCom certainly did nothing: the items are planned as before.

    What WeCom refused was a try. What never left, because of a pause, for want of a token or of a
    connection, was none: nothing is kept of it.
    """
    with transaction():
        for attempt in attempts:
            was_asked = error.errcode is not None and error.endpoint.endswith(attempt.endpoint)
            if was_asked:
                attempt.status, attempt.settled_at = NOT_SENT, clock.now()
                attempt.errcode = error.errcode
                attempt.save()
            else:
                attempt.delete_instance()
            set_state(attempt.item, PLANNED)
            attempt.item.save()


def set_state(item: HandoverItem, state: str) -> None:
    """Say where an item stands, in the caller's transaction.

    One that is planned once more is so as people want it now: not where the handover was cancelled
    while WeCom was asked, and for nobody yet where other successors were named.
    """
    if state == PLANNED:
        handover = Handover.lock(item.handover_id)
        if handover.state not in HANDOVER_OPEN:
            state, item.reason = CANCELLED, Reason(WAS_CANCELLED)
        elif handover.successors and item.takeover_userid not in handover.successors:
            item.takeover_userid = None
    item.state, item.updated_at = state, clock.now()


def _call(
    handover: Handover,
    takeover_userid: str,
    attempts: Sequence[TransferAttempt],
    resigned: bool,
    kegui: Kegui,
) -> dict[str, int]:
    """Make one call; gives a code for each customer, the call's own when it was refused whole."""
    customers = [attempt.item.subject for attempt in attempts]
    try:
        with released():
            if resigned:
                return kegui.wecom.resigned.submit(handover.userid, takeover_userid, customers)
            return kegui.wecom.transfers.submit(
                handover.userid, takeover_userid, customers, handover.transfer_success_msg
            )
    except Refused as refused:
        return dict.fromkeys(customers, refused.errcode or 0)
    except WeComError as error:
        if isinstance(error, Transient) and error.maybe_executed:
            raise  # the attempts stay started: the next look at transfer_result tells
        undo_attempts(attempts, error)
        raise


def refused_elsewhere(item: HandoverItem) -> int | None:
    """Return how the other endpoint refused the same takeover member just before this attempt."""
    attempts = item.tries()[-2:]
    if len(attempts) < 2 or attempts[0].takeover_userid != attempts[1].takeover_userid:
        return None
    before, now = attempts
    return before.errcode if before.endpoint != now.endpoint else None


def _record(handover: Handover, item: HandoverItem, errcode: int | None) -> Verdict:
    """Record WeCom's answer for one customer; none at all is looked up later."""
    verdict = Verdict.LOOK_UP if errcode is None else judge(errcode, refused_elsewhere(item))
    if verdict in (Verdict.ACCEPTED, Verdict.LOOK_UP):
        _settle(item, WAITING, ACCEPTED, errcode=errcode)
    elif verdict is Verdict.FULL:
        plan_anew(handover, item, LIMIT, errcode=errcode, reason=_about_taker(TAKER_FULL, item))
    elif verdict is Verdict.UNFIT:
        reason = _about_taker(TAKER_REFUSED, item, errcode=errcode)
        plan_anew(handover, item, UNFIT, errcode=errcode, reason=reason)
    elif verdict in (Verdict.OTHER_ENDPOINT, Verdict.LATER):
        _settle(item, PLANNED, NOT_SENT, errcode=errcode)
    else:
        _settle(item, FAILED, FAILED, errcode=errcode, reason=reason_of(errcode or 0))
    return verdict


def _about_taker(code: str, item: HandoverItem, **facts: int | None) -> Reason:
    return Reason(code, {"member": item.takeover_userid, **facts})


def plan_anew(
    handover: Handover, item: HandoverItem, status: str, *, errcode: int | None, reason: Reason
) -> None:
    """This takeover member cannot have the customer: the next plan finds another one."""
    takeover_userid = item.takeover_userid
    with transaction():
        _settle(item, PLANNED, status, errcode=errcode, reason=reason)
        item.takeover_userid = None
        item.save()
        if status in (LIMIT, UNFIT):
            fresh = Handover.lock(handover.id)
            if takeover_userid not in fresh.full_userids:
                fresh.full_userids = [*fresh.full_userids, takeover_userid]
                fresh.save(only=[Handover.full_userids])
            handover.full_userids = fresh.full_userids


def _settle(
    item: HandoverItem,
    state: str,
    status: str,
    *,
    errcode: int | None = None,
    reason: Reason | None = None,
) -> None:
    """Write the item's state and its last attempt's status in one transaction."""
    now = clock.now()
    with transaction():
        for attempt in item.tries()[-1:]:
            attempt.status = status
            attempt.errcode = errcode or attempt.errcode
            attempt.settled_at = None if status == ACCEPTED else now
            attempt.save()
        item.errcode = errcode or None
        if reason is not None:
            item.reason = reason
        set_state(item, state)
        item.save()


def poll(handover: Handover, *, gone: bool, kegui: Kegui) -> None:
    """Ask WeCom how the running transfers stand, and settle those that ended.

    Also attempts of which a crash left no answer are looked up here, never sent blindly again.

    Raises:
        WeComError: WeCom could not be asked; nothing is lost.
    """
    running = _running(handover)
    if not running:
        return
    unassigned: set[str] | None = None
    rows: dict[tuple[str, str], dict[str, list[TransferRow]] | None] = {}
    for item in running:
        attempts = [one for one in item.tries() if one.status in LOOKED_UP]
        pairs = {
            (endpoint, attempt.takeover_userid)
            for attempt in attempts
            for endpoint in _may_have_gone_by(attempt, gone)
        }
        for pair in sorted(pairs - rows.keys()):
            rows[pair] = _results(handover.userid, *pair, kegui)
        # Of what cannot be told nothing is decided: the next look may tell.
        if not attempts or any(rows[pair] is None for pair in pairs):
            continue
        found = []
        for attempt in attempts:
            for endpoint in _may_have_gone_by(attempt, gone):
                listed = (rows[endpoint, attempt.takeover_userid] or {}).get(item.subject, ())
                shown = [row for row in listed if not _is_older(row, attempt)]
                if shown and endpoint != attempt.endpoint:
                    attempt.endpoint = endpoint
                    attempt.save()
                found += [(attempt, row) for row in shown]
        if gone and unassigned is None and _needs_list(attempts, found):
            unassigned = _unassigned_of(handover.userid, kegui)
        _judge_results(handover, item, attempts, found, item.subject in (unassigned or ()))


def _may_have_gone_by(attempt: TransferAttempt, gone: bool) -> tuple[str, ...]:
    """The endpoints to ask about an attempt, its own first.

    One of which we cannot tell whether it was sent may have been sent after the leave: the
    database was restored from a backup of before.
    """
    if gone and attempt.status == STARTED and attempt.endpoint == IN_SERVICE:
        return IN_SERVICE, RESIGNED
    return (attempt.endpoint,)


def _running(handover: Handover) -> list[HandoverItem]:
    return list(
        HandoverItem.select()
        .where(
            HandoverItem.handover == handover,
            HandoverItem.kind == CUSTOMER,
            HandoverItem.state.in_(ITEM_IN_FLIGHT),
        )
        .order_by(HandoverItem.id)
    )


def _results(
    handover_userid: str, endpoint: str, takeover_userid: str, kegui: Kegui
) -> dict[str, list[TransferRow]] | None:
    """Return what WeCom shows of a pair, by customer; None: it does not tell."""
    asked = kegui.wecom.resigned if endpoint == RESIGNED else kegui.wecom.transfers
    try:
        with released():
            rows = asked.results(handover_userid, takeover_userid)
    except ABOUT_ONE as error:
        log.info("transfer_result_refused", endpoint=endpoint, errcode=error.errcode)
        if isinstance(error, Unreadable) or error.errcode in OUT_OF_RANGE:
            return None
        # The account is gone, or there is no such transfer: WeCom shows nothing.
        return {}
    by_customer: dict[str, list[TransferRow]] = {}
    for row in rows:
        by_customer.setdefault(row.external_userid, []).append(row)
    return by_customer


def _is_older(row: TransferRow, attempt: TransferAttempt) -> bool:
    """Whether the row speaks of an earlier transfer of the same pair.

    Which row WeCom shows after two transfers of one pair is unconfirmed (path 94088). Only
    where we know of an earlier one can the row be an old one.
    """
    if row.takeover_time is None or row.takeover_time >= attempt.submitted_at:
        return False
    return bool(
        TransferAttempt.select()
        .join(HandoverItem)
        .join(Handover)
        .where(
            HandoverItem.subject == row.external_userid,
            TransferAttempt.takeover_userid == attempt.takeover_userid,
            Handover.userid == attempt.item.handover.userid,
            TransferAttempt.id < attempt.id,
            TransferAttempt.status == DONE,
        )
        .exists()
    )


def _needs_list(
    attempts: list[TransferAttempt], found: list[tuple[TransferAttempt, TransferRow]]
) -> bool:
    """Whether only the list of unassigned customers can tell: the account is gone, and a
    transfer begun in service still shows as waiting, or not at all."""
    ended = any(outcome_of(row.status) is not Outcome.WAITING for _, row in found)
    return not ended and all(attempt.endpoint == IN_SERVICE for attempt in attempts)


def _judge_results(
    handover: Handover,
    item: HandoverItem,
    attempts: list[TransferAttempt],
    found: list[tuple[TransferAttempt, TransferRow]],
    is_unassigned: bool,
) -> None:
    outcomes = {outcome_of(row.status): (attempt, row) for attempt, row in found}
    if Outcome.DONE in outcomes:
        attempt, row = outcomes[Outcome.DONE]
        moved_at = row.takeover_time
        if moved_at is not None and moved_at < attempt.submitted_at:
            moved_at = None  # clocks differ, or it is an earlier transfer's
        complete(handover, item, attempt.takeover_userid, moved_at)
    elif is_unassigned:
        # The leave ended the transfer: it begins anew, from the resigned member.
        _settle(item, PLANNED, OVERTAKEN, reason=Reason(ACCOUNT_VANISHED))
    elif Outcome.WAITING in outcomes:
        if item.state != WAITING:
            _settle(item, WAITING, ACCEPTED)
    elif Outcome.REFUSED in outcomes:
        refuse(handover, item)
    elif Outcome.FULL in outcomes:
        plan_anew(handover, item, LIMIT, errcode=None, reason=_about_taker(TAKER_FULL, item))
    elif attempts[-1].status == STARTED:
        # WeCom shows nothing of it: the call never arrived.
        _settle(item, PLANNED, NOT_SENT)
    elif _was_in_another_transfer(item, attempts[-1]):
        _settle(item, PLANNED, NOT_SENT, reason=Reason(OTHER_TRANSFER))
    elif clock.now() - attempts[-1].submitted_at > LOST_AFTER:
        _settle(item, FAILED, FAILED, reason=Reason(TRANSFER_NOT_SHOWN))


def _was_in_another_transfer(item: HandoverItem, attempt: TransferAttempt) -> bool:
    """Whether WeCom spoke of a transfer of the same customer from somebody else, now over.

    Two members who leave may both have had the customer; WeCom moves one contact at a time.
    """
    if attempt.errcode is None or judge(attempt.errcode) is not Verdict.LOOK_UP:
        return False
    others = HandoverItem.select().where(
        HandoverItem.kind == CUSTOMER,
        HandoverItem.subject == item.subject,
        HandoverItem.handover != item.handover,
        HandoverItem.updated_at >= attempt.submitted_at,
    )
    states = {other.state for other in others}
    return bool(states) and not states & set(ITEM_IN_FLIGHT)


def _unassigned_of(userid: str, kegui: Kegui) -> set[str]:
    with released():
        return {row.external_userid for row in kegui.wecom.resigned.unassigned_of(userid)}


def refuse(handover: Handover, item: HandoverItem) -> None:
    """The customer said no: once more with another member, then it is an exception."""
    refusals = (
        TransferAttempt.select()
        .where(TransferAttempt.item == item, TransferAttempt.status == REFUSED)
        .count()
    )
    last = refusals + 1 >= REFUSALS_BEFORE_GIVING_UP
    reason = _about_taker(CUSTOMER_REFUSED, item)
    if last or Handover.get_by_id(handover.id).state not in HANDOVER_OPEN:
        _settle(item, REFUSED, REFUSED, reason=reason)
    else:
        plan_anew(handover, item, REFUSED, errcode=None, reason=reason)


def complete(
    handover: Handover, item: HandoverItem, takeover_userid: str, moved_at: datetime | None
) -> None:
    """WeCom has moved the customer: contact and ownership follow, the case is closed.

    Args:
        moved_at: when, by WeCom. Events may have spoken already of what happened after that.
    """
    now = clock.now()
    moved_at = min(moved_at or now, now)
    with transaction():
        item.takeover_userid = takeover_userid
        _settle(item, DONE, DONE)
        Relation.finish(item.subject, handover.userid, at=moved_at, end="transferred", noted_at=now)
        Relation.begin(
            item.subject,
            takeover_userid,
            state=RELATION_ACTIVE,
            source="transfer",
            at=moved_at,
            noted_at=now,
        )
        give_ownership(handover, item, takeover_userid)


def give_ownership(handover: Handover, item: HandoverItem, takeover_userid: str) -> None:
    """Let the ownership follow, unless the customer belongs to a third member."""
    # In the order in which a decision about a conflict writes: nobody waits for each other.
    why = Reason(f"moved_by_{handover.kind}", {"handover": handover.id})
    conflicts.settle_by_handover(item.subject, handover.userid, takeover_userid, why)
    now = clock.now()
    owner = Ownership.current(item.subject)
    held_by = owner.userid if owner else None
    if held_by in (None, handover.userid):
        Ownership.move(
            item.subject,
            takeover_userid,
            held_by=held_by,
            at=now,
            reason=why,
            item=item.id,
        )
