"""核对: each reading of WeCom, what differed, and what was healed."""

from datetime import datetime
from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import missing
from bot.api.schemas import Filter, Shown
from bot.models import SyncFinding, SyncRun
from bot.reason import in_words
from bot.sync.findings import WHAT_TO_DO, Summary, summaries, summary

blueprint = APIBlueprint("sync_runs", __name__, url_prefix="/sync-runs", tag="Sync runs")

Kind = Literal["import", "repair", "unassigned"]
Outcome = Literal["healed", "person"]


class RunsQuery(PageQuery):
    kind: Kind | None = None


class FindingsQuery(PageQuery):
    kind: Filter | None = Field(None, description="of the difference")
    outcome: Outcome | None = None


class CountOut(Shown):
    kind: str
    healed: int
    person: int


class RunOut(Shown):
    """``finished_at`` null: it is being read, or was interrupted. ``healed`` and ``person``: how
    many differences were mended, and how many a person must look at."""

    id: str
    kind: Kind
    started_at: datetime
    finished_at: datetime | None
    members: int
    customers: int
    groups: int
    healed: int
    person: int
    counts: list[CountOut]


class FindingOut(Shown):
    """``here`` and ``wecom``: what stood here and what WeCom says; ``what_to_do`` where a person
    must act."""

    id: int
    kind: str
    subject: str
    userid: str | None
    here: str
    wecom: str
    outcome: Outcome
    what_to_do: str | None
    found_at: datetime


class RunsOut(PageOut):
    items: list[RunOut]


class RunDetailOut(RunOut, PageOut):
    """A run with one page of its findings; of each kind it keeps the first 500."""

    findings: list[FindingOut]


@blueprint.get("")
@needs(READ)
@blueprint.input(RunsQuery, location="query")
@blueprint.output(RunsOut)
def index(query_data: RunsQuery) -> dict[str, Any]:
    """List the readings of the last 90 days, the latest first."""
    query = SyncRun.select()
    if query_data.kind:
        query = query.where(SyncRun.kind == query_data.kind)
    rows, next_cursor = paging.page_of_query(query, SyncRun.run, query_data)
    return {"items": [_shown(one) for one in summaries(rows)], "next_cursor": next_cursor}


@blueprint.get("/<run>")
@needs(READ)
@blueprint.input(FindingsQuery, location="query")
@blueprint.output(RunDetailOut)
def show(run: str, query_data: FindingsQuery) -> dict[str, Any]:
    """Show one reading with its differences, in the order in which they were found."""
    row = SyncRun.get_or_none(SyncRun.run == run)
    if row is None:
        raise missing("核对记录", "reading", run)
    query = SyncFinding.select().where(SyncFinding.run == run)
    if query_data.kind:
        query = query.where(SyncFinding.kind == query_data.kind)
    if query_data.outcome:
        query = query.where(SyncFinding.outcome == query_data.outcome)
    found, next_cursor = paging.page_of_query(query, SyncFinding.id, query_data, newest_first=False)
    asked = query_data.model_dump(include={"kind", "outcome"})
    context.record_page("sync_run.look", f"reading {run}", [one.subject for one in found], asked)
    return {
        **_shown(summary(row)),
        "findings": [_finding(one) for one in found],
        "next_cursor": next_cursor,
    }


def _shown(one: Summary) -> dict[str, Any]:
    run = one.run
    return {
        "id": run.run,
        "kind": run.kind,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "members": run.members,
        "customers": run.customers,
        "groups": run.groups,
        "healed": one.healed,
        "person": one.person,
        "counts": [CountOut.model_validate(count).model_dump() for count in one.counts],
    }


def _finding(one: SyncFinding) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "subject": one.subject,
        "userid": one.userid,
        "here": one.here,
        "wecom": one.wecom,
        "outcome": one.outcome,
        "what_to_do": _advice(one.kind) if one.outcome == "person" else None,
        "found_at": one.found_at,
    }


def _advice(kind: str) -> str | None:
    advice = WHAT_TO_DO.get(kind)
    return None if advice is None else in_words(advice)
