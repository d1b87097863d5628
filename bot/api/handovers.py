"""在职交接: a manager moves customers of a member in service."""

from typing import Annotated, Any, Literal, Self

from apiflask import APIBlueprint
from pydantic import ConfigDict, Field, StrictBool, model_validator
from pydantic.json_schema import SkipJsonSchema

from bot.api import context, idempotency
from bot.api.auth import READ, needs
from bot.api.field_errors import fault
from bot.api.handover_fields import (
    CaseOut,
    CasesQuery,
    ItemsOut,
    ItemsQuery,
    find_handover,
    list_cases,
    list_items,
    look_at_case,
    show_case,
)
from bot.api.paging import PageOut
from bot.api.schemas import Asked, Member, Members, Userid, Words200, may_be_left_out
from bot.handover import handovers
from bot.models.handover import IN_SERVICE

SCOPE = "handover"

blueprint = APIBlueprint("handovers", __name__, url_prefix="/handovers", tag="Handovers")


ONE_WAY: list[Any] = [
    {"required": ["takeover_userid"], "properties": {"by_rule": {"const": False}}},
    {
        "required": ["by_rule"],
        "properties": {"by_rule": {"const": True}},
        "not": {"required": ["takeover_userid"]},
    },
]


class HandoverIn(Asked):
    """Whose customers go to whom: to one member, or to those whom the rules choose."""

    model_config = ConfigDict(json_schema_extra={"oneOf": ONE_WAY})

    handover_userid: Member
    external_userids: Literal["all"] | Annotated[list[Userid], Field(min_length=1, max_length=5000)]
    takeover_userid: Member | SkipJsonSchema[None] = may_be_left_out()
    by_rule: StrictBool = False
    transfer_success_msg: Words200 = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.takeover_userid is not None) == self.by_rule:
            raise fault("one_way")
        return self


class HandoverChange(Asked):
    """Other successors for what is not submitted yet."""

    successors: Members


class HandoverOut(CaseOut):
    handover_userid: str
    transfer_success_msg: str


class HandoversOut(PageOut):
    items: list[HandoverOut]


@blueprint.post("")
@needs(SCOPE)
@blueprint.input(HandoverIn)
@blueprint.output(HandoverOut, status_code=201)
def create(json_data: HandoverIn) -> dict[str, Any]:
    """Move customers of a member in service; it starts at once."""
    wanted = json_data.external_userids
    case = handovers.open_handover(
        json_data.handover_userid,
        None if wanted == "all" else list(dict.fromkeys(wanted)),
        takeover_userid=json_data.takeover_userid,
        source="api",
        by=context.who(),
        kegui=context.kegui(),
        transfer_success_msg=json_data.transfer_success_msg,
        request_key=idempotency.request_key(),
    )
    return show_case(case)


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(CasesQuery, location="query")
@blueprint.output(HandoversOut)
def index(query_data: CasesQuery) -> dict[str, Any]:
    """List the handovers of members in service, the latest first."""
    return list_cases(IN_SERVICE, query_data)


@blueprint.get("/<int:number>")
@needs(READ, SCOPE)
@blueprint.output(HandoverOut)
def show(number: int) -> dict[str, Any]:
    """Show one handover."""
    return look_at_case(find_handover(number))


@blueprint.patch("/<int:number>")
@needs(SCOPE)
@blueprint.input(HandoverChange)
@blueprint.output(HandoverOut)
def change(number: int, json_data: HandoverChange) -> dict[str, Any]:
    """Name other successors; what is submitted stays as it is."""
    case = find_handover(number)
    changed = handovers.change(
        case, context.who(), context.kegui(), successors=json_data.successors
    )
    return show_case(changed)


@blueprint.post("/<int:number>/approve")
@needs(SCOPE)
@blueprint.output(HandoverOut)
def approve(number: int) -> dict[str, Any]:
    """Let the handover start; approving again changes nothing."""
    case = find_handover(number)
    return show_case(handovers.approve(case, context.who(), context.kegui()))


@blueprint.post("/<int:number>/cancel")
@needs(SCOPE)
@blueprint.output(HandoverOut)
def cancel(number: int) -> dict[str, Any]:
    """Stop what is planned; WeCom has no recall, so the rest is followed to its end."""
    return show_case(handovers.cancel(find_handover(number), context.who(), context.kegui()))


@blueprint.get("/<int:number>/items")
@needs(READ, SCOPE)
@blueprint.input(ItemsQuery, location="query")
@blueprint.output(ItemsOut)
def items(number: int, query_data: ItemsQuery) -> dict[str, Any]:
    """List the customers, where each stands, and every try to move them."""
    return list_items(find_handover(number), query_data)
