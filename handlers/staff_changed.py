"""成员变更: a member joined, moved or was renamed, or came into the app's range."""

from bot.kegui import Kegui
from bot.router import Received, Router, is_id
from bot.staff import staff
from bot.sync import renames

router = Router()


@router.on("change_contact", "create_user", needs=("UserID",))
def staff_joined(received: Received, kegui: Kegui) -> None:
    """Read the member: since 2022 the event carries little more than the userid (path 90970)."""
    staff.look_again([received.event.userid], kegui)


@router.on("change_contact", "update_user", needs=("UserID",))
def staff_changed(received: Received, kegui: Kegui) -> None:
    """Read the member; with a new userid, all that was theirs goes with them first."""
    event = received.event
    userid = event.userid
    if is_id(event.new_userid):
        at = min(event.created_at, received.received_at)
        userid = renames.rename(userid, event.new_userid, at, renames.BY_WECOM, kegui)
    staff.look_again([userid], kegui)


@router.on("subscribe", needs=("FromUserName",))
def staff_in_range(received: Received, kegui: Kegui) -> None:
    """A member came into the app's visible range."""
    staff.look_again([received.event.from_user], kegui)
