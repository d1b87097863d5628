"""告警: what an operator must know, and what to do about it."""

from apiflask import APIBlueprint
from flask import render_template

from bot.console.gate import allow
from bot.console.pages import PAGE_SIZE, page_number
from bot.models import Alarm
from bot.operations.rights import SEE_ALARMS
from bot.paging import page_of_query
from bot.reports.home import open_alarms

blueprint = APIBlueprint(
    "alarms", __name__, template_folder="templates", url_prefix="/alarms", enable_openapi=False
)


@blueprint.get("")
@allow(SEE_ALARMS)
def index() -> str:
    """The open alarms, then those that are over."""
    opened = open_alarms()
    ended = Alarm.select().where(Alarm.ended_at.is_null(False)).order_by(Alarm.ended_at.desc())
    page = page_of_query(ended, page_number(), PAGE_SIZE)
    return render_template(
        "alarms/index.html",
        alarms=opened,
        page=page,
    )
