"""接替失败: a customer refused the takeover member, or that member is full."""

from bot.handover import handovers
from bot.kegui import Kegui
from bot.models import Handover, HandoverItem
from bot.models.handover import CUSTOMER, ITEM_IN_FLIGHT
from bot.router import Received, Router

router = Router()


@router.on("change_external_contact", "transfer_fail", needs=("ExternalUserID",))
def handover_failed(received: Received, kegui: Kegui) -> None:
    """Look at the running handovers of this customer now, rather than at the next poll.

    The event is a hint: which side ``UserID`` names is unconfirmed, so the customer decides
    which handover is meant, and WeCom's transfer_result says what happened.
    """
    for handover in (
        Handover.select()
        .join(HandoverItem)
        .where(
            HandoverItem.kind == CUSTOMER,
            HandoverItem.subject == received.event.external_userid,
            HandoverItem.state.in_(ITEM_IN_FLIGHT),
        )
        .distinct()
    ):
        handovers.wake_soon(handover, kegui)
