"""How the service itself is doing: what waits, what stands still, what an operator must mend.

Counts and moments only, no ids of people, so that all of it may be shown to whoever watches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from bot.audit import search
from bot.models import (
    Alarm,
    AuditCheck,
    Handover,
    HandoverItem,
    InboxEvent,
    JobRun,
    Lease,
    PlannedJob,
    SyncProgress,
    SyncRun,
)
from bot.models.handover import HANDOVER_OPEN, IN_SERVICE, ITEM_OPEN, OFFBOARDING
from bot.models.inbox_event import CLAIMED, DEAD, OPEN_STATES, UNSETTLED, WORKER_PATIENCE
from bot.models.sync_run import WHOLE
from bot.operations.timetable import Planned
from bot.queue import Lane
from bot.reason import Reason, in_words
from bot.wecom.pause_list import OpenPause, open_pauses

LATEST_DEAD = 5
# The most frequent job is begun every 15 seconds.
CLOCK_PATIENCE = timedelta(minutes=2)
# The lease of bot.jobs.leader.
CLOCK = "clock"

# The clock seals every three seconds.
SEALER_PATIENCE = timedelta(minutes=5)

# Kinds of trouble.
OVERDUE = "overdue"
CLOCK_STANDS = "clock_stands"
JOB_LATE = "job_late"
AUDIT_BROKEN = "audit_broken"
AUDIT_UNSEALED = "audit_unsealed"
QUEUE_AWAY = "queue_away"
PAUSED = "paused"
DEAD_EVENTS = "dead_events"
OPEN_ALARMS = "open_alarms"


@dataclass(frozen=True)
class Depth:
    """The events of one lane in one state; ``due_since`` of the one that is due longest."""

    lane: str
    state: str
    number: int
    due_since: datetime | None


@dataclass(frozen=True)
class DeadLetter:
    """An event that nobody tries any more."""

    id: int
    event: str
    change_type: str
    error: Reason


@dataclass(frozen=True)
class OpenAlarm:
    """An alarm without its text, which may name a member."""

    id: int
    kind: str
    since: datetime
    what_to_do: str


@dataclass(frozen=True)
class Items:
    """The open items of all open handovers in one state; ``since`` of the oldest."""

    state: str
    number: int
    since: datetime | None


@dataclass(frozen=True)
class Reading:
    """One reading of all from WeCom."""

    kind: str
    started_at: datetime
    finished_at: datetime | None
    members: int
    customers: int
    groups: int


@dataclass(frozen=True)
class Held:
    """A lease that somebody holds: what for, not for whom."""

    kind: str
    until: datetime


@dataclass(frozen=True)
class Job:
    """One job's last beginning, and why it did not end well."""

    name: str
    begun_at: datetime
    ended_at: datetime | None
    error: Reason


@dataclass(frozen=True)
class Audit:
    """The audit log: when all of it was verified last and how many faults there were, and since
    when an entry has been waiting for its seal."""

    verified_at: datetime | None
    faults: int
    waiting_since: datetime | None


@dataclass(frozen=True)
class Trouble:
    """Something that needs an operator; ``subject``: the lane, the endpoint or the job, where
    there is one."""

    kind: str
    number: int = 0
    subject: str = ""
    lasts: timedelta = timedelta()


