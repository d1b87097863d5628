"""Know a customer: remembered at the first event, named as WeCom names them."""

import structlog

from bot.db import released
from bot.kegui import Kegui
from bot.models import Customer
from bot.router import Received
from bot.wecom import WeComError

log = structlog.get_logger(__name__)


def meet(received: Received, kegui: Kegui) -> Customer:
    """Remember the customer of an event, and read name and type if WeCom shows them.

    The name is a convenience for people: when WeCom cannot be asked, or shows nothing of a
    half contact, the event's story goes on and the nightly reading fills it in.
    """
    event = received.event
    customer = Customer.meet(
        event.external_userid, channel=event.state, met_at=received.received_at
    )
    try:
        with released():
            detail = kegui.wecom.customer(event.external_userid)
    except WeComError as error:
        log.info("customer_not_readable", errcode=error.errcode)
        return customer
    customer.name, customer.type = detail.name, detail.type
    customer.save(only=[Customer.name, Customer.type])
    return customer
