"""客户群变更: a customer group was made, changed or dismissed."""

from bot.actions import groups
from bot.kegui import Kegui
from bot.router import Received, Router

router = Router()
FAMILY = "change_external_chat"
NEEDS = ("ChatId",)


@router.on(FAMILY, "create", needs=NEEDS)
@router.on(FAMILY, "update", needs=NEEDS)
def group_changed(received: Received, kegui: Kegui) -> None:
    """Read the group again: events can be lost or out of order (path 92130)."""
    groups.read(received.event.chat_id, kegui)


@router.on(FAMILY, "dismiss", needs=NEEDS)
def group_dismissed(received: Received, kegui: Kegui) -> None:
    """Remember that the group is no more."""
    groups.dismissed(received.event.chat_id, received.event.created_at)
