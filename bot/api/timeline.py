"""A customer's story as entries: what happened, when, and what each kind of thing has to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from bot.customers.conflicts import because
from bot.reason import Reason, in_words
from bot.reports import journey
from bot.reports.journey import Step

# Which columns of a row its entry shows, and which of them says it in words.
_COLUMNS = {
    journey.EVENT: (
        "id",
        "source",
        "event",
        "change_type",
        "userid",
        "state",
        "error",
        "error_code",
    ),
    journey.NOTICE: ("userid", "state", "template", "version", "errcode", "reason"),
    journey.CONSENT: ("userid", "chat_id", "state", "since", "evidence"),
    journey.ALLOCATION: ("id", "added_userid", "owner", "outcome", "rule", "rules_version"),
    journey.OWNERSHIP: ("userid", "since", "until", "reason", "allocation_id"),
    journey.CONFLICT: ("id", "owner", "contenders", "state"),
    journey.SETTLEMENT: ("id", "owner", "contenders", "resolution"),
    journey.MESSAGE: ("id", "state", "errcode"),
    journey.DIGEST: ("userid", "added_at"),
    journey.HANDOVER: ("id", "state", "takeover_userid", "reason", "errcode"),
}
# What of one moment comes first: the cause before its consequence.
_RANK = {kind: f"{rank:02}" for rank, kind in enumerate(_COLUMNS)}


@dataclass(frozen=True)
class Entry:
    """``key`` puts the entries in order, and no two share it."""

    key: list[str]
    shown: dict[str, Any]


def entries(steps: Sequence[Step]) -> list[Entry]:
    """Write the steps down."""
    return [_entry(step) for step in steps]


def _entry(step: Step) -> Entry:
    row: Any = step.row
    moment = step.at.astimezone(UTC).isoformat(timespec="microseconds")
    shown = {name: getattr(row, name) for name in _COLUMNS[step.kind]}
    if isinstance(error := shown.get("error"), Reason):
        shown["error"] = in_words(error) or None
    if isinstance(reason := shown.get("reason"), Reason):
        shown |= {"reason": reason.code, "reason_text": in_words(reason)}
    if step.kind == journey.MESSAGE:
        shown["userid"] = step.recipient
    if step.kind == journey.HANDOVER:
        shown |= _of_handover(step)
    return Entry(
        [moment, _RANK[step.kind], f"{row.id:020}"],
        {"at": step.at, "kind": step.kind, "text": _text(step.kind, row), **shown},
    )


def _of_handover(step: Step) -> dict[str, Any]:
    row: Any = step.row
    return {
        "handover_id": row.handover_id,
        "handover_userid": row.handover.userid,
        "attempts": [
            {
                "takeover_userid": attempt.takeover_userid,
                "endpoint": attempt.endpoint,
                "submitted_at": attempt.submitted_at,
                "status": attempt.status,
                "errcode": attempt.errcode,
            }
            for attempt in step.attempts
        ],
    }


def _text(kind: str, row: Any) -> str:
    if kind == journey.EVENT:
        return str(row.change_type or row.event)
    if kind == journey.CONFLICT:
        return f"{row.owner}: {', '.join(row.contenders)}"
    if kind == journey.SETTLEMENT:
        resolution = row.resolution or {}
        return str(resolution.get("reason") or in_words(because(resolution)))
    if kind == journey.DIGEST:
        return f"{row.userid} was asked to tell the customer by hand"
    said = getattr(row, "reason", "")
    if isinstance(said, Reason):
        said = in_words(said)
    return str(said or getattr(row, "state", ""))
