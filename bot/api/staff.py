"""成员: the members as WeCom shows them, and what managers set for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator
from pydantic.json_schema import SkipJsonSchema

from bot import clock
from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import Problem, in_language, invalid, missing
from bot.api.schemas import Asked, Name, Shown, may_be_left_out, refuse_null
from bot.models import Staff
from bot.sheets import NoSheet
from bot.staff import ics, imports, staff, terms
from bot.staff.duty import KINDS
from bot.staff.ics import BadCalendar
from bot.staff.terms import Wrong
from bot.staff.words import WRONG

# HR's system sends licences, leave and rosters.
SCOPE, HR = "allocation", "hr"


class LicenceIn(Asked):
    """Both days belong to the licence's time; a null or missing one is no limit."""

    kind: Name
    number: Name = ""
    valid_from: Name | None = None
    valid_to: Name | None = None


class PeriodIn(BaseModel):
    """From a day or moment to another; a day means all of it, by the firm's clock."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: Name = Field(alias="from")
    end: Name = Field(alias="to")
    kind: Name


Licences = Annotated[list[LicenceIn], Field(max_length=terms.MOST_LICENCES)]
Periods = Annotated[list[PeriodIn], Field(max_length=terms.MOST_PERIODS)]
Skills = Annotated[list[Name], Field(max_length=terms.MOST_SKILLS)]

blueprint = APIBlueprint("staff", __name__, url_prefix="/staff", tag="Staff")


class StaffIn(Asked):
    """What managers set; what is left out stays as it is, a null capacity means the default."""

    licences: Licences | SkipJsonSchema[None] = may_be_left_out()
    capacity: Annotated[StrictInt, Field(ge=0, le=terms.MOST_CUSTOMERS)] | None = may_be_left_out()
    daily_quota: Annotated[StrictInt, Field(ge=0, le=terms.MOST_A_DAY)] | None = may_be_left_out()
    skills: Skills | SkipJsonSchema[None] = may_be_left_out()
    availability: Periods | SkipJsonSchema[None] = may_be_left_out()
    on_duty: StrictBool | SkipJsonSchema[None] = may_be_left_out()
    on_leave: StrictBool | SkipJsonSchema[None] = may_be_left_out()

    _no_null = field_validator(
        "licences", "skills", "availability", "on_duty", "on_leave", mode="before"
    )(refuse_null)


class LicenceOut(Shown):
    kind: str
    number: str
    valid_from: str | None
    valid_to: str | None


class PeriodOut(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    start: str = Field(alias="from")
    end: str = Field(alias="to")
    kind: str


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
    licences: list[LicenceOut]
    skills: list[str]
    availability: list[PeriodOut]
    capacity: int | None
    daily_quota: int | None
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
    """Set licences, skills, capacity, quota, duty and leave; `on_duty` also takes back whoever was
    offboarded."""
    member = _find(userid)
    changes = json_data.model_dump(include=json_data.model_fields_set)
    if "licences" in changes:
        changes["licences"] = _licences(changes["licences"])
    if "availability" in changes:
        changes["availability"] = _periods(changes["availability"])
    staff.set_terms(member.userid, context.who(), context.kegui(), **changes)
    return _show(_find(member.userid), staff.customers_owned([member.userid]))


class ImportQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


class RejectedOut(Shown):
    row: int
    column: str
    code: str


class ImportOut(Shown):
    """How many rows there were, changed something, changed nothing, and which were refused."""

    rows: int
    accepted: int
    unchanged: int
    rejected: list[RejectedOut]


@blueprint.post("/imports")
@needs(SCOPE, HR)
@blueprint.input(ImportQuery, location="query")
@blueprint.output(ImportOut)
def take_file(query_data: ImportQuery) -> imports.Imported:
    """Take licences, numbers and rosters of many members from CSV or Excel (xlsx), sent as the
    body or as the file of a form; a row that cannot be taken changes nothing."""
    try:
        return imports.take(_content(), context.who(), context.kegui(), dry_run=query_data.dry_run)
    except NoSheet as error:
        code = str(error)
        chinese, english = WRONG[code]
        raise Problem(422, "no-table", chinese, english, extra={"code": code}) from None


class CalendarQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Name = ""


@blueprint.post("/<userid>/calendar")
@needs(SCOPE, HR)
@blueprint.input(CalendarQuery, location="query")
@blueprint.output(StaffOut)
def take_calendar(userid: str, query_data: CalendarQuery) -> dict[str, Any]:
    """Take leave and duty from an iCalendar file, sent as the body or as the file of a form; the
    member's periods of the same kinds are replaced. `kind`: of events that do not say theirs."""
    member, kegui = _find(userid), context.kegui()
    if query_data.kind not in ("", *KINDS):
        raise _wrong("kind", Wrong("kind", "unknown_kind"))
    try:
        text = _content().decode("utf-8")
        found = ics.periods(text, kegui.settings.zone, clock.now(), query_data.kind)
        imports.take_calendar(member, found, context.who(), kegui)
    except UnicodeDecodeError:
        raise _bad_calendar(BadCalendar(1, "no_calendar")) from None
    except BadCalendar as error:
        raise _bad_calendar(error) from None
    return _show(_find(member.userid), staff.customers_owned([member.userid]))


def _bad_calendar(error: BadCalendar) -> Problem:
    chinese, english = WRONG[error.code]
    told = {"line": error.line, "code": error.code, "detail": in_language(chinese, english)}
    return Problem(
        422,
        "bad-calendar",
        f"第 {error.line} 行：{chinese}",
        f"line {error.line}: {english}",
        extra={"errors": [told]},
    )


def _content() -> bytes:
    """The file: the body itself, or the one that a form sends."""
    sent = next(iter(request.files.values()), None)
    return request.get_data() if sent is None else sent.read()


def _licences(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    made = []
    for place, one in enumerate(given):
        try:
            made.append(terms.licence(*(one[name] or "" for name in LicenceOut.model_fields)))
        except Wrong as wrong:
            raise _wrong(f"licences.{place}.{wrong.column}", wrong) from None
    return made


def _periods(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    zone, made = context.kegui().settings.zone, []
    for place, one in enumerate(given):
        try:
            made.append(terms.period(one["start"], one["end"], one["kind"], zone))
        except Wrong as wrong:
            raise _wrong(f"availability.{place}.{wrong.column}", wrong) from None
    try:
        terms.check_periods(made, zone)
    except Wrong as wrong:
        raise _wrong("availability", wrong) from None
    return made


def _wrong(field: str, wrong: Wrong) -> Problem:
    chinese, english = WRONG[wrong.code]
    return invalid(field, chinese, english, code=wrong.code)


def _find(userid: str) -> Staff:
    member: Staff | None = Staff.get_or_none(Staff.userid == Staff.spelled(userid))
    if member is None:
        raise missing("成员", "member", userid)
    return member


def _show(member: Staff, loads: Mapping[str, int]) -> dict[str, Any]:
    columns = {name: getattr(member, name) for name in Staff._meta.sorted_field_names}
    return {**columns, "customers": loads.get(member.userid, 0)}
