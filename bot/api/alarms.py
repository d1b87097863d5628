"""告警: what an operator must know, until it is over."""

from datetime import datetime
from typing import Any, Literal

from apiflask import APIBlueprint

from bot.alarms import told
from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.schemas import Shown
from bot.models import Alarm

blueprint = APIBlueprint("alarms", __name__, url_prefix="/alarms", tag="Alarms")


class AlarmsQuery(PageQuery):
    state: Literal["open", "ended"] | None = None


class AlarmOut(Shown):
    """`reason` is the code of `text`, which says what is wrong in the caller's language."""

    id: int
    kind: str
    subject: str
    since: datetime
    ended_at: datetime | None
    reason: str
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
    return {"items": [_show(row) for row in rows], "next_cursor": next_cursor}


def _show(row: Alarm) -> dict[str, Any]:
    text, what_to_do = told(row, context.kegui().settings.zone)
    columns = {name: getattr(row, name) for name in ("id", "kind", "subject", "since", "ended_at")}
    return {**columns, "reason": row.reason_code, "text": text, "what_to_do": what_to_do}
