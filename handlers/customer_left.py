"""删除客户、被客户删除: a member and a customer are contacts no more."""

from bot.kegui import Kegui
from bot.models import Relation
from bot.router import Received, Router

router = Router()
FAMILY = "change_external_contact"
NEEDS = ("UserID", "ExternalUserID")
BY_TRANSFER = "DELETE_BY_TRANSFER"


@router.on(FAMILY, "del_external_contact", needs=NEEDS)
def deleted_by_member(received: Received, kegui: Kegui) -> None:
    """The member deleted the customer, or a finished transfer did it for both.

    The ownership stays: a member who deletes a customer does not give the customer away. A
    transfer moves it when WeCom's own result says done.
    """
    end = "transferred" if received.event.source == BY_TRANSFER else "deleted_by_member"
    _finish(received, end)


@router.on(FAMILY, "del_follow_user", needs=NEEDS)
def deleted_by_customer(received: Received, kegui: Kegui) -> None:
    """The customer deleted the member."""
    _finish(received, "deleted_by_customer")


def _finish(received: Received, end: str) -> None:
    event = received.event
    Relation.finish(
        event.external_userid,
        event.userid,
        at=event.created_at,
        end=end,
        noted_at=received.received_at,
    )
