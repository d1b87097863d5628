"""What let somebody in ends with their leave."""

from bot.identity import leavers_access
from bot.kegui import Kegui


def take_access(kegui: Kegui) -> None:
    leavers_access.take_from_all(kegui)
