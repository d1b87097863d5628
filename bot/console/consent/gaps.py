"""未告知客户: who is in contact and was not told that the chat is archived."""

from apiflask import APIBlueprint
from flask import render_template

from bot import clock
from bot.consent.gaps import (
    MOST_NEVER_TOLD,
    READING,
    SOURCES,
    count_never_told,
    members_without_codes,
    never_told,
    open_gaps,
)
from bot.consent.rights import SEE_GAPS
from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, choice, page_number, upto
from bot.paging import page_of_list, page_of_query
from bot.staff.names import names_of

# Who looks for one behind them asks for the customer.
MOST_LISTED = 1_000

blueprint = APIBlueprint(
    "gaps", __name__, template_folder="templates", url_prefix="/gaps", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_GAPS, shows_customers=True)
def index() -> str:
    """The gaps with their reasons, those that are open longest first."""
    within = gate.scope(SEE_GAPS)
    page = page_of_list(open_gaps(clock.now(), within), page_number(), PAGE_SIZE)
    if page.rows:
        gate.record_look("gap.list", "gaps", page=page.number)
    silent = sorted(userid for userid in members_without_codes() if within.has(userid))
    untold = count_never_told(within)
    return render_template(
        "gaps/index.html",
        page=page,
        untold=[(came_by, upto(untold[came_by], MOST_NEVER_TOLD)) for came_by in SOURCES],
        never_told=sum(untold.values()),
        silent=silent,
        names=names_of(
            staff=[*(gap.userid for gap in page.rows), *silent],
            customers=[gap.external_userid for gap in page.rows],
        ),
    )


@blueprint.get("/never-told")
@allow(SEE_GAPS, shows_customers=True)
def untold() -> str:
    """The contacts that a reading or a handover brought, of whom nobody was ever told."""
    came_by = choice("came_by", tuple(SOURCES), READING)
    within = gate.scope(SEE_GAPS)
    page = page_of_query(never_told(came_by, within), page_number(), PAGE_SIZE, MOST_LISTED)
    if page.rows:
        gate.record_look("gap.list", "gaps", came_by=came_by, page=page.number)
    numbers = count_never_told(within)
    return render_template(
        "gaps/never_told.html",
        page=page,
        came_by=came_by,
        number=upto(numbers[came_by], MOST_NEVER_TOLD),
        names=names_of(
            staff=[one.userid for one in page.rows],
            customers=[one.external_userid for one in page.rows],
        ),
    )
