"""Open a handover, approve, change and cancel it; ``handover_run`` does the work."""

from collections.abc import Sequence
from datetime import date, timedelta

from peewee import IntegrityError, chunked

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.handover.progress import customers_now
from bot.handover.rules import LastDay, judge_last_day
from bot.handover.words import (
    BEGUN_OR_ENDED,
    DAY_IS_SET,
    HANDS_OVER,
    MEMBER_HAS_LEFT,
    WAS_CANCELLED,
    WAS_CHANGED,
)
from bot.identity import leavers_access, moved, proposals
from bot.kegui import Kegui
from bot.models import Allocation, Handover, HandoverItem, Proposal, Staff
from bot.models.handover import (
    APPROVE,
    AUTO,
    AWAITING_APPROVAL,
    CANCELLED,
    CUSTOMER,
    HANDOVER_OPEN,
    IN_SERVICE,
    OFFBOARDING,
    PLANNED,
    RUNNING,
    SCHEDULED,
)
from bot.queue import Lane
from bot.reason import NO_REASON, Reason
from bot.staff import staff
from bot.staff.candidate import UNKNOWN_MEMBER

BEFORE_IT_RUNS = (PLANNED, AWAITING_APPROVAL, SCHEDULED)
ROWS_AT_ONCE = 500
RULES = Who("rules")


class UnknownStaff(Exception):
    """WeCom shows no such member."""


class LastDayTooFar(ValueError):
    """The last day is so far from today that nobody can mean it."""

    def __init__(self, day: date) -> None:
        super().__init__(f"the last day {day} is too far from today: check it")
        self.day = day


class UnfitSuccessor(Exception):
    """A named successor cannot take anybody over; ``reason`` is the code of why."""

    def __init__(self, userid: str, reason: str) -> None:
        super().__init__(f"{userid}: {reason}")
        self.userid = userid
        self.reason = reason


class NotPossible(Exception):
    """The handover is in a state in which this cannot be done; ``code`` is that of the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Changed(NotPossible):
    """Somebody has changed it since the approver looked at it."""

    def __init__(self) -> None:
        super().__init__(WAS_CHANGED)


def open_offboarding(
    userid: str,
    last_day: date,
    *,
    mode: str,
    source: str,
    by: Who,
    kegui: Kegui,
    reason: str = "",
    successors: Sequence[str] = (),
) -> tuple[Handover, bool]:
    """Open the case of a leaver; gives the case, and whether it is new.

    A leaver has one open case: opening it again gives the existing one, unchanged.

    Raises:
        LastDayTooFar: the day cannot be meant.
        UnknownStaff: no such member is known.
        UnfitSuccessor: a named successor may not take over.
    """
    _check_last_day(last_day, kegui)
    member = staff.find(userid, kegui)
    if member is None:
        raise UnknownStaff(userid)
    userid = member.userid
    existing = open_case(userid)
    if existing is not None:
        return existing, False
    successors = check_successors(userid, successors, kegui)
    now = clock.now()
    try:
        with transaction():
            handover = Handover.create(
                kind=OFFBOARDING,
                userid=userid,
                last_day=last_day,
                mode=mode,
                source=source,
                reason=reason,
                successors=successors,
                created_at=now,
                updated_at=now,
            )
            kegui.audit.record(
                by,
                "offboarding.open",
                handover.subject,
                userid=userid,
                last_day=last_day,
                mode=mode,
                source=source,
                successors=",".join(successors) or None,
            )
            if mode == APPROVE:
                proposals.propose(OFFBOARDING, handover.subject, by, kegui)
    except IntegrityError:
        # Somebody else opened it in this very moment.
        return Handover.get(_is_open_case(userid)), False
    wake(handover, kegui)
    return handover, True


def open_handover(
    handover_userid: str,
    external_userids: Sequence[str] | None,
    *,
    takeover_userid: str | None,
    source: str,
    by: Who,
    kegui: Kegui,
    transfer_success_msg: str = "",
    request_key: str | None = None,
    allocation_id: int | None = None,
) -> Handover:
    """Move customers of a member in service, by a manager's word: it starts at once.

    Args:
        external_userids: the customers, or None for all.
        takeover_userid: who gets them, or None: the rules choose.
        request_key: names the call or the form that asks; asked again, it gets the handover
            that it opened.
        allocation_id: the decision by which a rule moves them.

    Raises:
        UnknownStaff: no such member is known.
        NotPossible: the member has left: that is an offboarding's work.
        UnfitSuccessor: the takeover member may not take over.
        NeedsProof: see ``bot.identity.moved``.
    """
    if opened := _opened_by(request_key, handover_userid):
        wake(opened, kegui)
        return opened
    handover_userid = _member_in_service(handover_userid, kegui)
    successors = [takeover_userid] if takeover_userid else []
    successors = check_successors(handover_userid, successors, kegui)
    now = clock.now()
    try:
        with transaction():
            handover = Handover.create(
                kind=IN_SERVICE,
                userid=handover_userid,
                mode=AUTO,
                source=source,
                allocation=allocation_id,
                request_key=request_key,
                successors=successors,
                scope=None if external_userids is None else list(external_userids),
                transfer_success_msg=transfer_success_msg,
                created_at=now,
                updated_at=now,
            )
            _add_named_items(handover)
            number = len(set(external_userids or ()))
            moved.check(number, by)
            kegui.audit.record(
                by,
                "handover.open",
                handover.subject,
                userid=handover_userid,
                takeover_userid=takeover_userid,
                customers="all" if external_userids is None else len(external_userids),
                moved=number or None,
                source=source,
            )
    except IntegrityError:
        # The same request, at this very moment.
        opened = _opened_by(request_key, handover_userid)
        if opened is None:
            raise
        return opened
    wake(handover, kegui)
    return handover


def _opened_by(request_key: str | None, userid: str) -> Handover | None:
    if request_key is None:
        return None
    found: Handover | None = Handover.get_or_none(
        Handover.request_key == request_key, Handover.userid == Staff.spelled(userid)
    )
    return found


def _member_in_service(userid: str, kegui: Kegui) -> str:
    """Return a member's userid as WeCom spells it."""
    member = staff.find(userid, kegui)
    if member is None:
        raise UnknownStaff(userid)
    if member.left_at is not None:
        raise NotPossible(MEMBER_HAS_LEFT)
    return member.userid


