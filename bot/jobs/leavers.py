"""What let somebody in ends with their leave."""

from bot.actions import lost_access
from bot.kegui import Kegui


def take_access(kegui: Kegui) -> None:
    lost_access.take_from_all(kegui)
