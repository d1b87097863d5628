"""事件: all that WeCom told us, and what became of it; never the content."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, page_number
from bot.models import InboxHistory
from bot.models.inbox_event import STATES
from bot.reports.home import EVENT_COLUMNS, inbox_by_state
from bot.reports.names import names_of
from bot.reports.paging import page_of_query
from bot.rules.rights import Right

# Whoever looks for an older one asks for its customer.
MOST_EVENTS = 10_000

blueprint = APIBlueprint("events", __name__, url_prefix="/events", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_EVENTS)
def index() -> str:
    """Events by state, the latest first, with the error of those that went wrong."""
    state = choice("state", ("", *STATES), "")
    query = InboxHistory.select(*EVENT_COLUMNS)
    if state:
        query = query.where(InboxHistory.state == state)
    page = page_of_query(
        query.order_by(InboxHistory.id.desc()), page_number(), PAGE_SIZE, MOST_EVENTS
    )
    events: list[InboxHistory] = list(page.rows)
    return render_template(
        "events/index.html",
        events=events,
        page=page,
        state=state,
        by_state=inbox_by_state(),
        names=names_of(
            staff=[event.userid for event in events],
            customers=gate.customers_shown(event.external_userid for event in events),
        ),
    )
