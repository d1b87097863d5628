"""未告知客户: whom nobody has told that the chat is archived."""

from datetime import datetime
from typing import Any

from apiflask import APIBlueprint

from bot import clock
from bot.api import context, paging
from bot.api.auth import READ, needs
from bot.api.paging import PageOut, PageQuery
from bot.api.schemas import Filter, MemberFilter, Reasoned
from bot.consent.gaps import open_gaps

blueprint = APIBlueprint("gaps", __name__, url_prefix="/gaps", tag="Gaps")


class GapsQuery(PageQuery):
    userid: MemberFilter | None = None
    external_userid: Filter | None = None


class GapOut(Reasoned):
    userid: str
    external_userid: str
    added_at: datetime
    errcode: int | None


class GapsOut(PageOut):
    items: list[GapOut]


@blueprint.get("")
@needs(READ)
@blueprint.input(GapsQuery, location="query")
@blueprint.output(GapsOut)
def index(query_data: GapsQuery) -> dict[str, Any]:
    """List the pairs in contact without a delivered notice, by member."""
    found = [
        gap
        for gap in open_gaps(clock.now())
        if query_data.userid in (None, gap.userid)
        and query_data.external_userid in (None, gap.external_userid)
    ]
    shown, next_cursor = paging.page_of_list(
        found, lambda gap: [gap.userid, gap.external_userid], query_data
    )
    asked = query_data.model_dump(include={"userid", "external_userid"})
    context.record_page("gap.list", "gaps", [gap.external_userid for gap in shown], asked)
    return {"items": shown, "next_cursor": next_cursor}
