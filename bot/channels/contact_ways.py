"""「联系我」: make, change and delete contact ways, and mend those that name a leaver."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from bot import clock
from bot.audit.log import Who, without_phones
from bot.db import released, transaction
from bot.effects import Busy
from bot.kegui import Kegui
from bot.models import ContactWay, Lease
from bot.wecom import Refused

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
        made = kegui.wecom.contact_ways.add(list(userids), state, remark)
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
    with alone(way) as fresh:
        if fresh.updated_at != way.updated_at:
            raise Changed(f"contact way {way.id}")
        return change_held(fresh, by, kegui, userids, remark)


@contextmanager
def alone(way: ContactWay) -> Iterator[ContactWay]:
    """Give a contact way as it is now, to one at a time: WeCom takes all its members at once.

    Raises:
        Changed: somebody else is at it, or has removed it.
    """
    with Lease.held(f"contact way {way.id}") as held:
        fresh: ContactWay | None = ContactWay.get_or_none(ContactWay.id == way.id)
        if not held or fresh is None:
            raise Changed(f"contact way {way.id}")
        yield fresh


def change_held(
    way: ContactWay, by: Who, kegui: Kegui, userids: Sequence[str] | None, remark: str | None
) -> ContactWay:
    """Change a contact way that the caller has to itself (see ``alone``); errors as ``change``."""
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
        kegui.wecom.contact_ways.update(
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
    with alone(way) as fresh:
        _ask(by, "remove", f"contact way {fresh.id}", kegui, state=fresh.state)
        try:
            with released():
                kegui.wecom.contact_ways.delete(fresh.config_id)
        except Refused as refused:
            if refused.errcode != UNKNOWN_CONFIG_ID:
                raise
        fresh.delete_instance()


def _ask(by: Who, verb: str, subject: str, kegui: Kegui, /, **details: object) -> None:
    """Write down what WeCom will be asked for: its call stands in no transaction of ours."""
    with transaction():
        kegui.audit.record(by, f"contact_way.{verb}", subject, **details)
