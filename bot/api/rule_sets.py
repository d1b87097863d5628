"""分配规则: versions of the rules, tried, decided on by another person, released."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from apiflask import APIBlueprint
from flask import url_for
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.allocation import dry_runs, rule_sets
from bot.allocation.fault_words import texts_of
from bot.allocation.rule_files import LONGEST_BODY
from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import Problem, in_language, invalid
from bot.api.schemas import Asked, Filter, Name, Shown, Words, one_of
from bot.identity.proposals import SamePerson
from bot.models import DryRun, RuleSet
from bot.models.allocation import DONE, FAILED, RUNNING
from bot.staff import duty

SCOPE, ALLOCATION = "rules", "allocation"
Result = TypeVar("Result")

blueprint = APIBlueprint("rule_sets", __name__, url_prefix="/rule-sets", tag="Rule sets")
runs = APIBlueprint("dry_runs", __name__, url_prefix="/dry-runs", tag="Rule sets")


class RuleSetIn(Asked):
    """`body` is the table as TOML."""

    kind: Name
    body: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_BODY)]


class RuleSetOut(Shown):
    """One version; `label` is what the body itself calls its version."""

    id: int
    kind: str
    version: int
    label: str
    state: str
    source: str
    body: str
    body_sha256: str
    drafted_by: str
    drafted_at: datetime
    released_by: str | None
    released_at: datetime | None
    ended_at: datetime | None


class RuleSetsOut(PageOut):
    items: list[RuleSetOut]


class RuleSetsQuery(PageQuery):
    state: Filter | None = None


class RejectionIn(Asked):
    reason: Annotated[Words, StringConstraints(min_length=1)]


class PeriodIn(BaseModel):
    """From a day or moment to another; a day means all of it, by the firm's clock."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: Name = Field(alias="from")
    until: Name = Field(alias="to")


class LoadOut(Shown):
    """A member's customers at the end, and those received: as it was, and as it would have been."""

    userid: str
    before: int
    after: int
    received_before: int
    received_after: int


class ViolationOut(Shown):
    allocation: int
    userid: str
    code: str
    rule: str


class HitsOut(Shown):
    rule: str
    arrivals: int


