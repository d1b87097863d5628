"""「联系我」: make, change and delete contact ways, and mend those that name a leaver."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from bot import clock
from bot.audit.log import Who, without_phones
from bot.db import released, transaction
from bot.effects import Busy
from bot.handover.hand_work import leave_to_a_person
from bot.kegui import Kegui
from bot.models import ContactWay, Handover, HandoverItem, Lease, Staff
from bot.models.handover import CUSTOMER
from bot.staff import staff
from bot.wecom import ABOUT_ONE, Refused

log = structlog.get_logger(__name__)

UNKNOWN_CONFIG_ID = 41044


class Changed(Busy):
    """Somebody changes the contact way at this moment, or has since it was read."""


def make(
    userids: Sequence[str], state: str, remark: str, channel: str, by: Who, kegui: Kegui
) -> ContactWay:
    """Make a contact way in WeCom and keep its config_id, which WeCom shows nowhere.

    Raises:
        WeComError: WeCom did not make it.
    """
    _ask(by, "make", f"contact way {state}", kegui, userids=",".join(userids), channel=channel)
    with released():
        made = kegui.wecom.add_contact_way(list(userids), state, remark)
    now = clock.now()
    with transaction():
        way = ContactWay.create(
            config_id=made.config_id,
            qr_code=made.qr_code,
            userids=list(userids),
            state=state,
            remark=remark,
            channel=channel,
            created_at=now,
            updated_at=now,
        )
        kegui.audit.record(by, "contact_way.made", f"contact way {way.id}", state=state)
    return way


def change(
    way: ContactWay,
    by: Who,
    kegui: Kegui,
    *,
    userids: Sequence[str] | None = None,
    remark: str | None = None,
) -> ContactWay:
    """Change whom a contact way leads to, or its remark.

    Raises:
        WeComError: WeCom did not change it.
        Changed: it is not as it was when ``way`` was read.
    """
    with _alone(way) as fresh:
        if fresh.updated_at != way.updated_at:
            raise Changed(f"contact way {way.id}")
        return _change(fresh, by, kegui, userids, remark)


@contextmanager
def _alone(way: ContactWay) -> Iterator[ContactWay]:
    """Give a contact way as it is now, to one at a time: WeCom takes all its members at once.

    Raises:
        Changed: somebody else is at it, or has removed it.
    """
    with Lease.held(f"contact way {way.id}") as held:
        fresh: ContactWay | None = ContactWay.get_or_none(ContactWay.id == way.id)
        if not held or fresh is None:
            raise Changed(f"contact way {way.id}")
        yield fresh


def _change(
    way: ContactWay, by: Who, kegui: Kegui, userids: Sequence[str] | None, remark: str | None
) -> ContactWay:
    wanted = None if userids is None else ",".join(userids)
    _ask(
        by,
        "change",
        f"contact way {way.id}",
        kegui,
        userids=wanted,
        remark=None if remark is None else without_phones(remark),
    )
    with released():
        kegui.wecom.update_contact_way(
            way.config_id, list(way.userids if userids is None else userids), remark=remark
        )
    changes: dict[str, object] = {"updated_at": clock.now()}
    if userids is not None:
        changes["userids"] = list(userids)
    if remark is not None:
        changes["remark"] = remark
    ContactWay.update(**changes).where(ContactWay.id == way.id).execute()
    changed: ContactWay | None = ContactWay.get_or_none(ContactWay.id == way.id)
    if changed is None:
        raise Changed(f"contact way {way.id}")
    return changed


def remove(way: ContactWay, by: Who, kegui: Kegui) -> None:
    """Delete a contact way in WeCom and here; one that WeCom has no more is gone already.

    Raises:
        WeComError: WeCom did not delete it.
        Changed: somebody is at it at this moment, or has removed it.
    """
    with _alone(way) as fresh:
        _ask(by, "remove", f"contact way {fresh.id}", kegui, state=fresh.state)
        try:
            with released():
                kegui.wecom.delete_contact_way(fresh.config_id)
        except Refused as refused:
            if refused.errcode != UNKNOWN_CONFIG_ID:
                raise
        fresh.delete_instance()


def _ask(by: Who, verb: str, subject: str, kegui: Kegui, /, **details: object) -> None:
    """Write down what WeCom will be asked for: its call stands in no transaction of ours."""
    with transaction():
        kegui.audit.record(by, f"contact_way.{verb}", subject, **details)


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
        with _alone(read) as way:
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
        leave_to_a_person(handover, "contact_way", way.config_id, "没有可接替的成员，请手工处理")
        return
    try:
        _change(way, Who(handover.subject), kegui, userids, None)
    except ABOUT_ONE as error:
        text = f"企业微信拒绝修改（{error.errcode}），请手工处理"
        if error.errcode is None:
            text = "企业微信的应答无法读取，请手工核对该联系我是否已修改"
        leave_to_a_person(handover, "contact_way", way.config_id, text)


def _list_foreign(handover: Handover, ours: set[str], kegui: Kegui) -> None:
    with released():
        foreign = [one for one in kegui.wecom.contact_way_ids() if one not in ours]
    for config_id in foreign:
        try:
            with released():
                way = kegui.wecom.contact_way(config_id)
        except ABOUT_ONE as error:
            log.info("contact_way_not_ours", errcode=error.errcode)
            continue
        if handover.userid in Staff.each_spelled(way.userids or ()):
            # WeCom's own console does not show ways that an API made (path 92228).
            name = way.remark or way.state or config_id
            text = f"联系我“{name}”不是由客规创建，请在创建它的系统中移除离职成员"
            leave_to_a_person(handover, "contact_way", config_id, text)
