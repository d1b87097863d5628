"""Which events are the consequence of a handover of ours, and not news of their own."""

from datetime import timedelta

from bot import clock
from bot.events import Event
from bot.models import HandoverItem, TransferAttempt
from bot.models.handover import CUSTOMER, DONE, ITEM_IN_FLIGHT

# WeCom promises no order and no delay for the events that follow a transfer.
RECENT = timedelta(days=3)


def explains(event: Event) -> bool:
    """Whether an add event is the takeover member getting a customer of a handover."""
    return item_for(event.external_userid, event.userid) is not None


def item_for(external_userid: str, takeover_userid: str) -> HandoverItem | None:
    """Return the running or just finished item that gives this customer to this member."""
    recent = clock.now() - RECENT
    return (
        HandoverItem.select()
        .join(TransferAttempt)
        .where(
            HandoverItem.kind == CUSTOMER,
            HandoverItem.subject == external_userid,
            HandoverItem.takeover_userid == takeover_userid,
            TransferAttempt.takeover_userid == takeover_userid,
            HandoverItem.state.in_(ITEM_IN_FLIGHT)
            | ((HandoverItem.state == DONE) & (HandoverItem.updated_at > recent)),
        )
        .order_by(HandoverItem.id.desc())
        .first()
    )
