"""添加客户: a customer and a member have become contacts."""

from bot.allocation import allocate
from bot.consent import notices
from bot.customers import customers
from bot.handover import match
from bot.kegui import Kegui
from bot.models import Relation
from bot.models.customer import RELATION_ACTIVE, RELATION_HALF
from bot.queue import Lane
from bot.router import Received, Router

router = Router()
FAMILY = "change_external_contact"
NEEDS = ("UserID", "ExternalUserID")


@router.on(FAMILY, "add_external_contact", lane=Lane.WELCOME, needs=NEEDS)
@router.on(FAMILY, "add_half_external_contact", lane=Lane.WELCOME, needs=NEEDS)
def greet(received: Received, kegui: Kegui) -> None:
    """Send the consent notice, before anything else: the code lives 20 seconds, and once."""
    notices.send_consent_notice(received, kegui)


@router.on(FAMILY, "add_external_contact", needs=NEEDS)
@router.on(FAMILY, "add_half_external_contact", needs=NEEDS)
def customer_added(received: Received, kegui: Kegui) -> None:
    """Remember the contact and settle whose customer it is.

    An add that a handover of ours brought about is no new customer: no second notice, no
    conflict. Safe to repeat: every step knows what it did for this event.
    """
    event = received.event
    half = event.change_type == "add_half_external_contact"
    transferred = match.explains(received)
    customers.meet(received, kegui)
    Relation.begin(
        event.external_userid,
        event.userid,
        state=RELATION_HALF if half else RELATION_ACTIVE,
        source="transfer" if transferred else "event",
        at=event.created_at,
        noted_at=received.received_at,
        channel=event.state,
        is_add_event=not transferred,
    )
    if transferred:
        return
    if not event.welcome_code:
        notices.record_no_code(received)
    allocate.allocate(received, kegui)
