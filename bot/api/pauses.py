"""暂停: endpoints of WeCom that nobody calls for a while, why, and until when."""

from datetime import datetime
from typing import Any

from apiflask import APIBlueprint

from bot import clock
from bot.api import context
from bot.api.auth import READ, needs
from bot.api.problems import Problem
from bot.api.schemas import Shown
from bot.models import EndpointPause
from bot.operations import pauses
from bot.wecom.pause_list import known

# Whoever may replay events may also let them go on.
SCOPE = "events"

blueprint = APIBlueprint("pauses", __name__, url_prefix="/pauses", tag="Pauses")


class PauseOut(Shown):
    name: str
    secret_name: str
    endpoint: str
    since: datetime | None
    until: datetime
    reason: str
    errcode: int | None
    failures: int


class PausesOut(Shown):
    items: list[PauseOut]
    next_cursor: None = None


class LiftedOut(Shown):
    name: str
    woken_events: int


@blueprint.get("")
@needs(READ)
@blueprint.output(PausesOut)
def index() -> dict[str, Any]:
    """List pauses, the last to end first; one in the past waits for a call that goes well."""
    rows = known(clock.now()).order_by(EndpointPause.until.desc())
    return {"items": list(rows), "next_cursor": None}


@blueprint.post("/<path:name>/lift")
@needs(SCOPE)
@blueprint.output(LiftedOut)
def lift(name: str) -> dict[str, Any]:
    """Let the next call try at once, after what WeCom refused was mended."""
    pause = EndpointPause.get_or_none(EndpointPause.name == name)
    if pause is None:
        raise Problem(
            404,
            "not-found",
            "没有这个暂停：它可能已经结束",
            "there is no such pause: it may be over already",
        )
    return {"name": pause.name, "woken_events": pauses.lift(pause, context.who(), context.kegui())}