class DryRunOut(BaseModel):
    """How a run stands; what it found is there when it is `done`."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: int
    rule_set: int
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    state: str
    tried: int
    arrivals: int | None = None
    changed: int | None = None
    unplaced: int | None = None
    violations: list[ViolationOut] | None = None
    rules: list[HitsOut] | None = None
    load: list[LoadOut] | None = None
    result_sha256: str | None = None
    error: str | None = None


@blueprint.get("")
@needs(READ, SCOPE, ALLOCATION)
@blueprint.input(RuleSetsQuery, location="query")
@blueprint.output(RuleSetsOut)
def index(query_data: RuleSetsQuery) -> dict[str, Any]:
    """List the versions, the latest first."""
    query = RuleSet.select()
    if query_data.state is not None:
        query = query.where(RuleSet.state == query_data.state)
    rows, next_cursor = paging.page_of_query(query, RuleSet.id, query_data)
    return {"items": [_show(row) for row in rows], "next_cursor": next_cursor}


@blueprint.post("")
@needs(SCOPE, ALLOCATION)
@blueprint.input(RuleSetIn)
@blueprint.output(RuleSetOut, status_code=201)
def draft(json_data: RuleSetIn) -> dict[str, Any]:
    """Draft a version. What is wrong with it stands in `errors`, line by line."""
    if json_data.kind not in rule_sets.KINDS:
        raise invalid("kind", "须为 allocation", "it is allocation")
    row = _done(
        lambda: rule_sets.draft(
            json_data.kind, json_data.body, "api", context.who(), context.kegui()
        )
    )
    return _show(row)


@blueprint.get("/<int:number>")
@needs(READ, SCOPE, ALLOCATION)
@blueprint.output(RuleSetOut)
def show(number: int) -> dict[str, Any]:
    """Show one version."""
    return _show(_find(number))


@blueprint.post("/<int:number>/submit")
@needs(SCOPE, ALLOCATION)
@blueprint.output(RuleSetOut)
def submit(number: int) -> dict[str, Any]:
    """Propose to release a draft; another person decides."""
    row = _find(number)
    _done(lambda: rule_sets.submit(row, context.who(), context.kegui()))
    return _show(_find(number))


@blueprint.post("/<int:number>/approve")
@needs(SCOPE, ALLOCATION)
@blueprint.output(RuleSetOut)
def approve(number: int) -> dict[str, Any]:
    """Approve what another person submitted; nothing decides by it before its release."""
    row = _find(number)
    _done(lambda: rule_sets.approve(row, context.who(), context.kegui()))
    return _show(_find(number))


@blueprint.post("/<int:number>/reject")
@needs(SCOPE, ALLOCATION)
@blueprint.input(RejectionIn)
@blueprint.output(RuleSetOut)
def reject(number: int, json_data: RejectionIn) -> dict[str, Any]:
    """Reject what another person submitted."""
    row = _find(number)
    _done(lambda: rule_sets.reject(row, context.who(), context.kegui(), json_data.reason))
    return _show(_find(number))


@blueprint.post("/<int:number>/release")
@needs(SCOPE, ALLOCATION)
@blueprint.output(RuleSetOut)
def release(number: int) -> dict[str, Any]:
    """Let an approved version decide from now on."""
    row = _find(number)
    _done(lambda: rule_sets.release(row, context.who(), context.kegui()))
    return _show(_find(number))


@blueprint.post("/<int:number>/rollback")
@needs(SCOPE, ALLOCATION)
@blueprint.output(RuleSetOut)
def roll_back(number: int) -> dict[str, Any]:
    """Take the released version back, or go back to this earlier one; shows what decides now."""
    row = _find(number)
    return _show(_done(lambda: rule_sets.roll_back(row, context.who(), context.kegui())))


@blueprint.post("/<int:number>/dry-run")
@needs(SCOPE, ALLOCATION)
@blueprint.input(PeriodIn)
@blueprint.output(DryRunOut, status_code=202)
def dry_run(number: int, json_data: PeriodIn) -> Any:
    """Try a version on past arrivals in the background; `Location` says where the result will be.

    Members are taken as they are now, with the licences and periods of that time; each begins with
    the customers of then.
    """
    row = _find(number)
    since = _moment("from", json_data.since)
    until = _moment("to", json_data.until, is_end=True)
    try:
        run = dry_runs.ask(row, since, until, context.who(), context.kegui())
    except dry_runs.NoPeriod:
        raise invalid(
            "to", "须晚于 from，且不超过三年", "it is after `from`, by three years at most"
        ) from None
    where = {"Location": url_for("api.dry_runs.show_run", number=run.id)}
    return _show_run(run), 202, where


@runs.get("/<int:number>")
@needs(READ, SCOPE, ALLOCATION)
@runs.output(DryRunOut)
def show_run(number: int) -> dict[str, Any]:
    """Show how a dry run stands, and what it found."""
    return _show_run(one_of(DryRun, number, "试算", "dry run"))


def _moment(name: str, text: str, *, is_end: bool = False) -> datetime:
    try:
        return duty.moment_of(text, context.kegui().settings.zone, is_end=is_end)
    except ValueError:
        raise invalid(name, "不是日期或带时区的时间", "no day, and no moment with a zone") from None


def _show_run(run: DryRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "rule_set": run.rule_set_id,
        "since": run.since,
        "until": run.until,
        "state": run.state if run.state in (DONE, FAILED) else RUNNING,
        "tried": run.tried,
        "error": run.error,
        **(run.result or {}),
    }


def _show(row: RuleSet) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in RuleSet._meta.sorted_field_names}
    return {**columns, "version": row.number}


def _find(number: int) -> RuleSet:
    found: RuleSet = one_of(RuleSet, number, "分配规则版本", "rule set")
    return found


def _done(act: Callable[[], Result]) -> Result:
    """Do something with a rule set; what stands in the way is a problem."""
    try:
        return act()
    except rule_sets.Faulty as error:
        raise _faulty(error) from None
    except rule_sets.WrongState as error:
        raise Problem(
            409,
            "wrong-state",
            f"该版本的状态（{error.state}）不允许此操作",
            f"it is {error.state}, which does not allow that",
        ) from None
    except rule_sets.NothingBefore:
        raise Problem(
            409, "nothing-before", "没有更早发布过的版本可回退", "no version was released before"
        ) from None
    except SamePerson:
        raise Problem(
            403,
            "same-person",
            "起草或提交这一版本的人不能复核，须由另一人处理",
            "whoever drafted or submitted this version does not decide on it",
        ) from None


def _faulty(error: rule_sets.Faulty) -> Problem:
    told = [
        {"line": fault.line, "code": fault.code, "detail": in_language(*texts_of(fault))}
        for fault in error.faults
    ]
    return Problem(
        422,
        "faulty-rules",
        "规则有误，未保存也未发布；请按 errors 逐行更正",
        "the rules are wrong, and nothing was kept or released: correct what errors lists",
        extra={"errors": told},
    )