def _add_named_items(handover: Handover) -> None:
    now = clock.now()
    for some in chunked(handover.scope or (), ROWS_AT_ONCE):
        HandoverItem.insert_many(
            [
                {"handover": handover, "kind": CUSTOMER, "subject": one, "updated_at": now}
                for one in some
            ]
        ).on_conflict_ignore().execute()


def move_by_rule(allocation: Allocation, kegui: Kegui) -> Handover:
    """Carry out an allocation that names another owner than the added member."""
    return open_handover(
        allocation.added_userid,
        [allocation.external_userid],
        takeover_userid=allocation.owner,
        source="rules",
        allocation_id=allocation.id,
        request_key=f"allocation {allocation.id}",
        by=Who("rules"),
        kegui=kegui,
    )


def begin_for_leaver(userid: str, *, source: str, kegui: Kegui) -> Handover:
    """WeCom says that the account is gone: the handover goes on by itself, from now.

    A case that waits for a person's approval keeps waiting: nobody's word is overruled.
    """
    now, userid = clock.now(), Staff.spelled(userid)
    staff.mark_left(userid, now)
    leavers_access.take_from(userid, Who("wecom"), kegui)
    today = now.astimezone(kegui.settings.zone).date()
    handover, is_new = open_offboarding(
        userid, today, mode=AUTO, source=source, by=Who("wecom"), kegui=kegui
    )
    if not is_new:
        wake(handover, kegui)
    return handover


def approve(
    handover: Handover, by: Who, kegui: Kegui, *, proposal_id: int | None = None
) -> Handover:
    """Let the handover start when it is due; approving again changes nothing.

    Args:
        proposal_id: which proposal the approver has seen, 0: none; None: any.

    Raises:
        NotPossible: it is over.
        SamePerson: whoever opened or changed it, or leaves, may not approve it.
        NotBound: a local administrator approves who is bound to no member.
        NeedsProof: see ``bot.identity.moved``.
        Changed: it is another proposal by now.
    """
    proposals.check_bound(by)
    if by.is_person(handover.userid):
        raise proposals.SamePerson
    if handover.state not in HANDOVER_OPEN:
        raise NotPossible(f"handover_{handover.state}")
    now = clock.now()
    with transaction():
        approved = (
            Handover.update(approved_by=by.actor, approved_at=now, updated_at=now)
            .where(
                Handover.id == handover.id,
                Handover.approved_at.is_null(),
                Handover.state.in_(HANDOVER_OPEN),
            )
            .execute()
        )
        if approved:
            proposal = proposals.open_one(handover.kind, handover.subject)
            if proposal_id not in (None, proposal.id if proposal else 0):
                raise Changed
            number = len(customers_now(handover))
            moved.check(number, by)
            if proposal is not None:
                _approve_proposal(proposal, by, kegui, number)
            else:
                # Nobody proposed it: WeCom reported the leave, or it was opened before proposals.
                kegui.audit.record(
                    by, f"{handover.kind}.approve", handover.subject, moved=number or None
                )
        # One that is still being planned goes on by itself when the plan is made.
        Handover.update(state=SCHEDULED).where(
            Handover.id == handover.id, Handover.state == AWAITING_APPROVAL
        ).execute()
    handover = Handover.get_by_id(handover.id)
    if not approved and handover.state not in HANDOVER_OPEN:
        raise NotPossible(f"handover_{handover.state}")
    wake(handover, kegui)
    return handover


