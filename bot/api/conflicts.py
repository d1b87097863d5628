"""撞单: customers whom two members are after, settled by one decision."""

from datetime import datetime
from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from pydantic import StringConstraints, model_validator

from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import invalid
from bot.api.schemas import Asked, Filter, Member, Reasoned, Shown, Words, one_of
from bot.customers import conflicts
from bot.customers.conflicts import because
from bot.models import Conflict, Relation, Staff

SCOPE = "allocation"

blueprint = APIBlueprint("conflicts", __name__, url_prefix="/conflicts", tag="Conflicts")


class ConflictsQuery(PageQuery):
    state: Literal["open", "resolved"] | None = None
    external_userid: Filter | None = None


class Decision(Asked):
    """Who owns the customer from now on, and why."""

    owner: Member
    reason: Annotated[Words, StringConstraints(min_length=1)]


class ResolutionOut(Reasoned):
    """`reason` is what a person wrote, or the code of why it was settled by itself."""

    owner: str
    by: str

    @model_validator(mode="before")
    @classmethod
    def _of_row(cls, resolution: Any) -> Any:
        return {"reason": because(resolution), **resolution}


class ConflictOut(Shown):
    id: int
    external_userid: str
    state: Literal["open", "resolved"]
    owner: str | None
    contenders: list[str]
    opened_at: datetime
    resolved_at: datetime | None
    resolution: ResolutionOut | None


class ConflictsOut(PageOut):
    items: list[ConflictOut]


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(ConflictsQuery, location="query")
@blueprint.output(ConflictsOut)
def index(query_data: ConflictsQuery) -> dict[str, Any]:
    """List conflicts, the latest first."""
    query = Conflict.select()
    if query_data.state:
        query = query.where(Conflict.state == query_data.state)
    if query_data.external_userid:
        query = query.where(Conflict.external_userid == query_data.external_userid)
    rows, next_cursor = paging.page_of_query(query, Conflict.id, query_data)
    asked = query_data.model_dump(include={"state", "external_userid"})
    context.record_page("conflict.list", "conflicts", [row.external_userid for row in rows], asked)
    return {"items": rows, "next_cursor": next_cursor}


@blueprint.get("/<int:number>")
@needs(READ, SCOPE)
@blueprint.output(ConflictOut)
def show(number: int) -> Conflict:
    """Show one conflict."""
    conflict = _find(number)
    context.record_look("conflict.look", f"conflict {conflict.id}")
    return conflict


@blueprint.post("/<int:number>/resolve")
@needs(SCOPE)
@blueprint.input(Decision)
@blueprint.output(ConflictOut)
def resolve(number: int, json_data: Decision) -> Conflict:
    """Settle a conflict: the owner is the owner from now on, and all concerned are told."""
    conflict = _find(number)
    if conflict.state == "open":
        _check_owner(conflict, json_data.owner)
    return conflicts.resolve(
        conflict.id, json_data.owner, json_data.reason, context.who(), context.kegui()
    )


def _find(number: int) -> Conflict:
    conflict: Conflict = one_of(Conflict, number, "归属冲突", "conflict")
    return conflict


def _check_owner(conflict: Conflict, owner: str) -> None:
    if Staff.get_or_none(Staff.userid == owner) is None:
        raise invalid("owner", f"没有成员 {owner}", f"there is no member {owner}")
    relation = Relation.of(conflict.external_userid, owner)
    if relation is None or not relation.is_live:
        raise invalid(
            "owner",
            f"成员 {owner} 与该客户没有联系，请从与客户有联系的成员中选择",
            f"{owner} is not in contact with the customer: choose a member who is",
        )
    if context.who().is_person(owner) and owner != conflict.owner:
        raise invalid(
            "owner",
            "不能裁定归属令牌的负责人，请由另一人裁定",
            "whoever answers for this token cannot get the customer by it: let another decide",
        )
