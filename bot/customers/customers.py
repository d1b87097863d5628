"""Know a customer: remembered at the first event, named as WeCom names them."""

import structlog

from bot import clock
from bot.alarms import raise_alarm_for
from bot.db import released
from bot.events import Event
from bot.kegui import Kegui
from bot.models import Customer, Relation, Staff
from bot.models.customer import RELATION_ACTIVE
from bot.router import Received
from bot.wecom import WeComError

log = structlog.get_logger(__name__)


def meet(received: Received, kegui: Kegui) -> Customer:
    """Remember the customer of an event, and read what WeCom shows: name, type, other members.

    All that is a convenience: when WeCom cannot be asked, or shows nothing of a half contact,
    the event's story goes on and the nightly reading fills it in.
    """
    event = received.event
    customer = Customer.meet(
        event.external_userid, channel=event.state, met_at=received.received_at
    )
    if event.state and not customer.channel and not _knows_another(event):
        # Events come in any order: one that names no channel was handled first.
        customer.channel = event.state
        customer.save(only=[Customer.channel])
    try:
        with released():
            detail = kegui.wecom.customers.get(event.external_userid)
    except WeComError as error:
        raise_alarm_for(error, kegui)
        log.info("customer_not_readable", errcode=error.errcode)
        return customer
    # What the answer lacks says nothing against what is known.
    customer.name, customer.type = detail.name or customer.name, detail.type or customer.type
    tags = {tag for contact in detail.follow_users for tag in contact.tags}
    customer.tags = sorted(tags)
    customer.save(only=[Customer.name, Customer.type, Customer.tags])
    spelled = Staff.spellings([contact.userid for contact in detail.follow_users])
    for contact in detail.follow_users:
        userid = spelled[contact.userid]
        # A member of whom no event spoke: callbacks are not guaranteed.
        if userid.lower() != event.userid.lower():
            Relation.begin(
                event.external_userid,
                userid,
                state=RELATION_ACTIVE,
                source="repair",
                at=contact.createtime,
                noted_at=clock.now(),
                channel=contact.state,
            )
    return customer


def _knows_another(event: Event) -> bool:
    """Whether the customer is, or was, in contact with another member than the event's."""
    others = Relation.select().where(
        Relation.external_userid == event.external_userid, Relation.userid != event.userid
    )
    return bool(others.exists())
