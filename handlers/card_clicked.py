"""点击模板卡片: a member pressed a button of a card that we sent."""

from bot.handover import approval_cards
from bot.kegui import Kegui
from bot.router import Received, Router

router = Router()


@router.on("template_card_event", needs=("FromUserName",))
def card_clicked(received: Received, kegui: Kegui) -> None:
    """The event proves who clicked and which button: what that may do is looked up now."""
    approval_cards.answer_click(received, kegui)
