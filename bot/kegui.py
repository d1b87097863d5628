"""What a running process holds in its hands: settings, WeCom, queue, vault."""

from dataclasses import dataclass
from functools import cached_property

from bot.audit.log import AuditLog
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

    @cached_property
    def audit(self) -> AuditLog:
        return AuditLog(self.vault)
