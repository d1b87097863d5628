"""Running handovers are asked for again and again, until each customer is settled."""

from bot.handover import run
from bot.kegui import Kegui
from bot.queue import Lane


def wake_pending(kegui: Kegui) -> None:
    for handover_id in run.first_of_each():
        kegui.queue.wake(Lane.WORK, f"handover:{handover_id}")
