"""The state of the house in a few numbers, for whoever opens the console."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from peewee import SQL, ModelSelect, Select, Value, fn

from bot.consent.gaps import count_gaps, count_never_told
from bot.customers.directory import left_behind, without_owner
from bot.db import database
from bot.handover.progress import count_without_successor, with_hand_work
from bot.identity.access import EVERYBODY, Scope
from bot.identity.role_list import open_ones
from bot.models import (
    Alarm,
    Conflict,
    Customer,
    Handover,
    InboxEvent,
    InboxHistory,
    Ownership,
    Staff,
)
from bot.models import conflict as conflicts
from bot.models.handover import AWAITING_APPROVAL, HANDOVER_OPEN
from bot.models.inbox_event import (
    CLAIMED,
    DEAD,
    EVENT_COLUMNS,
    FAILED,
    SETTLED,
    STATES,
    UNSETTLED,
    WAITING,
    WORKER_PATIENCE,
)

# Whoever has more events in a day reads it as "more".
MOST_COUNTED = 10_000
# Of customers and what is open with them: 1,000 is shown as 1,000+.
MOST_NUMBERED = 1_000


@dataclass(frozen=True)
class Numbers:
    """How many there are of what somebody asks for first, as far as they may see it."""

    customers: int
    without_owner: int
    left_behind: int
    serving: int
    conflicts: int
    gaps: int
    never_told: int
    handovers: int
    approvals: int
    without_successor: int
    hand_work: int
    alarms: int
    overdue: int
    dead: int
    received_today: int
    has_events: bool
    proposals: int

    @property
    def is_new(self) -> bool:
        """Nothing was imported and no event has come yet."""
        return not self.customers and not self.serving and not self.has_events


@dataclass(frozen=True)
class Scopes:
    """Over whom the numbers go, for each kind of thing."""

    customers: Scope = EVERYBODY
    conflicts: Scope = EVERYBODY
    gaps: Scope = EVERYBODY
    handovers: Scope = EVERYBODY


WHOLE_FIRM = Scopes()


def numbers(now: datetime, zone: tzinfo, scopes: Scopes = WHOLE_FIRM) -> Numbers:
    """Count; a fixed number of queries, however many customers there are.

    Args:
        zone: whose midnight begins the day.
    """
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    customers = scopes.customers.of_customers(Customer.select(), Customer.external_userid)
    handovers = scopes.handovers.of_members(Handover.select(), Handover.userid)
    counted = _counted(
        without_owner=customers.where(without_owner()).limit(MOST_NUMBERED),
        serving=Staff.select().where(Staff.serves, Staff.left_at.is_null()),
        conflicts=_open_conflicts(scopes.conflicts).limit(MOST_NUMBERED),
        handovers=handovers.where(Handover.state.in_(HANDOVER_OPEN)),
        approvals=handovers.where(Handover.state == AWAITING_APPROVAL),
        hand_work=with_hand_work(handovers),
        alarms=Alarm.select().where(Alarm.ended_at.is_null()),
        overdue=_overdue(now),
        dead=InboxEvent.select().where(UNSETTLED, InboxEvent.state == DEAD),
        proposals=open_ones(),
        events=InboxEvent.select().limit(1),
    )
    has_events = bool(counted.pop("events"))
    return Numbers(
        **counted,
        customers=_count_customers(scopes.customers),
        left_behind=_up_to_most(left_behind(scopes.customers)),
        gaps=count_gaps(now, scopes.gaps),
        never_told=sum(count_never_told(scopes.gaps).values()),
        without_successor=count_without_successor(scopes.handovers, MOST_COUNTED),
        received_today=count_received(midnight),
        has_events=has_events,
    )


def _counted(**queries: "ModelSelect[Any]") -> dict[str, int]:
    """Count the rows of each, all in one statement."""
    numbers = [
        Select([query.select(SQL("1")).alias(f"of_{name}")], [fn.COUNT(SQL("*"))])
        for name, query in queries.items()
    ]
    row = Select(columns=numbers).tuples().execute(database.obj)[0]
    return dict(zip(queries, row, strict=True))


def _count_customers(scope: Scope) -> int:
    """Count the customers within. Mostly those whom a member within owns are enough, and a row of
    each is all that must be read."""
    owned = Ownership.select().where(Ownership.until.is_null())
    number = _up_to_most(scope.of_members(owned, Ownership.userid))
    if number == MOST_NUMBERED:
        return number
    return _up_to_most(scope.of_customers(Customer.select(), Customer.external_userid))


def _up_to_most(query: "ModelSelect[Any]") -> int:
    """Count, but not beyond what anybody reads as a number."""
    return query.limit(MOST_NUMBERED).count()


def _overdue(now: datetime) -> "ModelSelect[InboxEvent]":
    """Select the events that should have been taken up over a minute ago: no worker runs."""
    before = now - WORKER_PATIENCE
    due = InboxEvent.state.in_((WAITING, FAILED)) & (InboxEvent.due_at < before)
    orphaned = (InboxEvent.state == CLAIMED) & (InboxEvent.lease_until < before)
    return InboxEvent.select().where(UNSETTLED, due | orphaned)


def count_received(since: datetime) -> int:
    """Count the events that came since then, up to ``MOST_COUNTED``: the latest are looked at,
    never all."""
    latest = (
        InboxEvent.select(InboxEvent.received_at).order_by(InboxEvent.id.desc()).limit(MOST_COUNTED)
    )
    moment = Value(since, converter=InboxEvent.received_at.db_value)
    return latest.select_from(latest.c.received_at).where(latest.c.received_at >= moment).count()


def inbox_by_state() -> dict[str, int | None]:
    """Count the events in each state, in the order in which an event goes through them.

    None where events stay for ever: nobody counts years of them at each look.
    """
    number = fn.COUNT(InboxEvent.id).alias("number")
    query = InboxEvent.select(InboxEvent.state, number).where(UNSETTLED).group_by(InboxEvent.state)
    rows: Any = query.tuples()
    found = dict(rows)
    return {state: None if state in SETTLED else found.get(state, 0) for state in STATES}


def recent_events(limit: int) -> list[InboxHistory]:
    """Return the latest events, newest first, without their payloads."""
    return list(InboxHistory.select(*EVENT_COLUMNS).order_by(InboxHistory.id.desc()).limit(limit))


def open_alarms() -> list[Alarm]:
    """Return the troubles that are not over, the oldest first."""
    return list(Alarm.select().where(Alarm.ended_at.is_null()).order_by(Alarm.since))


def open_conflicts(limit: int, scope: Scope = EVERYBODY) -> list[Conflict]:
    """Return the conflicts that wait longest for somebody's decision."""
    return list(_open_conflicts(scope).order_by(Conflict.opened_at).limit(limit))


def _open_conflicts(scope: Scope) -> "ModelSelect[Conflict]":
    found = Conflict.select().where(Conflict.state == conflicts.OPEN)
    return scope.of_customers(found, Conflict.external_userid)
