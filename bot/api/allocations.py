"""分配: why a customer was given to a member."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apiflask import APIBlueprint

from bot.allocation import allocate, rule_sets
from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import Problem
from bot.api.schemas import Filter, Reasoned, Shown, one_of
from bot.models import Allocation

SCOPE = "allocation"

blueprint = APIBlueprint("allocations", __name__, url_prefix="/allocations", tag="Allocations")


class AllocationsQuery(PageQuery):
    external_userid: Filter | None = None


class CandidateOut(Shown):
    """A member whom the rule is about; ``detail``: the missing licence, or what kept them."""

    userid: str
    eligible: bool
    excluded_by: str | None
    detail: str | None = None
    load: int
    capacity: int | None = None


class AllocationOut(Reasoned):
    """The decision as it was taken: by which rule, who could have been chosen, who not and why.

    `chosen` is null where a manager decides; `passed`: the rules that found nobody, before.
    """

    id: int
    event_id: int | None
    external_userid: str
    at: datetime
    added_userid: str
    channel: str
    rule_set: int | None
    version: int | None
    rules_version: str
    rule: str | None
    chosen: str | None
    outcome: str
    seed: int
    passed: list[str]
    candidates: list[CandidateOut]


class AllocationsOut(PageOut):
    items: list[AllocationOut]


class ReplayOut(Shown):
    same: bool


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(AllocationsQuery, location="query")
@blueprint.output(AllocationsOut)
def index(query_data: AllocationsQuery) -> dict[str, Any]:
    """List allocations, the latest first."""
    query = Allocation.select()
    if query_data.external_userid is not None:
        query = query.where(Allocation.external_userid == query_data.external_userid)
    rows, next_cursor = paging.page_of_query(query, Allocation.id, query_data)
    customers = [row.external_userid for row in rows]
    asked = query_data.model_dump(include={"external_userid"})
    context.record_page("allocation.list", "allocations", customers, asked)
    numbers = rule_sets.numbers_of([row.rule_set_id for row in rows])
    return {"items": [_show(row, numbers) for row in rows], "next_cursor": next_cursor}


@blueprint.get("/<int:number>")
@needs(READ, SCOPE)
@blueprint.output(AllocationOut)
def show(number: int) -> dict[str, Any]:
    """Explain one allocation."""
    row = _find(number)
    context.record_look("allocation.look", f"customer {row.external_userid}")
    return _show(row, rule_sets.numbers_of([row.rule_set_id]))


@blueprint.post("/<int:number>/replay")
@needs(READ, SCOPE)
@blueprint.output(ReplayOut)
def replay(number: int) -> dict[str, Any]:
    """Decide again from what was known then: whether answer and explanation are the same."""
    row = _find(number)
    context.record_look("allocation.look", f"customer {row.external_userid}")
    try:
        return {"same": allocate.replay(row, context.kegui())}
    except allocate.NothingKept:
        raise Problem(
            409,
            "nothing-kept",
            "这次分配没有保留当时的依据，无法重算",
            "of this allocation nothing was kept that could be decided again",
        ) from None


def _find(number: int) -> Allocation:
    found: Allocation = one_of(Allocation, number, "分配记录", "allocation")
    return found


def _show(row: Allocation, numbers: Mapping[int, int]) -> dict[str, Any]:
    kept = row.explanation
    columns = {name: getattr(row, name) for name in Allocation._meta.sorted_field_names}
    return {
        **columns,
        "reason": row.reason,
        "at": row.decided_at,
        "rule_set": row.rule_set_id,
        "version": None if row.rule_set_id is None else numbers.get(row.rule_set_id),
        "chosen": row.owner,
        "passed": kept.get("passed", []),
        "candidates": kept.get("candidates", []),
    }
