"""成员离职: the account of a member is gone, or may be."""

from bot.handover import leavers
from bot.kegui import Kegui
from bot.router import Received, Router

router = Router()


@router.on("change_contact", "delete_user", needs=("UserID",))
def staff_deleted(received: Received, kegui: Kegui) -> None:
    """The contacts say that the member is gone: hand over all that was theirs."""
    leavers.confirm_deleted(received.event.userid, source="delete_user", kegui=kegui)


@router.on("unsubscribe", needs=("FromUserName",))
def staff_out_of_range(received: Received, kegui: Kegui) -> None:
    """The member left, was disabled, or is only out of the app's range: WeCom is asked which."""
    leavers.confirm(received.event.from_user, source="unsubscribe", kegui=kegui)
