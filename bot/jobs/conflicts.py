"""Settled conflicts of which somebody has not heard yet."""

from bot.customers import conflicts
from bot.kegui import Kegui
from bot.queue import Lane


def wake_untold(kegui: Kegui) -> None:
    for conflict_id in conflicts.untold():
        kegui.queue.wake(Lane.WORK, f"conflict:{conflict_id}")
