"""The codes that lead to a leaver lead to somebody else."""

import structlog

from bot.audit.log import Who
from bot.channels.contact_ways import alone, change_held
from bot.db import released
from bot.handover.hand_work import leave_to_a_person
from bot.kegui import Kegui
from bot.models import ContactWay, Handover, HandoverItem, Staff
from bot.models.handover import CUSTOMER
from bot.reason import Reason
from bot.staff import staff
from bot.wecom import ABOUT_ONE

log = structlog.get_logger(__name__)


def replace_leaver(handover: Handover, kegui: Kegui) -> None:
    """Take the leaver out of every contact way that Kegui made; list the others for a person.

    A way that would lead to nobody leads to the members who took over the leaver's customers.

    Raises:
        WeComError, Changed: not all is done; repeating is safe.
    """
    heirs = _heirs(handover, kegui)
    ours = list(ContactWay.select())
    for read in ours:
        if handover.userid not in read.userids:
            continue
        # Perhaps a colleague leaves at the same moment, or a manager has just changed it.
        with alone(read) as way:
            if handover.userid in way.userids:
                rest = [userid for userid in way.userids if userid != handover.userid]
                _replace(handover, way, rest or heirs, kegui)
    _list_foreign(handover, {way.config_id for way in ours}, kegui)


def _heirs(handover: Handover, kegui: Kegui) -> list[str]:
    """The members who take over, or else the fit ones of the leaver's department."""
    taking = {
        str(item.takeover_userid)
        for item in HandoverItem.select(HandoverItem.takeover_userid).where(
            HandoverItem.handover == handover,
            HandoverItem.kind == CUSTOMER,
            HandoverItem.takeover_userid.is_null(False),
        )
    }
    if taking:
        return sorted(taking)[:100]
    named = handover.successors or None
    return [one.userid for one in staff.candidates(kegui, named) if not one.unfit][:1]


def _replace(handover: Handover, way: ContactWay, userids: list[str], kegui: Kegui) -> None:
    if not userids:
        leave_to_a_person(handover, "contact_way", way.config_id, Reason("way_leads_to_nobody"))
        return
    try:
        change_held(way, Who(handover.subject), kegui, userids, None)
    except ABOUT_ONE as error:
        reason = Reason("way_change_refused", {"errcode": error.errcode})
        if error.errcode is None:
            reason = Reason("way_change_unreadable")
        leave_to_a_person(handover, "contact_way", way.config_id, reason)


def _list_foreign(handover: Handover, ours: set[str], kegui: Kegui) -> None:
    with released():
        foreign = [one for one in kegui.wecom.contact_ways.ids() if one not in ours]
    for config_id in foreign:
        try:
            with released():
                way = kegui.wecom.contact_ways.get(config_id)
        except ABOUT_ONE as error:
            log.info("contact_way_not_ours", errcode=error.errcode)
            continue
        if handover.userid in Staff.each_spelled(way.userids or ()):
            # WeCom's own console does not show ways that an API made (path 92228).
            name = way.remark or way.state or config_id
            reason = Reason("way_is_not_ours", {"way": name})
            leave_to_a_person(handover, "contact_way", config_id, reason)
