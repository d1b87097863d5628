"""Which events are the consequence of a handover of ours, and not news of their own."""

from datetime import datetime, timedelta

from bot import clock
from bot.models import HandoverItem, TransferAttempt
from bot.models.handover import CUSTOMER, DONE, ITEM_IN_FLIGHT
from bot.router import Received

# WeCom promises no order and no delay for the events that follow a transfer.
RECENT = timedelta(days=3)
# The host that took the event and the host that began the transfer have a clock each.
CLOCKS_DIFFER = timedelta(seconds=2)


def explains(received: Received) -> bool:
    """Whether an add event is the takeover member getting a customer of a handover."""
    event = received.event
    return item_for(event.external_userid, event.userid, received.received_at) is not None


def item_for(
    external_userid: str, takeover_userid: str, received_at: datetime
) -> HandoverItem | None:
    """Return the running or just finished item that gives this customer to this member.

    Args:
        received_at: when the add event came. One that came before the transfer was asked for is
            not its consequence, also when it is handled only afterwards.
    """
    recent = clock.now() - RECENT
    return (
        HandoverItem.select()
        .join(TransferAttempt)
        .where(
            HandoverItem.kind == CUSTOMER,
            HandoverItem.subject == external_userid,
            HandoverItem.takeover_userid == takeover_userid,
            TransferAttempt.takeover_userid == takeover_userid,
            TransferAttempt.submitted_at <= received_at + CLOCKS_DIFFER,
            HandoverItem.state.in_(ITEM_IN_FLIGHT)
            | ((HandoverItem.state == DONE) & (HandoverItem.updated_at > recent)),
        )
        .order_by(HandoverItem.id.desc())
        .first()
    )
