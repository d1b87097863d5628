"""What lets somebody in is what Kegui wrote."""

from bot.identity import access_rows
from bot.kegui import Kegui


def look_for_forged(kegui: Kegui) -> None:
    access_rows.look_for_forged(kegui)
