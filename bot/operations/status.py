"""What `kegui status` prints: how the service is doing, for a person or for a program."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from bot import clock
from bot.language import ENGLISH, spoken
from bot.operations.state import (
    AUDIT_BROKEN,
    AUDIT_UNSEALED,
    CLOCK_STANDS,
    DEAD_EVENTS,
    JOB_LATE,
    OPEN_ALARMS,
    OVERDUE,
    PAUSED,
    QUEUE_AWAY,
    Operation,
    Trouble,
    read_operation,
)
from bot.queue import Lane, Queue, QueueAway
from bot.reason import Reason, in_words

SENTENCES = {
    OVERDUE: "{subject} lane: an event has been due for {seconds:.0f} s",
    CLOCK_STANDS: "no clock leads, and no job was begun for {seconds:.0f} s",
    AUDIT_BROKEN: "the audit log has {number} faults: run `kegui audit verify`",
    AUDIT_UNSEALED: "an entry of the audit log has had no seal for {seconds:.0f} s",
    JOB_LATE: "job {subject} has not gone well for {seconds:.0f} s",
    QUEUE_AWAY: "the queue cannot be reached",
    PAUSED: "{subject} is paused until an operator acts",
    DEAD_EVENTS: "{number} dead events",
    OPEN_ALARMS: "{number} open alarms",
}


def show(queue_url: str, *, as_json: bool) -> tuple[str, bool]:
    """Return the text, and whether all is well; a connection must be held.

    Raises:
        PeeweeException: the database cannot be asked.
    """
    operation, sizes = read_operation(clock.now()), _queue_sizes(queue_url)
    troubles = [_sentence(trouble) for trouble in operation.troubles(sizes)]
    if as_json:
        return _as_json(operation, sizes, troubles), not troubles
    return "\n".join(_lines(operation, sizes, troubles)), not troubles


def _queue_sizes(url: str) -> dict[Lane, int] | None:
    queue = Queue(url)
    try:
        sizes = queue.sizes()
        queue.close()
    except QueueAway:  # the text says that it is away, the log why
        return None
    return sizes


def _sentence(trouble: Trouble) -> str:
    return SENTENCES[trouble.kind].format(
        number=trouble.number, subject=trouble.subject, seconds=trouble.lasts.total_seconds()
    )


def _as_json(operation: Operation, sizes: dict[Lane, int] | None, troubles: list[str]) -> str:
    shown = asdict(operation)
    del shown["handovers"]
    shown |= {
        "ok": not troubles,
        "troubles": troubles,
        "queue": sizes,
        "dead_number": operation.dead_number,
        "planned": [
            {"job": job.name, "well_at": job.well_at, "late": job.is_late(operation.at)}
            for job in operation.planned
        ],
        "overdue_seconds": {lane: operation.overdue(lane).total_seconds() for lane in Lane},
        "handovers": [
            {"kind": kind, "state": state, "number": number}
            for (kind, state), number in operation.handovers.items()
        ],
    }
    for pauses in ("pauses", "unproven"):
        for pause, row in zip(getattr(operation, pauses), shown[pauses], strict=True):
            row["needs_operator"] = pause.needs_operator
    return json.dumps(shown, default=_moment, ensure_ascii=False, indent=2)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    raise TypeError(type(value).__name__)


def _lines(
    operation: Operation, sizes: dict[Lane, int] | None, troubles: list[str]
) -> Iterator[str]:
    yield f"status    {'NEEDS AN OPERATOR' if troubles else 'well'}"
    yield from (f"          ! {trouble}" for trouble in troubles)
    for lane in Lane:
        found = [one for one in operation.inbox if one.lane == lane]
        states = "  ".join(f"{one.state} {one.number}" for one in found)
        overdue = operation.overdue(lane)
        due = f"  oldest due for {_length(overdue)}" if overdue else ""
        yield f"{lane:<9} {states}  wake-ups {'?' if sizes is None else sizes[lane]}{due}"
    for letter in operation.dead:
        kind = f"{letter.event} {letter.change_type}".strip()
        yield f"dead      #{letter.id}  {kind}: {_english(letter.error)}"
    for pause in operation.pauses:
        code = "" if pause.errcode is None else f" {pause.errcode}"
        left = _length(pause.until - operation.at)
        yield (
            f"pause     {pause.secret} {pause.endpoint}: {pause.reason}{code},"
            f" until {_moment(pause.until)} ({left})"
        )
    for alarm in operation.alarms:
        since = _moment(alarm.since)
        yield f"alarm     #{alarm.id}  {alarm.kind} since {since}: {alarm.what_to_do}"
    for items in operation.items:
        if items.since:
            age = _length(operation.at - items.since)
            yield f"handover  {items.number} items {items.state}, the oldest for {age}"
    for lease in operation.leases:
        yield f"lease     {lease.kind} until {_moment(lease.until)}"
    for job in operation.jobs:
        if job.error:
            yield f"job       {job.name} begun {_moment(job.begun_at)}: {_english(job.error)}"
    yield f"reading   {_reading(operation)}"


def _reading(operation: Operation) -> str:
    run = operation.last_sync
    if run is None:
        return "none yet"
    ended = f"ended {_moment(run.finished_at)}" if run.finished_at else "not ended"
    return (
        f"{run.kind} begun {_moment(run.started_at)}, {ended}:"
        f" {run.members} members, {run.customers} customers, {run.groups} groups"
    )


def _length(time: timedelta) -> str:
    return str(timedelta(seconds=round(max(time.total_seconds(), 0))))


def _english(reason: Reason) -> str:
    with spoken(ENGLISH):
        return in_words(reason)
