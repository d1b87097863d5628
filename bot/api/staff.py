"""成员: the members as WeCom shows them, and what managers set for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from apiflask import APIBlueprint
from pydantic import Field, StrictBool, StrictInt, StringConstraints, field_validator
from pydantic.json_schema import SkipJsonSchema

from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import missing
from bot.api.schemas import Asked, Name, Shown, may_be_left_out, refuse_null
from bot.models import Staff
from bot.staff import staff

SCOPE = "allocation"
Licence = Annotated[Name, StringConstraints(min_length=1)]
Licences = Annotated[list[Licence], Field(max_length=100)]

blueprint = APIBlueprint("staff", __name__, url_prefix="/staff", tag="Staff")


class StaffIn(Asked):
    """What managers set; what is left out stays as it is, a null capacity means the default."""

    licences: Licences | SkipJsonSchema[None] = may_be_left_out()
    capacity: Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None = may_be_left_out()
    on_duty: StrictBool | SkipJsonSchema[None] = may_be_left_out()
    on_leave: StrictBool | SkipJsonSchema[None] = may_be_left_out()

    _no_null = field_validator("licences", "on_duty", "on_leave", mode="before")(refuse_null)


class StaffOut(Shown):
    userid: str
    name: str
    departments: list[int]
    main_department: int | None
    direct_leader: str | None
    status: int
    serves: bool
    left_at: datetime | None
    customers: int
    licences: list[str]
    capacity: int | None
    on_duty: bool
    on_leave: bool


class StaffListOut(PageOut):
    items: list[StaffOut]


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(PageQuery, location="query")
@blueprint.output(StaffListOut)
def index(query_data: PageQuery) -> dict[str, Any]:
    """List the members with the number of customers each owns."""
    rows, next_cursor = paging.page_of_query(
        Staff.select(), Staff.userid, query_data, newest_first=False
    )
    userids = [member.userid for member in rows]
    context.record_page("staff.list", "staff", userids, {})
    loads = staff.customers_owned(userids)
    return {"items": [_show(member, loads) for member in rows], "next_cursor": next_cursor}


@blueprint.get("/<userid>")
@needs(READ, SCOPE)
@blueprint.output(StaffOut)
def show(userid: str) -> dict[str, Any]:
    """Show one member."""
    member = _find(userid)
    context.record_look("staff.look", f"staff {member.userid}")
    return _show(member, staff.customers_owned([member.userid]))


@blueprint.put("/<userid>")
@needs(SCOPE)
@blueprint.input(StaffIn)
@blueprint.output(StaffOut)
def change(userid: str, json_data: StaffIn) -> dict[str, Any]:
    """Set licences, capacity, duty and leave; `on_duty` also takes back whoever was offboarded."""
    member = _find(userid)
    changes = json_data.model_dump(include=json_data.model_fields_set)
    staff.set_terms(member.userid, context.who(), context.kegui(), **changes)
    return _show(_find(member.userid), staff.customers_owned([member.userid]))


def _find(userid: str) -> Staff:
    member: Staff | None = Staff.get_or_none(Staff.userid == Staff.spelled(userid))
    if member is None:
        raise missing("成员", "member", userid)
    return member


def _show(member: Staff, loads: Mapping[str, int]) -> dict[str, Any]:
    columns = {name: getattr(member, name) for name in Staff._meta.sorted_field_names}
    return {**columns, "customers": loads.get(member.userid, 0)}
