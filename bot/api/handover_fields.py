"""How a handover looks from outside, whether somebody leaves or a manager moves customers."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from bot.api import context, paging
from bot.api.paging import PageOut, PageQuery
from bot.api.schemas import MemberFilter, Reasoned, Shown, one_of
from bot.handover.described import described
from bot.handover.progress import attempts_of
from bot.models import Handover, HandoverItem, HandWork, TransferAttempt
from bot.models.handover import GROUP, IN_SERVICE, OFFBOARDING, PLANNED
from bot.reason import NO_REASON, in_words

CaseState = Literal[
    "planned",
    "awaiting_approval",
    "scheduled",
    "running",
    "done",
    "done_with_exceptions",
    "cancelled",
]
ItemState = Literal[
    "planned", "submitted", "waiting", "done", "refused", "limit", "failed", "cancelled"
]


class HandWorkOut(Shown):
    """What no API can do for the handover: a person must. `code` is that of `text`."""

    kind: str
    subject: str
    code: str
    text: str
    done_at: datetime | None
    done_by: str | None


class WaitOut(Reasoned):
    """What WeCom answered when the handover last could not go on, and when it is tried again."""

    errcode: int | None
    until: datetime | None


class CaseOut(Shown):
    """A handover and how many of its items stand where.

    `is_done`: nothing is left to do, for people either. `without_successor`: so many of the plan
    nobody takes over. `left_behind`: so many are still the leaver's though it has ended.
    """

    id: int
    kind: Literal["offboarding", "handover"]
    userid: str
    last_day: date | None
    mode: str
    state: CaseState
    counts: dict[str, int]
    successors: list[str]
    reason: str
    source: str
    allocation_id: int | None
    hand_work: list[HandWorkOut]
    is_done: bool
    without_successor: int
    left_behind: int
    waits_for: WaitOut | None
    created_at: datetime
    updated_at: datetime


class CasesQuery(PageQuery):
    state: CaseState | None = None
    userid: MemberFilter | None = None


class ItemsQuery(PageQuery):
    state: ItemState | None = None


class AttemptOut(Shown):
    """One try to move an item."""

    takeover_userid: str
    endpoint: str
    submitted_at: datetime
    status: str
    errcode: int | None


class ItemBase(Reasoned):
    id: int
    state: ItemState
    takeover_userid: str | None
    errcode: int | None
    attempts: list[AttemptOut]


class CustomerItemOut(ItemBase):
    kind: Literal["customer"]
    external_userid: str


class GroupItemOut(ItemBase):
    kind: Literal["group"]
    chat_id: str


class ItemsOut(PageOut):
    items: list[Annotated[CustomerItemOut | GroupItemOut, Field(discriminator="kind")]]


def find_offboarding(number: int) -> Handover:
    case: Handover = one_of(
        Handover, number, "离职继承", "offboarding", Handover.kind == OFFBOARDING
    )
    return case


def find_handover(number: int) -> Handover:
    case: Handover = one_of(Handover, number, "在职交接", "handover", Handover.kind == IN_SERVICE)
    return case


def show_case(handover: Handover) -> dict[str, Any]:
    return show_cases([handover])[0]


def show_cases(handovers: Sequence[Handover]) -> list[dict[str, Any]]:
    """Describe these handovers as ``CaseOut`` and ``HandoverOut`` have them."""
    return [
        {
            "id": handover.id,
            "kind": handover.kind,
            "userid": handover.userid,
            "handover_userid": handover.userid,
            "last_day": handover.last_day,
            "mode": handover.mode,
            "state": handover.state,
            "counts": case.counts,
            "successors": handover.successors,
            "reason": handover.reason,
            "source": handover.source,
            "allocation_id": handover.allocation_id,
            "hand_work": [_show_work(work) for work in hand_work],
            "is_done": case.is_done,
            "without_successor": case.without_successor,
            "left_behind": case.left_behind,
            "waits_for": _wait(handover),
            "transfer_success_msg": handover.transfer_success_msg,
            "created_at": handover.created_at,
            "updated_at": handover.updated_at,
        }
        for case, hand_work in described(handovers)
        for handover in (case.handover,)
    ]


def _wait(handover: Handover) -> dict[str, Any] | None:
    if not handover.waits_for:
        return None
    return {
        "reason": handover.waits_for,
        "errcode": handover.waits_for.facts.get("errcode"),
        "until": handover.waits_until,
    }


def _show_work(work: HandWork) -> dict[str, Any]:
    return {
        "kind": work.kind,
        "subject": work.subject,
        "code": work.reason_code,
        "text": in_words(work.reason),
        "done_at": work.done_at,
        "done_by": work.done_by,
    }


def look_at_case(handover: Handover) -> dict[str, Any]:
    """Describe a handover to whoever only looks, and write that down."""
    context.record_look(f"{handover.kind}.look", handover.subject)
    return show_case(handover)


def list_cases(kind: str, asked: CasesQuery) -> dict[str, Any]:
    """One page of the handovers of a kind, the latest first."""
    query = Handover.select().where(Handover.kind == kind)
    if asked.state:
        query = query.where(Handover.state == asked.state)
    if asked.userid:
        query = query.where(Handover.userid == asked.userid)
    rows, next_cursor = paging.page_of_query(query, Handover.id, asked)
    asked_for = asked.model_dump(include={"state", "userid"})
    context.record_page(f"{kind}.list", f"{kind}s", [row.userid for row in rows], asked_for)
    return {"items": show_cases(rows), "next_cursor": next_cursor}


def list_items(handover: Handover, asked: ItemsQuery) -> dict[str, Any]:
    """One page of the items of a handover with their attempts."""
    query = HandoverItem.select().where(HandoverItem.handover == handover)
    if asked.state:
        query = query.where(HandoverItem.state == asked.state)
    rows, next_cursor = paging.page_of_query(query, HandoverItem.id, asked, newest_first=False)
    shown = [item.subject for item in rows]
    asked_for = {"state": asked.state}
    context.record_page(f"{handover.kind}.look", handover.subject, shown, asked_for)
    attempts = attempts_of(rows)
    return {
        "items": [_show_item(item, attempts[item.id], handover) for item in rows],
        "next_cursor": next_cursor,
    }


def _show_item(
    item: HandoverItem, attempts: list[TransferAttempt], handover: Handover
) -> dict[str, Any]:
    # What keeps it from going on now says more than why this member was chosen.
    waits = handover.waits_for if item.state == PLANNED else NO_REASON
    return {
        "id": item.id,
        "kind": item.kind,
        "chat_id" if item.kind == GROUP else "external_userid": item.subject,
        "state": item.state,
        "takeover_userid": item.takeover_userid,
        "reason": waits or item.reason,
        "errcode": item.errcode or waits.facts.get("errcode"),
        "attempts": attempts,
    }
