"""概览: how the house stands now."""

from apiflask import APIBlueprint
from flask import render_template

from bot import clock
from bot.reports import home
from bot.reports.cases import running_cases
from bot.reports.names import names_of

RECENT_EVENTS = 15
SHOWN = 8

blueprint = APIBlueprint("home", __name__, enable_openapi=False)


@blueprint.get("/")
def show() -> str:
    """Counts, troubles, conflicts, running handovers and what came in last."""
    events = home.recent_events(RECENT_EVENTS)
    conflicts = home.open_conflicts(SHOWN)
    cases = running_cases(SHOWN)
    members = [
        *(event.userid for event in events),
        *(case.handover.userid for case in cases),
        *(conflict.owner for conflict in conflicts),
        *(userid for conflict in conflicts for userid in conflict.contenders),
    ]
    customers = [row.external_userid for rows in (events, conflicts) for row in rows]
    return render_template(
        "home/show.html",
        numbers=home.numbers(clock.now()),
        alarms=home.open_alarms(),
        conflicts=conflicts,
        cases=cases,
        events=events,
        names=names_of(staff=members, customers=customers),
    )
