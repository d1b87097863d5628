"""编辑客户: a member changed a customer's remark or tags; the event does not say what."""

from bot.customers import customers
from bot.kegui import Kegui
from bot.router import Received, Router

router = Router()


@router.on("change_external_contact", "edit_external_contact", needs=("ExternalUserID",))
def customer_changed(received: Received, kegui: Kegui) -> None:
    """Read the customer again: the event carries no difference (path 92130)."""
    customers.meet(received, kegui)
