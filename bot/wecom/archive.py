"""The conversation archive (会话内容存档), with the archive's own secret."""

from dataclasses import dataclass

from bot.wecom.answers import texts
from bot.wecom.transport import Transport


@dataclass
class Archive:
    """What the archive's secret may read over HTTP."""

    transport: Transport

    def members(self) -> list[str]:
        """Read whose conversations are archived at present (path 91614).

        Raises:
            OperatorNeeded: 301052, 301053: the archive has expired or was never opened.
        """
        return texts(self.transport.ask("msgaudit/get_permit_user_list", {}, "archive"), "ids")
