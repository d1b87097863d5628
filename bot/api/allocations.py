"""分配: why a customer was given to a member."""

from datetime import datetime
from typing import Any

from apiflask import APIBlueprint

from bot.api import context
from bot.api.auth import READ, needs
from bot.api.schemas import Shown, one_of
from bot.models import Allocation

blueprint = APIBlueprint("allocations", __name__, url_prefix="/allocations", tag="Allocations")


class AllocationOut(Shown):
    """The decision as it was taken: the rule, who could have been chosen, who not and why."""

    id: int
    event_id: int | None
    external_userid: str
    added_userid: str
    channel: str
    owner: str | None
    outcome: str
    rule: str | None
    rules_version: str
    reason: str
    candidates: list[dict[str, Any]]
    excluded: list[dict[str, Any]]
    decided_at: datetime


@blueprint.get("/<int:number>")
@needs(READ, "allocation")
@blueprint.output(AllocationOut)
def show(number: int) -> Allocation:
    """Explain one allocation."""
    allocation: Allocation = one_of(Allocation, number, "分配记录", "allocation")
    context.record_look("allocation.look", f"customer {allocation.external_userid}")
    return allocation