@dataclass(frozen=True)
class Operation:
    """``pauses`` hold; the time of ``unproven`` ones is over, but no call has gone well since."""

    at: datetime
    inbox: Sequence[Depth]
    dead: Sequence[DeadLetter]
    pauses: Sequence[OpenPause]
    unproven: Sequence[OpenPause]
    jobs: Sequence[Job]
    planned: Sequence[Planned]
    alarms: Sequence[OpenAlarm]
    handovers: Mapping[tuple[str, str], int]
    items: Sequence[Items]
    last_sync: Reading | None
    last_whole_sync_at: datetime | None
    leases: Sequence[Held]
    audit: Audit

    @property
    def unsealed(self) -> timedelta:
        """How long the oldest entry of the audit log has been waiting for its seal."""
        return max(self.at - (self.audit.waiting_since or self.at), timedelta())

    @property
    def dead_number(self) -> int:
        return sum(depth.number for depth in self.inbox if depth.state == DEAD)

    def overdue(self, lane: str) -> timedelta:
        """How long the oldest due event of a lane has been waiting for a worker."""
        since = [
            depth.due_since
            for depth in self.inbox
            if depth.lane == lane and depth.state != DEAD and depth.due_since is not None
        ]
        return max(self.at - min(since, default=self.at), timedelta())

    @property
    def clock_leads(self) -> bool:
        """Whether some process strikes the jobs now."""
        return any(held.kind == CLOCK for held in self.leases)

    @property
    def silence(self) -> timedelta:
        """How long ago the last job was begun; nothing where none ever was."""
        return self.at - max((job.begun_at for job in self.jobs), default=self.at)

    @property
    def late_jobs(self) -> list[Planned]:
        """The jobs that have not gone well for too long."""
        return [job for job in self.planned if job.is_late(self.at)]

    def troubles(self, wake_ups: Mapping[Lane, int] | None) -> list[Trouble]:
        """Name what needs an operator, the most urgent first; nothing when all is well.

        Args:
            wake_ups: what the queue says of its sizes; None: it cannot be reached.
        """
        overdue = {lane: self.overdue(lane) for lane in Lane}
        stands = self.silence > CLOCK_PATIENCE and not self.clock_leads
        return [
            *(
                Trouble(OVERDUE, subject=lane, lasts=waits)
                for lane, waits in overdue.items()
                if waits > WORKER_PATIENCE
            ),
            *(
                [Trouble(CLOCK_STANDS, lasts=self.silence)]
                if stands
                # Without a clock all of them would be named.
                else [
                    Trouble(JOB_LATE, subject=job.name, lasts=self.at - job.well_at)
                    for job in self.late_jobs
                ]
            ),
            *([Trouble(AUDIT_BROKEN, self.audit.faults)] if self.audit.faults else []),
            *(
                [Trouble(AUDIT_UNSEALED, lasts=self.unsealed)]
                if self.unsealed > SEALER_PATIENCE
                else []
            ),
            *(Trouble(PAUSED, subject=one.endpoint) for one in self.pauses if one.needs_operator),
            *([Trouble(DEAD_EVENTS, self.dead_number)] if self.dead_number else []),
            *([Trouble(OPEN_ALARMS, len(self.alarms))] if self.alarms else []),
            *([Trouble(QUEUE_AWAY)] if wake_ups is None else []),
        ]


def read_operation(now: datetime) -> Operation:
    """Ask the database; what is settled is never counted, however many years of it there are."""
    pauses = open_pauses(now)
    last_whole_sync_at = _last_whole_sync_at()
    return Operation(
        at=now,
        inbox=_inbox(),
        dead=_latest_dead(),
        pauses=[pause for pause in pauses if pause.until > now],
        unproven=[pause for pause in pauses if pause.until <= now],
        jobs=_jobs(),
        planned=planned_jobs(last_whole_sync_at),
        alarms=[
            OpenAlarm(row.id, row.kind, row.since, in_words(row.advice))
            for row in Alarm.select().where(Alarm.ended_at.is_null()).order_by(Alarm.since)
        ],
        handovers=_handovers(),
        items=_items(),
        last_sync=_last_sync(),
        last_whole_sync_at=last_whole_sync_at,
        leases=[
            # The rest of the name may be a userid.
            Held(row.name.partition(" ")[0], row.until)
            for row in Lease.select().where(Lease.until > now).order_by(Lease.name)
        ],
        audit=_audit(),
    )


def _audit() -> Audit:
    check = AuditCheck.get_or_none(AuditCheck.id == 1)
    return Audit(check.at if check else None, check.faults if check else 0, search.waiting()[1])


def _inbox() -> list[Depth]:
    states = (*OPEN_STATES, DEAD)
    grouped: Any = (
        InboxEvent.select(
            InboxEvent.lane,
            InboxEvent.state,
            fn.COUNT(InboxEvent.id),
            fn.MIN(InboxEvent.due_at),
        )
        .where(UNSETTLED)
        .group_by(InboxEvent.lane, InboxEvent.state)
        .tuples()
    )
    found = {(lane, state): (number, due_at) for lane, state, number, due_at in grouped}
    # Somebody works on these: only a lease that ran out makes one due again.
    claimed: Any = (
        InboxEvent.select(InboxEvent.lane, fn.MIN(InboxEvent.lease_until))
        .where(UNSETTLED, InboxEvent.state == CLAIMED)
        .group_by(InboxEvent.lane)
        .tuples()
    )
    lease_until = dict(claimed)
    depths = []
    for lane in Lane:
        for state in states:
            number, since = found.get((lane, state), (0, None))
            since = lease_until.get(lane) if state == CLAIMED else since
            depths.append(Depth(lane, state, number, since))
    return depths


