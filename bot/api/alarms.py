"""告警: what an operator must know, until it is over."""

from datetime import datetime
from typing import Any, Literal

from apiflask import APIBlueprint

from bot.api import paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.schemas import Shown
from bot.models import Alarm

blueprint = APIBlueprint("alarms", __name__, url_prefix="/alarms", tag="Alarms")


class AlarmsQuery(PageQuery):
    state: Literal["open", "ended"] | None = None


class AlarmOut(Shown):
    id: int
    kind: str
    subject: str
    since: datetime
    ended_at: datetime | None
    text: str
    what_to_do: str


class AlarmsOut(PageOut):
    items: list[AlarmOut]


@blueprint.get("")
@needs(READ)
@blueprint.input(AlarmsQuery, location="query")
@blueprint.output(AlarmsOut)
def index(query_data: AlarmsQuery) -> dict[str, Any]:
    """List alarms, the latest first; ``ended_at`` is null while one is open."""
    query = Alarm.select()
    if query_data.state:
        query = query.where(Alarm.ended_at.is_null(query_data.state == "open"))
    rows, next_cursor = paging.page_of_query(query, Alarm.id, query_data)
    return {"items": rows, "next_cursor": next_cursor}
