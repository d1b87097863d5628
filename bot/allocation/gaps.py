"""Years of which the work calendar does not know the holidays."""

from datetime import timedelta

from bot import clock
from bot.alarms import end_others, raise_alarm
from bot.allocation import facts, rule_sets
from bot.allocation.rules import ANY
from bot.kegui import Kegui
from bot.reason import Reason

CALENDAR_GAP = "work_calendar_gap"
# The State Council announces a year in November of the year before.
AHEAD = timedelta(days=31)


def look_at_calendar(kegui: Kegui) -> None:
    """One alarm for each year that is not published and that rules by working time meet soon."""
    today = clock.now().astimezone(kegui.settings.zone).date()
    _body, rules = rule_sets.shown_now()
    wanted = {today.year, (today + AHEAD).year}
    missing: set[str] = set()
    if any(rule.hours != ANY for rule in rules.rules):
        missing = {str(year) for year in wanted - facts.calendar().years}
    for year in sorted(missing):
        raise_alarm(
            CALENDAR_GAP,
            year,
            Reason(CALENDAR_GAP, {"year": year}),
            kegui,
        )
    end_others(CALENDAR_GAP, missing)
