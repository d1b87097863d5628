"""What a running process holds in its hands: settings, WeCom, queue, vault."""

from dataclasses import dataclass

from bot.queue import Queue
from bot.vault import Vault
from bot.wecom import WeCom
from config.settings import Settings


@dataclass(frozen=True)
class Kegui:
    """Made once in ``bot.cli`` or ``bot.app`` and passed to whoever acts."""

    settings: Settings
    wecom: WeCom
    queue: Queue
    vault: Vault
