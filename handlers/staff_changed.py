"""成员变更: a member joined, moved or was renamed, or came into the app's range."""

from bot.actions import staff
from bot.kegui import Kegui
from bot.router import Received, Router

router = Router()


@router.on("change_contact", "create_user", needs=("UserID",))
@router.on("change_contact", "update_user", needs=("UserID",))
def staff_changed(received: Received, kegui: Kegui) -> None:
    """Read the member: since 2022 the event carries little more than the userid (path 90970)."""
    event = received.event
    renamed = event.fields.get("NewUserID")
    userid = renamed if isinstance(renamed, str) and renamed else event.userid
    staff.look_again([userid], kegui)


@router.on("subscribe", needs=("FromUserName",))
def staff_in_range(received: Received, kegui: Kegui) -> None:
    """A member came into the app's visible range."""
    staff.look_again([received.event.from_user], kegui)
