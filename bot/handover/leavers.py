"""Find out whether a member has left, when nothing says so outright."""

import structlog

from bot.db import released
from bot.handover import handovers
from bot.kegui import Kegui
from bot.models.staff import LEFT
from bot.staff import staff
from bot.wecom import ABOUT_ONE

log = structlog.get_logger(__name__)
OWNER_LEFT = 1

# How a member stands.
GONE = "gone"
HERE = "here"
NOT_SHOWN = "not_shown"


def confirm(userid: str, *, source: str, kegui: Kegui) -> bool:
    """Open the handover if WeCom confirms that the member has left."""
    standing = find_out(userid, kegui)
    if standing == GONE:
        handovers.begin_for_leaver(userid, source=source, kegui=kegui)
    elif standing == NOT_SHOWN:
        log.info("leave_not_confirmed", source=source)
    return standing == GONE


def confirm_deleted(userid: str, *, source: str, kegui: Kegui) -> None:
    """Open the handover of a member who was deleted, unless WeCom shows them in service.

    The event may come late or twice, and the account may have been made anew since; what is
    transferred cannot be called back. If WeCom is behind its own event, the hourly look at what
    waits for heirs finds the leaver.
    """
    user = staff.refresh(userid, kegui)
    if user is not None and user.status != LEFT:
        log.info("leave_not_confirmed", source=source)
        return
    handovers.begin_for_leaver(userid, source=source, kegui=kegui)


def find_out(userid: str, kegui: Kegui) -> str:
    """Ask WeCom whether a member is gone, here, or merely not shown.

    Not being shown is no proof: the member may be out of the app's range. Proof is status 5, or
    customers or groups of theirs among those that wait for a new member (path 92124, 92120).
    """
    user = staff.refresh(userid, kegui)
    if user is not None:
        return GONE if user.status == LEFT else HERE
    return GONE if _is_waiting_for_heirs(userid, kegui) else NOT_SHOWN


def _is_waiting_for_heirs(userid: str, kegui: Kegui) -> bool:
    with released():
        if any(kegui.wecom.resigned.unassigned_of(userid)):
            return True
        try:
            return any(group.status == OWNER_LEFT for group in kegui.wecom.groups.owned_by(userid))
        except ABOUT_ONE:
            return False