def _latest_dead() -> list[DeadLetter]:
    query = (
        InboxEvent.select(
            InboxEvent.id,
            InboxEvent.event,
            InboxEvent.change_type,
            InboxEvent.error_code,
            InboxEvent.error_facts,
        )
        .where(UNSETTLED, InboxEvent.state == DEAD)
        # Not the key itself: the database would walk it back through years of settled rows.
        .order_by((InboxEvent.id + 0).desc())
        .limit(LATEST_DEAD)
    )
    return [DeadLetter(row.id, row.event, row.change_type, row.error) for row in query]


def _jobs() -> list[Job]:
    return [
        Job(row.job, row.struck_at, row.finished_at, row.error)
        for row in JobRun.select().order_by(JobRun.job)
    ]


def planned_jobs(last_whole_sync_at: datetime | None) -> list[Planned]:
    """Return the jobs of the timetable; a reading goes well with whichever job ends it, also when
    that was `kegui sync`."""
    moved_at = _reading_moved_at()
    return [
        Planned(
            row.job,
            timedelta(seconds=row.patience),
            timedelta(seconds=row.may_take),
            max(row.well_at, last_whole_sync_at or row.well_at) if row.is_reading else row.well_at,
            moved_at if row.is_reading else None,
            row.failed_at,
            row.away_at,
        )
        for row in PlannedJob.select().order_by(PlannedJob.job)
    ]


def late_jobs(now: datetime) -> list[Planned]:
    """Return the jobs that have not gone well for too long."""
    return [job for job in planned_jobs(_last_whole_sync_at()) if job.is_late(now)]


def _last_whole_sync_at() -> datetime | None:
    ended: datetime | None = (
        SyncRun.select(fn.MAX(SyncRun.finished_at)).where(SyncRun.kind.in_(WHOLE)).scalar()
    )
    return ended


def _reading_moved_at() -> datetime | None:
    """When a reading that is not finished came a piece further, or was begun."""
    unfinished = SyncRun.kind.in_(WHOLE) & SyncRun.finished_at.is_null()
    begun: datetime | None = SyncRun.select(fn.MAX(SyncRun.started_at)).where(unfinished).scalar()
    moved: datetime | None = SyncProgress.select(fn.MAX(SyncProgress.finished_at)).scalar()
    return max((at for at in (begun, moved) if at is not None), default=None)


def _handovers() -> dict[tuple[str, str], int]:
    grouped: Any = (
        Handover.select(Handover.kind, Handover.state, fn.COUNT(Handover.id))
        .where(Handover.state.in_(HANDOVER_OPEN))
        .group_by(Handover.kind, Handover.state)
        .tuples()
    )
    found = {(kind, state): number for kind, state, number in grouped}
    places = [(kind, state) for kind in (OFFBOARDING, IN_SERVICE) for state in HANDOVER_OPEN]
    return {place: found.get(place, 0) for place in places}


def _items() -> list[Items]:
    running = Handover.select(Handover.id).where(Handover.state.in_(HANDOVER_OPEN))
    grouped: Any = (
        HandoverItem.select(
            HandoverItem.state, fn.COUNT(HandoverItem.id), fn.MIN(HandoverItem.updated_at)
        )
        .where(HandoverItem.handover.in_(running), HandoverItem.state.in_(ITEM_OPEN))
        .group_by(HandoverItem.state)
        .tuples()
    )
    found = {state: (number, since) for state, number, since in grouped}
    return [Items(state, *found.get(state, (0, None))) for state in ITEM_OPEN]


def _last_sync() -> Reading | None:
    run = SyncRun.select().order_by(SyncRun.started_at.desc()).first()
    return run and Reading(
        run.kind, run.started_at, run.finished_at, run.members, run.customers, run.groups
    )
