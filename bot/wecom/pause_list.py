"""Which endpoints of WeCom are not called now, why, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import ModelSelect

from bot.models import EndpointPause
from bot.wecom import needs_operator
from bot.wecom.pauses import EVERY_ENDPOINT

# An outage that is shorter passes by itself before anybody could look.
OUTAGE = timedelta(minutes=5)
# Nobody has tried since: the trouble is old.
FORGOTTEN = timedelta(minutes=15)
SYSTEM_BUSY = -1


@dataclass(frozen=True)
class OpenPause:
    """A pause as people are told of it; ``name`` is what lifts it."""

    name: str
    secret: str
    endpoint: str
    errcode: int | None
    reason: str
    since: datetime | None
    until: datetime

    @property
    def needs_operator(self) -> bool:
        return needs_operator(self.errcode)


def open_pauses(now: datetime) -> list[OpenPause]:
    """Return the known pauses; one whose time is over waits for a call that goes well."""
    return [
        OpenPause(
            row.name, row.secret_name, row.endpoint, row.errcode, row.reason, row.since, row.until
        )
        for row in known(now).order_by(EndpointPause.name)
    ]


def known(now: datetime) -> "ModelSelect[EndpointPause]":
    """Select the pauses that hold, and those of which nobody has shown yet that they are over."""
    return EndpointPause.select().where(EndpointPause.until > now - FORGOTTEN)


def pause_of(endpoint: str, now: datetime) -> datetime | None:
    """Return until when an endpoint is not called, if it is paused."""
    holds = EndpointPause.select().where(
        EndpointPause.endpoint.in_((endpoint, EVERY_ENDPOINT)), EndpointPause.until > now
    )
    return max((pause.until for pause in holds), default=None)


def is_any_silent(now: datetime) -> bool:
    """Whether an endpoint gave no answer, and none of its calls has gone well since."""
    return known(now).where(EndpointPause.errcode.is_null()).exists()


def longest_outage(now: datetime) -> EndpointPause | None:
    """Return the pause that network errors keep up since the longest time, if it is an outage."""
    no_answer = EndpointPause.errcode.is_null() | (EndpointPause.errcode == SYSTEM_BUSY)
    lasting = [
        pause
        for pause in known(now).where(no_answer).order_by(EndpointPause.since)
        if pause.since and pause.until - pause.since >= OUTAGE
    ]
    return lasting[0] if lasting else None
