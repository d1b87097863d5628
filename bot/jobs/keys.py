"""The vault's keys: what an upgrade or a rotation has begun is brought to its end."""

from bot.audit.log import Who
from bot.kegui import Kegui
from bot.operations import data_keys

CLOCK = Who("kegui:clock")
MOST_AT_ONCE = 20_000


def go_on(kegui: Kegui) -> None:
    """Seal anew what is sealed in an older way, some thousand values at a time."""
    data_key = kegui.settings.data_key
    if data_key is not None:
        data_keys.go_on(data_key.get_secret_value(), kegui.vault, CLOCK, MOST_AT_ONCE)
