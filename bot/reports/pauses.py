"""Which endpoints of WeCom are not called now, why, and until when."""

from datetime import datetime, timedelta

from peewee import ModelSelect

from bot.models import EndpointPause

# An outage that is shorter passes by itself before anybody could look.
OUTAGE = timedelta(minutes=5)
# Nobody has tried since: the trouble is old.
FORGOTTEN = timedelta(minutes=15)
SYSTEM_BUSY = -1


def known(now: datetime) -> "ModelSelect[EndpointPause]":
    """Select the pauses that hold, and those of which nobody has shown yet that they are over."""
    return EndpointPause.select().where(EndpointPause.until > now - FORGOTTEN)


def longest_outage(now: datetime) -> EndpointPause | None:
    """Return the pause that network errors keep up since the longest time, if it is an outage."""
    no_answer = EndpointPause.errcode.is_null() | (EndpointPause.errcode == SYSTEM_BUSY)
    lasting = [
        pause
        for pause in known(now).where(no_answer).order_by(EndpointPause.since)
        if pause.since and pause.until - pause.since >= OUTAGE
    ]
    return lasting[0] if lasting else None
