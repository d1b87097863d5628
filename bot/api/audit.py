"""审计日志: who did or saw what. Reading it is itself in it."""

from datetime import datetime
from typing import Any

from apiflask import APIBlueprint

from bot.api import context, paging
from bot.api.auth import needs
from bot.api.paging import PageOut, PageQuery
from bot.api.schemas import Filter, Shown
from bot.audit import search
from bot.models import AuditEntry

SCOPE = "audit"

blueprint = APIBlueprint("audit", __name__, url_prefix="/audit", tag="Audit")


class AuditQuery(PageQuery):
    actor: Filter | None = None
    act: Filter | None = None
    subject: Filter | None = None


class AuditEntryOut(Shown):
    id: int
    at: datetime
    actor: str
    act: str
    subject: str
    purpose: str
    origin: str
    details: dict[str, str]


class AuditOut(PageOut):
    items: list[AuditEntryOut]


@blueprint.get("")
@needs(SCOPE)
@blueprint.input(AuditQuery, location="query")
@blueprint.output(AuditOut)
def index(query_data: AuditQuery) -> dict[str, Any]:
    """List the entries, the latest first; the first of all is that of this reading."""
    asked = query_data.model_dump(include={"actor", "act", "subject"}, exclude_none=True)
    written = {name: search.as_kept(value) for name, value in asked.items()}
    context.record_look("audit.look", "audit log", **written)
    query = AuditEntry.select()
    for name, value in asked.items():
        query = query.where(getattr(AuditEntry, name) == value)
    rows, next_cursor = paging.page_of_query(query, AuditEntry.id, query_data)
    return {"items": rows, "next_cursor": next_cursor}
