"""事件: what WeCom sent, how far each came, and a second try."""

from datetime import datetime
from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field, field_validator

from bot import events
from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.problems import Problem
from bot.api.schemas import Filter, MemberFilter, Shown, one_of
from bot.inbox import inbox
from bot.inbox.replay import replay as replay_event
from bot.models import InboxEvent, InboxHistory
from bot.models.inbox_event import EVENT_COLUMNS
from bot.reason import Reason, in_words
from bot.vault import VaultError

SCOPE = "events"
State = Literal["waiting", "claimed", "done", "ignored", "failed", "dead"]

blueprint = APIBlueprint("events", __name__, url_prefix="/events", tag="Events")


class EventsQuery(PageQuery):
    state: State | None = None
    type: Filter | None = Field(None, description="the event or its change type, in WeCom's words")
    userid: MemberFilter | None = None
    external_userid: Filter | None = None


class EventOut(Shown):
    id: int
    source: str
    event: str
    change_type: str
    state: State
    attempts: int
    received_at: datetime
    finished_at: datetime | None
    error: str | None
    error_code: str | None

    @field_validator("error", mode="before")
    @classmethod
    def _in_words(cls, error: Any) -> Any:
        return (in_words(error) or None) if isinstance(error, Reason) else error

    @field_validator("error_code", mode="before")
    @classmethod
    def _or_none(cls, code: Any) -> Any:
        return code or None


class EventDetailOut(EventOut):
    """``fields`` null: the payload was sealed with a key that is not here."""

    fields: dict[str, Any] | None


class EventsOut(PageOut):
    items: list[EventOut]


@blueprint.get("")
@needs(READ, SCOPE)
@blueprint.input(EventsQuery, location="query")
@blueprint.output(EventsOut)
def index(query_data: EventsQuery) -> dict[str, Any]:
    """List events, the latest first."""
    # Without one of them the list names nobody.
    if query_data.external_userid:
        context.record_look("event.list", f"customer {query_data.external_userid}")
    elif query_data.userid:
        context.record_look("event.list", f"staff {query_data.userid}")
    query = InboxHistory.select(*EVENT_COLUMNS)
    if query_data.state:
        query = query.where(InboxHistory.state == query_data.state)
    if query_data.type:
        of_type = (InboxHistory.event == query_data.type) | (
            InboxHistory.change_type == query_data.type
        )
        query = query.where(of_type)
    if query_data.userid:
        query = query.where(InboxHistory.userid == query_data.userid)
    if query_data.external_userid:
        query = query.where(InboxHistory.external_userid == query_data.external_userid)
    rows, next_cursor = paging.page_of_query(query, InboxHistory.id, query_data)
    return {"items": rows, "next_cursor": next_cursor}


@blueprint.get("/<int:number>")
@needs(READ, SCOPE)
@blueprint.output(EventDetailOut)
def show(number: int) -> dict[str, Any]:
    """Show one event with its fields; codes, phones and messages are hidden."""
    row = _find(number)
    context.record_look("event.look", f"event {number}")
    return {
        **EventOut.model_validate(row).model_dump(),
        "fields": _fields(row),
    }


@blueprint.post("/<int:number>/replay")
@needs(SCOPE)
@blueprint.output(EventOut)
def replay(number: int) -> InboxEvent:
    """Work on a settled event again; what it already caused is not done twice."""
    row = _find(number)
    again = replay_event(row.id, context.who(), context.kegui())
    if again is None:
        raise Problem(
            409,
            "wrong-state",
            f"该事件处于 {row.state}，尚未结束，无需重新处理",
            f"the event is {row.state}, so it will be worked on by itself",
        )
    return again


def _find(number: int) -> InboxHistory:
    row: InboxHistory = one_of(InboxHistory, number, "事件", "event")
    return row


def _fields(row: InboxHistory) -> dict[str, Any] | None:
    try:
        return events.redacted(inbox.open_event(row, context.kegui().vault))
    except (VaultError, events.MalformedEvent):
        return None
