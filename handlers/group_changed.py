"""客户群变更: a customer group was made, changed or dismissed."""

from datetime import timedelta

from bot import clock
from bot.customers import groups
from bot.inbox.inbox import Later
from bot.inbox.words import GROUP_COMES_LATER
from bot.kegui import Kegui
from bot.reason import Reason
from bot.router import Received, Router

router = Router()
FAMILY = "change_external_chat"
NEEDS = ("ChatId",)
# Part of a group is written about two seconds after its event (path 92130).
SETTLES = timedelta(seconds=3)


@router.on(FAMILY, "create", needs=NEEDS)
@router.on(FAMILY, "update", needs=NEEDS)
def group_changed(received: Received, kegui: Kegui) -> None:
    """Read the group again when it has settled: events can be lost or out of order (path 92130).

    A group of which nothing is known is read at once, and then again.
    """
    chat_id = received.event.chat_id
    settles_at = received.received_at + SETTLES
    waits = clock.now() < settles_at
    if not waits or not groups.is_known(chat_id):
        groups.read(chat_id, kegui)
    if waits:
        raise Later(settles_at, Reason(GROUP_COMES_LATER))


@router.on(FAMILY, "dismiss", needs=NEEDS)
def group_dismissed(received: Received, kegui: Kegui) -> None:
    """Remember that the group is no more."""
    groups.dismissed(received.event.chat_id, received.event.created_at)
