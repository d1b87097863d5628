"""Handovers as cases: how far each has come, and what stands where."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import peewee
from peewee import Expression, ModelSelect, fn

from bot.identity.access import EVERYBODY, Scope
from bot.models import (
    AuditEntry,
    GroupChat,
    Handover,
    HandoverItem,
    HandWork,
    Ownership,
    Relation,
    Staff,
    TransferAttempt,
)
from bot.models.customer import LIVE_RELATIONS
from bot.models.handover import (
    AWAITING_APPROVAL,
    CANCELLED,
    CUSTOMER,
    DONE,
    DONE_WITH_EXCEPTIONS,
    FAILED,
    GROUP,
    HANDOVER_OPEN,
    IN_SERVICE,
    ITEM_EXCEPTIONS,
    ITEM_IN_FLIGHT,
    ITEM_OPEN,
    LIMIT,
    OFFBOARDING,
    PLANNED,
    REFUSED,
    RUNNING,
    SCHEDULED,
    SUBMITTED,
    WAITING,
    WITHOUT_SUCCESSOR,
)

# What is done first, then what is on its way, then what a person should look at.
ITEM_STATES = (DONE, WAITING, SUBMITTED, PLANNED, REFUSED, LIMIT, FAILED, CANCELLED)
LOOKED_AT = (FAILED, LIMIT, REFUSED, PLANNED, SUBMITTED, WAITING, DONE, CANCELLED)
# Among which a form looks for those whom WeCom called full.
LATEST_ATTEMPTS = 1_000
# What opens handovers by itself: the rules, and what WeCom reports.
KEGUI_ITSELF = ("rules", "wecom")
# How a handover stands whose part in WeCom is over, while people must still do something.
BY_HAND = "by_hand"
SETTLED = (DONE, REFUSED, LIMIT, FAILED, CANCELLED)


@dataclass(frozen=True)
class Share:
    """The part of a case in one state, as percentages of the whole."""

    state: str
    number: int
    start: float
    width: float


@dataclass(frozen=True)
class Case:
    """A handover, how many of its items are in which state, and what waits for a person.

    ``hand_work``: what no API can do. ``without_successor``: items of a plan that nobody takes.
    ``left_behind``: what is still the leaver's though the handover has ended.
    """

    handover: Handover
    counts: Mapping[str, int]
    hand_work: int = 0
    without_successor: int = 0
    left_behind: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def settled(self) -> int:
        return sum(self.counts.get(state, 0) for state in SETTLED)

    @property
    def exceptions(self) -> int:
        return sum(self.counts.get(state, 0) for state in ITEM_EXCEPTIONS)

    @property
    def is_open(self) -> bool:
        return self.handover.state in HANDOVER_OPEN

    @property
    def by_hand(self) -> int:
        """How much waits for a person."""
        return self.hand_work + self.without_successor + self.left_behind

    @property
    def is_done(self) -> bool:
        """Whether all is done: what WeCom moves, and what people must do."""
        return self.handover.state in (DONE, DONE_WITH_EXCEPTIONS) and not self.by_hand

    @property
    def standing(self) -> str:
        """The handover's state; what waits for a person when WeCom's part is over is not done."""
        is_over = self.handover.state in (DONE, DONE_WITH_EXCEPTIONS)
        return BY_HAND if is_over and self.by_hand else self.handover.state

    @property
    def settled_shares(self) -> list[Share]:
        """What has come to its end: the bar is full when nothing is left, for people either."""
        return self._shares(SETTLED)

    @property
    def shares(self) -> list[Share]:
        return self._shares(ITEM_STATES)

    def _shares(self, states: Sequence[str]) -> list[Share]:
        shares, start = [], 0.0
        for state in states:
            number = self.counts.get(state, 0)
            if number:
                width = 100 * number / (self.total + self.hand_work)
                shares.append(Share(state, number, start, width))
                start += width
        return shares


def cases(handovers: Sequence[Handover]) -> list[Case]:
    """Count the items of these handovers by state, in one query."""
    counts: dict[int, dict[str, int]] = {handover.id: {} for handover in handovers}
    number = fn.COUNT(HandoverItem.id).alias("number")
    query = (
        HandoverItem.select(HandoverItem.handover, HandoverItem.state, number)
        .where(HandoverItem.handover.in_(list(counts)))
        .group_by(HandoverItem.handover, HandoverItem.state)
    )
    row: Any
    for row in query:
        counts[row.handover_id][row.state] = row.number
    by_hand = hand_work_counts(handovers)
    waiting = [one.id for one in handovers if one.state in (AWAITING_APPROVAL, SCHEDULED)]
    unplanned = _counts_of(_without_successor(), waiting)
    ended = [one.id for one in handovers if one.state == DONE_WITH_EXCEPTIONS]
    behind = _counts_of(_left_behind(), ended)
    return [
        Case(
            handover,
            counts[handover.id],
            by_hand[handover.id],
            unplanned.get(handover.id, 0),
            behind.get(handover.id, 0),
        )
        for handover in handovers
    ]


def _counts_of(items: "ModelSelect[HandoverItem]", handover_ids: Collection[int]) -> dict[int, int]:
    """Count those of these items that belong to some handovers, by handover."""
    if not handover_ids:
        return {}
    query = (
        items.where(HandoverItem.handover.in_(list(handover_ids)))
        .select(HandoverItem.handover, fn.COUNT(HandoverItem.id))
        .group_by(HandoverItem.handover)
    )
    return dict(cast(Any, query.tuples()))


def _without_successor() -> "ModelSelect[HandoverItem]":
    """The items of plans that wait, for whom the rules and the named successors found nobody."""
    planned = Handover.select(Handover.id).where(Handover.state.in_((AWAITING_APPROVAL, SCHEDULED)))
    return HandoverItem.select().where(WITHOUT_SUCCESSOR, HandoverItem.handover.in_(planned))


def _left_behind() -> "ModelSelect[HandoverItem]":
    """The items of ended offboardings that are still the leaver's, where none is open that moves
    them and the leaver did not come back."""
    again = Handover.alias()
    moving = again.select(again.userid).where(
        again.kind == OFFBOARDING, again.state.in_(HANDOVER_OPEN)
    )
    back = Staff.select(Staff.userid).where(
        Staff.userid == Handover.userid, Staff.returned_at >= Handover.created_at
    )
    ended = Handover.select(Handover.id).where(
        Handover.kind == OFFBOARDING,
        Handover.state == DONE_WITH_EXCEPTIONS,
        Handover.userid.not_in(moving),
        ~fn.EXISTS(back),
    )
    leaver = Handover.alias()
    whose = leaver.select(leaver.userid).where(leaver.id == HandoverItem.handover)
    owned = Ownership.select(Ownership.id).where(
        Ownership.external_userid == HandoverItem.subject,
        Ownership.until.is_null(),
        Ownership.userid == whose,
    )
    led = GroupChat.select(GroupChat.chat_id).where(
        GroupChat.chat_id == HandoverItem.subject,
        GroupChat.dismissed_at.is_null(),
        GroupChat.owner == whose,
    )
    return HandoverItem.select().where(
        HandoverItem.handover.in_(ended),
        HandoverItem.state.in_(ITEM_EXCEPTIONS),
        ((HandoverItem.kind == CUSTOMER) & fn.EXISTS(owned))
        | ((HandoverItem.kind == GROUP) & fn.EXISTS(led)),
    )


def count_without_successor(scope: Scope, most: int) -> int:
    """Count the customers and groups of waiting plans that nobody takes over, up to ``most``."""
    items = _without_successor()
    if not scope.is_firm:
        within = scope.of_members(Handover.select(Handover.id), Handover.userid)
        items = items.where(HandoverItem.handover.in_(within))
    return int(items.limit(most).count())


def with_plans_for_nobody(query: "ModelSelect[Handover]") -> "ModelSelect[Handover]":
    """Those of these handovers whose plan has customers or groups that nobody takes over."""
    return query.where(Handover.id.in_(_without_successor().select(HandoverItem.handover)))


def running_cases(limit: int, scope: Scope = EVERYBODY) -> list[Case]:
    """Return the cases that are not over, the latest first."""
    query = Handover.select().where(Handover.state.in_(HANDOVER_OPEN))
    query = scope.of_members(query, Handover.userid)
    return cases(list(query.order_by(Handover.id.desc()).limit(limit)))


def items_of(handover: Handover, state: str = "") -> "ModelSelect[HandoverItem]":
    """Select the items of a handover, those that a person should look at first."""
    query = HandoverItem.select().where(HandoverItem.handover == handover)
    if state:
        query = query.where(HandoverItem.state == state)
    rank = peewee.Case(HandoverItem.state, [(one, number) for number, one in enumerate(LOOKED_AT)])
    return query.order_by(rank, HandoverItem.id)


def counts_by_successor(
    handover: Handover, state: str = ""
) -> list[tuple[str | None, dict[str, int]]]:
    """Count the items by who takes over and by state, for whoever may not know the customers."""
    number = fn.COUNT(HandoverItem.id).alias("number")
    query = (
        HandoverItem.select(HandoverItem.takeover_userid, HandoverItem.state, number)
        .where(HandoverItem.handover == handover)
        .group_by(HandoverItem.takeover_userid, HandoverItem.state)
    )
    if state:
        query = query.where(HandoverItem.state == state)
    found: dict[str | None, dict[str, int]] = {}
    row: Any
    for row in query:
        found.setdefault(row.takeover_userid, {})[row.state] = row.number
    return sorted(
        found.items(), key=lambda one: (one[0] is None, -sum(one[1].values()), one[0] or "")
    )


def attempts_of(items: Sequence[HandoverItem]) -> dict[int, list[TransferAttempt]]:
    """Return the attempts of each item in their order, in one query."""
    found: dict[int, list[TransferAttempt]] = {item.id: [] for item in items}
    query = TransferAttempt.select().where(TransferAttempt.item.in_(list(found)))
    attempt: Any
    for attempt in query.order_by(TransferAttempt.item, TransferAttempt.number):
        found[attempt.item_id].append(attempt)
    return found


def left_to_do() -> Expression:
    """What is true of work by hand, joined with its handover, that nobody has done yet."""
    is_left: Expression = HandWork.done_at.is_null() & (Handover.state != CANCELLED)
    return is_left


def with_hand_work(query: "ModelSelect[Handover]") -> "ModelSelect[Handover]":
    """Those of these handovers for which something must still be done by hand: what no API can do,
    or what the leaver still has."""
    left = HandWork.select(HandWork.handover).where(
        HandWork.done_at.is_null(), HandWork.handover == Handover.id
    )
    is_left = (Handover.state != CANCELLED) & fn.EXISTS(left)
    behind = _left_behind().select(HandoverItem.handover)
    return query.where(is_left | Handover.id.in_(behind))


def under_way(userids: Collection[str]) -> dict[str, Handover]:
    """Name the customers of these members who are being moved, with the handover."""
    query = (
        HandoverItem.select(HandoverItem, Handover)
        .join(Handover)
        .where(
            Handover.userid.in_(list(userids)),
            HandoverItem.kind == CUSTOMER,
            HandoverItem.state.in_(ITEM_OPEN),
            Handover.state.in_(HANDOVER_OPEN) | HandoverItem.state.in_(ITEM_IN_FLIGHT),
        )
    )
    return {item.subject: item.handover for item in query if is_moving(item)}


def is_moving(item: HandoverItem) -> bool:
    """Whether an item is on its way, or will be as soon as somebody has time: what a leaver's plan
    has before it begins can still be moved by a manager, and what was sent has no recall."""
    handover = item.handover
    begins = handover.state == RUNNING or handover.kind == IN_SERVICE
    is_open = handover.state in HANDOVER_OPEN and begins and item.state in ITEM_OPEN
    return is_open or item.state in ITEM_IN_FLIGHT


def said_full(since: datetime) -> set[str]:
    """Name the members of whom WeCom has said since then that they can take no more customers; the
    latest attempts are looked at, never all."""
    query = TransferAttempt.select().order_by(TransferAttempt.id.desc()).limit(LATEST_ATTEMPTS)
    return {
        attempt.takeover_userid
        for attempt in query
        if attempt.status == LIMIT and (attempt.settled_at or attempt.submitted_at) > since
    }


def hand_work_counts(handovers: Sequence[Handover]) -> dict[int, int]:
    """Count what people must still do for each of these handovers, in one query."""
    counts = {handover.id: 0 for handover in handovers}
    query = (
        HandWork.select(HandWork.handover, fn.COUNT(HandWork.id))
        .join(Handover)
        .where(HandWork.handover.in_(list(counts)), left_to_do())
        .group_by(HandWork.handover)
    )
    rows: Any = query.tuples()
    return counts | dict(rows)


def hand_work_of(handover: Handover) -> list[HandWork]:
    """Return what a person must do for this handover, because no API can; what is done last."""
    query = HandWork.select().where(HandWork.handover == handover)
    return list(query.order_by(HandWork.done_at.is_null(False), HandWork.id))


def opened_by(handover: Handover) -> str | None:
    """Return who opened a handover, by the audit log; None where no person or system did."""
    entry = AuditEntry.get_or_none(
        AuditEntry.subject == handover.subject, AuditEntry.act == f"{handover.kind}.open"
    )
    return entry.actor if entry is not None and entry.actor not in KEGUI_ITSELF else None


def customers_now(handover: Handover) -> set[str]:
    """Name the customers whom an approval would move: those of the plan, and, of a leaver, those
    met since, whom the plan may not have yet."""
    planned = HandoverItem.select(HandoverItem.subject).where(
        HandoverItem.handover == handover,
        HandoverItem.kind == CUSTOMER,
        HandoverItem.state != CANCELLED,
    )
    found = {item.subject for item in planned}
    if handover.scope is None:
        met = Relation.select(Relation.external_userid).where(
            Relation.userid == handover.userid, Relation.state.in_(LIVE_RELATIONS)
        )
        found |= {relation.external_userid for relation in met}
    return found