def would_move(handover: Handover) -> int:
    """Count the customers and groups that the handover moves, those of the plan or those met
    since, whom the plan may not have yet."""
    planned = HandoverItem.select().where(
        HandoverItem.handover == handover, HandoverItem.state != CANCELLED
    )
    return max(planned.count(), len(customers_now(handover)))


def _approve_proposal(proposal: Proposal, by: Who, kegui: Kegui, number: int) -> None:
    try:
        proposals.approve(proposal, by, kegui, moved=number or None)
    except proposals.NotOpen:
        raise Changed from None


def cancel(handover: Handover, by: Who, kegui: Kegui) -> Handover:
    """Stop what is not submitted; WeCom has no recall, so the rest is followed to its end.

    Raises:
        NotPossible: it is over.
        SamePerson: nobody ends their own leave.
    """
    if by.is_person(handover.userid):
        raise proposals.SamePerson
    now = clock.now()
    with transaction():
        changed = (
            Handover.update(
                state=CANCELLED,
                waits_until=None,
                updated_at=now,
                **NO_REASON.columns("waits_for"),
            )
            .where(Handover.id == handover.id, Handover.state.in_(HANDOVER_OPEN))
            .execute()
        )
        if changed:
            HandoverItem.update(
                state=CANCELLED, updated_at=now, **Reason(WAS_CANCELLED).columns()
            ).where(HandoverItem.handover == handover, HandoverItem.state == PLANNED).execute()
            kegui.audit.record(by, f"{handover.kind}.cancel", handover.subject)
            proposal = proposals.open_one(handover.kind, handover.subject)
            if proposal is not None:
                proposals.withdraw(proposal, by, kegui)
    if not changed and handover.state != CANCELLED:
        raise NotPossible(f"handover_{handover.state}")
    return Handover.get_by_id(handover.id)


def change(
    handover: Handover,
    by: Who,
    kegui: Kegui,
    *,
    last_day: date | None = None,
    successors: Sequence[str] | None = None,
) -> Handover:
    """Change what is not submitted yet: the day, or the successors of planned items.

    What a person changes before it runs is a proposal of that person: an approval that was given
    to other terms is worth nothing any more, and the plan is made anew. A system's change is one
    as long as nobody has approved the leave; an approval that was given outlasts it.

    Raises:
        LastDayTooFar: the day cannot be meant.
        NotPossible: it is over, or runs already and the day would change.
        UnfitSuccessor: a named successor may not take over.
        SamePerson: nobody changes their own leave.
        NeedsProof: see ``bot.identity.moved``.
    """
    if last_day is not None:
        _check_last_day(last_day, kegui)
    if by.is_person(handover.userid):
        raise proposals.SamePerson
    if handover.state not in HANDOVER_OPEN:
        raise NotPossible(f"handover_{handover.state}")
    if last_day is not None and handover.state == RUNNING:
        raise NotPossible(DAY_IS_SET)
    changes: dict[str, object] = {"updated_at": clock.now()}
    if last_day is not None:
        changes["last_day"] = last_day
    if successors is not None:
        successors = check_successors(handover.userid, successors, kegui)
        changes |= {"successors": successors, "full_userids": []}
    with transaction():
        # Asked in the change itself: what has begun meanwhile changes only as what runs may.
        state = (RUNNING,) if handover.state == RUNNING else BEFORE_IT_RUNS
        as_read = (Handover.id == handover.id) & Handover.state.in_(state)
        if not Handover.update(**changes).where(as_read).execute():
            raise NotPossible(BEGUN_OR_ENDED)
        number = 0
        if successors is not None:
            planned = (
                HandoverItem.update(takeover_userid=None)
                .where(HandoverItem.handover == handover, HandoverItem.state == PLANNED)
                .execute()
            )
            # Before it runs, whoever approves it moves them.
            number = planned if handover.state == RUNNING else 0
        moved.check(number, by)
        kegui.audit.record(
            by,
            f"{handover.kind}.change",
            handover.subject,
            last_day=last_day,
            successors=None if successors is None else ",".join(successors),
            moved=number or None,
        )
        is_approved = Handover.get_by_id(handover.id).approved_at is not None
        if handover.mode == APPROVE and not (is_approved and not by.people):
            _propose_anew(handover, by, kegui)
    wake(handover, kegui)
    return Handover.get_by_id(handover.id)


