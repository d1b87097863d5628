"""The digest of customers whom members must tell by hand."""

from bot.consent import notices
from bot.kegui import Kegui


def send_digests(kegui: Kegui) -> None:
    notices.send_digests(kegui)
