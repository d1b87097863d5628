"""产生会话回调事件: WeCom's archive has something new; the event says no more than that."""

from bot.archive import runner
from bot.kegui import Kegui
from bot.router import Received, Router

router = Router()


@router.on("msgaudit_notify")
def archive_notified(received: Received, _kegui: Kegui) -> None:
    """Wake the process that pulls; it pulls by its timer as well (path 95039)."""
    runner.ask_for_pull(received.received_at)
