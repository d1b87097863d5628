"""同意存档: a customer agreed that the conversation with a member is archived."""

from bot import clock
from bot.consent import notices
from bot.customers import customers
from bot.kegui import Kegui
from bot.models import Consent
from bot.models.consent import AGREED
from bot.queue import Lane
from bot.router import Received, Router

router = Router()
FAMILY = "change_external_contact"
NEEDS = ("UserID", "ExternalUserID")


@router.on(FAMILY, "msg_audit_approved", lane=Lane.WELCOME, needs=NEEDS)
def greet(received: Received, kegui: Kegui) -> None:
    """The agreement brings a welcome code of its own: the notice that had to wait goes out."""
    notices.send_consent_notice(received, kegui)


@router.on(FAMILY, "msg_audit_approved", needs=NEEDS)
def consent_given(received: Received, kegui: Kegui) -> None:
    """Record the agreement for this conversation, with the event as its evidence."""
    event = received.event
    customers.meet(received, kegui)
    Consent.record_answer(
        event.external_userid,
        event.userid,
        AGREED,
        since=event.created_at,
        event_id=received.id,
        recorded_at=clock.now(),
    )
