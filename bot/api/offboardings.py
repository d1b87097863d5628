"""离职继承: members who leave, and where their customers and groups go."""

from datetime import date
from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from bot.api import context
from bot.api.auth import READ, needs
from bot.api.handover_fields import (
    CaseOut,
    CasesQuery,
    ItemsOut,
    ItemsQuery,
    find_offboarding,
    list_cases,
    list_items,
    look_at_case,
    show_case,
)
from bot.api.paging import PageOut
from bot.api.schemas import Asked, Day, Member, Members, Words, may_be_left_out, refuse_null
from bot.handover import handovers
from bot.models.handover import OFFBOARDING

SCOPE = "offboarding"

blueprint = APIBlueprint("offboardings", __name__, url_prefix="/offboardings", tag="Offboardings")


class OffboardingIn(Asked):
    """Somebody leaves; without successors the rules look for them in the department."""

    userid: Member
    last_day: Day
    reason: Words = ""
    successors: Members = Field([])
    mode: Literal["auto", "approve"] = "approve"


class OffboardingChange(Asked):
    """What may still change; what is submitted stays."""

    last_day: Day | SkipJsonSchema[None] = may_be_left_out()
    successors: Members | SkipJsonSchema[None] = may_be_left_out()

    _no_null = field_validator("last_day", "successors", mode="before")(refuse_null)


class OffboardingOut(CaseOut):
    last_day: date


class OffboardingsOut(PageOut):
    items: list[OffboardingOut]


OPEN_ALREADY: Any = {
    200: {
        "description": "The member's offboarding is open already, and unchanged",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/OffboardingOut"}}
        },
    }
}


@blueprint.post("")
@needs(SCOPE)
@blueprint.doc(responses=OPEN_ALREADY)
@blueprint.input(OffboardingIn)
@blueprint.output(OffboardingOut, status_code=201)
def create(json_data: OffboardingIn) -> tuple[dict[str, Any], int]:
    """Open the offboarding of a member."""
    case, is_new = handovers.open_offboarding(
        json_data.userid,
        json_data.last_day,
        mode=json_data.mode,
        source="api",
        by=context.who(),
        kegui=context.kegui(),
        reason=json_data.reason,
        successors=json_data.successors,
    )
    return show_case(case), 201 if is_new else 200


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(CasesQuery, location="query")
@blueprint.output(OffboardingsOut)
def index(query_data: CasesQuery) -> dict[str, Any]:
    """List offboardings, the latest first."""
    return list_cases(OFFBOARDING, query_data)


@blueprint.get("/<int:number>")
@needs(READ, SCOPE)
@blueprint.output(OffboardingOut)
def show(number: int) -> dict[str, Any]:
    """Show one offboarding."""
    return look_at_case(find_offboarding(number))


@blueprint.patch("/<int:number>")
@needs(SCOPE)
@blueprint.input(OffboardingChange)
@blueprint.output(OffboardingOut)
def change(number: int, json_data: OffboardingChange) -> dict[str, Any]:
    """Change the last day or the successors; what is submitted stays as it is."""
    case = find_offboarding(number)
    changed = handovers.change(
        case,
        context.who(),
        context.kegui(),
        last_day=json_data.last_day,
        successors=json_data.successors,
    )
    return show_case(changed)


@blueprint.post("/<int:number>/approve")
@needs(SCOPE)
@blueprint.output(OffboardingOut)
def approve(number: int) -> dict[str, Any]:
    """Let the offboarding start when it is due; approving again changes nothing."""
    case = find_offboarding(number)
    return show_case(handovers.approve(case, context.who(), context.kegui()))


@blueprint.post("/<int:number>/cancel")
@needs(SCOPE)
@blueprint.output(OffboardingOut)
def cancel(number: int) -> dict[str, Any]:
    """Stop what is planned; WeCom has no recall, so the rest is followed to its end."""
    return show_case(handovers.cancel(find_offboarding(number), context.who(), context.kegui()))


@blueprint.get("/<int:number>/items")
@needs(READ, SCOPE)
@blueprint.input(ItemsQuery, location="query")
@blueprint.output(ItemsOut)
def items(number: int, query_data: ItemsQuery) -> dict[str, Any]:
    """List the customers and groups, where each stands, and every try to move it."""
    return list_items(find_offboarding(number), query_data)
