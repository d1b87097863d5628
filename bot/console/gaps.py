"""告知缺口: who is in contact and was not told that the chat is archived."""

from apiflask import APIBlueprint
from flask import render_template

from bot import clock
from bot.console import gate
from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, page_number
from bot.reports.gaps import members_without_codes, open_gaps
from bot.reports.names import names_of
from bot.reports.paging import page_of_list
from bot.rules.rights import Right

blueprint = APIBlueprint("gaps", __name__, url_prefix="/gaps", enable_openapi=False)


@blueprint.get("")
@allow(Right.SEE_GAPS, shows_customers=True)
def index() -> str:
    """The gaps with their reasons, those that are open longest first."""
    within = gate.scope(Right.SEE_GAPS)
    page = page_of_list(open_gaps(clock.now(), within), page_number(), PAGE_SIZE)
    if page.rows:
        gate.record_look("gap.list", "gaps", page=page.number)
    silent = sorted(userid for userid in members_without_codes() if within.has(userid))
    return render_template(
        "gaps/index.html",
        page=page,
        silent=silent,
        names=names_of(
            staff=[*(gap.userid for gap in page.rows), *silent],
            customers=[gap.external_userid for gap in page.rows],
        ),
    )
