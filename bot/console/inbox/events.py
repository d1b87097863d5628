"""事件: all that WeCom told us, and what became of it; never the content."""

from typing import Any

from apiflask import APIBlueprint
from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, kegui, page_number
from bot.events import MalformedEvent, redacted
from bot.inbox.inbox import open_event
from bot.inbox.replay import replay as replay_event
from bot.inbox.rights import REPLAY_EVENTS, SEE_EVENTS
from bot.models import InboxHistory
from bot.models.inbox_event import EVENT_COLUMNS, STATES
from bot.paging import page_of_query
from bot.reports.home import inbox_by_state
from bot.staff.names import names_of
from bot.vault import VaultError

# Whoever looks for an older one asks for its customer.
MOST_EVENTS = 10_000

blueprint = APIBlueprint(
    "events", __name__, template_folder="templates", url_prefix="/events", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_EVENTS, shows_customers=True)
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
    shown = gate.customers_shown(event.external_userid for event in events)
    if shown:
        gate.record_look("event.list", "events", state=state or None, page=page.number)
    return render_template(
        "events/index.html",
        events=events,
        page=page,
        state=state,
        by_state=inbox_by_state(),
        names=names_of(
            staff=[event.userid for event in events],
            customers=shown,
        ),
    )


@blueprint.get("/<int(max=9223372036854775807):event_id>")
@allow(SEE_EVENTS, shows_customers=True)
def show(event_id: int) -> str:
    """One event: what came, what became of it, and what can be done; never codes or contents."""
    event = _found(event_id)
    shown = gate.customers_shown([event.external_userid])
    gate.record_look("event.look", f"event {event_id}")
    return render_template(
        "events/show.html",
        event=event,
        fields=_fields(event) if shown or not event.external_userid else None,
        names=names_of(staff=[event.userid], customers=shown),
    )


@blueprint.post("/<int(max=9223372036854775807):event_id>/replay")
@allow(REPLAY_EVENTS)
def replay(event_id: int) -> ResponseReturnValue:
    """Let the workers answer the event again."""
    event = _found(event_id)
    if replay_event(event.id, gate.who(), kegui()) is None:
        flash(_("该事件尚未处理完，会自动继续，无需重新处理。"), "info")
    else:
        flash(_("事件已重新排队，处理结果将显示在本页。"), "good")
    return redirect(url_for("console.events.show", event_id=event.id))


def _found(event_id: int) -> InboxHistory:
    event = InboxHistory.get_or_none(InboxHistory.id == event_id)
    if event is None:
        abort(404)
    return event


def _fields(event: InboxHistory) -> dict[str, Any] | None:
    """What WeCom said, without codes, phones and messages; None where it cannot be opened."""
    try:
        return redacted(open_event(event, kegui().vault))
    except (VaultError, MalformedEvent):
        return None