def _propose_anew(handover: Handover, by: Who, kegui: Kegui) -> None:
    """Let another person decide on what ``by`` has changed, unless it runs already."""
    back = (
        Handover.update(state=PLANNED, approved_by=None, approved_at=None)
        .where(Handover.id == handover.id, Handover.state.in_(BEFORE_IT_RUNS))
        .execute()
    )
    if not back:
        return
    subject = handover.subject
    former = proposals.open_one(handover.kind, subject)
    if former is not None:
        proposals.withdraw(former, by, kegui, "changed")
    if former is None or by.people:
        proposals.propose(handover.kind, subject, by, kegui)
        return
    # What a system adds does not make a person the second one of their own proposal.
    humans = proposals.humans_of(former)
    proposals.propose(handover.kind, subject, by, kegui, maker=former.proposed_by, humans=humans)


def propose_new_plan(handover: Handover, kegui: Kegui) -> None:
    """Let the approver decide on the plan as it is now, if nobody has decided yet.

    The proposal stays that of whoever made it: who planned anew is no second person.
    """
    with transaction():
        is_now = Handover.lock(handover.id)
        former = proposals.open_one(handover.kind, handover.subject)
        if former is None or is_now.state != AWAITING_APPROVAL or is_now.approved_at is not None:
            return
        proposals.withdraw(former, RULES, kegui, "changed")
        proposals.propose(
            handover.kind,
            handover.subject,
            RULES,
            kegui,
            maker=former.proposed_by,
            humans=proposals.humans_of(former),
        )


def check_successors(userid: str, successors: Sequence[str], kegui: Kegui) -> list[str]:
    """Return these members as they are written here.

    Raises:
        UnfitSuccessor: the first who cannot take over from ``userid``.
    """
    successors = Staff.each_spelled(successors)
    known = {candidate.userid: candidate for candidate in staff.candidates(kegui, successors)}
    doubtful = [one for one in successors if one not in known or known[one].unfit]
    if doubtful:
        staff.look_again(doubtful, kegui)
        successors = Staff.each_spelled(successors)
        known = {candidate.userid: candidate for candidate in staff.candidates(kegui, successors)}
    for successor in successors:
        if successor == userid:
            raise UnfitSuccessor(successor, HANDS_OVER)
        if successor not in known:
            raise UnfitSuccessor(successor, UNKNOWN_MEMBER)
        if known[successor].exclusion:
            raise UnfitSuccessor(successor, known[successor].exclusion)
    return successors


def open_case(userid: str) -> Handover | None:
    """Return the open offboarding of a member, or None."""
    return Handover.get_or_none(_is_open_case(userid))


def wake(handover: Handover, kegui: Kegui) -> None:
    """Let a worker look at the handover now; the clock would, later."""
    kegui.queue.wake(Lane.WORK, f"handover:{handover.id}")


def wake_soon(handover: Handover, kegui: Kegui) -> None:
    """Let a worker look at the handover, unless it was looked at within a poll's time.

    A hundred customers who refuse one after another bring a hundred events: together they are
    planned anew in one round, and cost one call for each pair.
    """
    since = clock.now() - timedelta(seconds=min(kegui.settings.transfer_poll_seconds, 5))
    recent = HandoverItem.select().where(
        HandoverItem.handover == handover, HandoverItem.updated_at > since
    )
    if not recent.exists():
        wake(handover, kegui)


def _check_last_day(day: date, kegui: Kegui) -> None:
    today = clock.now().astimezone(kegui.settings.zone).date()
    if judge_last_day(day, today) is LastDay.TOO_FAR:
        raise LastDayTooFar(day)


def _is_open_case(userid: str) -> object:
    return (
        (Handover.kind == OFFBOARDING)
        & (Handover.userid == userid)
        & Handover.state.in_(HANDOVER_OPEN)
    )
