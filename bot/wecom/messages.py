"""App messages to members."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.wecom.customers import check_count
from bot.wecom.errors import OperatorNeeded
from bot.wecom.transport import Transport

TEXT_BYTES = 2048
RECIPIENTS = 1000


@dataclass(frozen=True)
class MessageResult:
    msgid: str
    invalid_userids: tuple[str, ...]


class Messages(Transport):
    """What the app says to members of the corporation."""

    agent_id: int | None = None

    def send_message(
        self, userids: Sequence[str], text: str, *, duplicate_check_seconds: int = 1800
    ) -> MessageResult:
        """Send a text (path 90236); WeCom drops the very same one within the checked time.

        Args:
            userids: 1 to 1000.
            text: cut at 2048 bytes, never inside a character.

        Raises:
            Refused: 81013: none of the members can be reached.
        """
        check_count(userids, RECIPIENTS)
        if self.agent_id is None:
            raise OperatorNeeded("message/send", None, what_to_do="请设置 KEGUI_AGENT_ID")
        answer = self.act(
            "message/send",
            {
                "touser": "|".join(userids),
                "msgtype": "text",
                "agentid": self.agent_id,
                "text": {"content": cut(text, TEXT_BYTES)},
                "enable_duplicate_check": 1,
                "duplicate_check_interval": duplicate_check_seconds,
            },
        )
        invalid = str(answer.get("invaliduser") or "")
        return MessageResult(str(answer.get("msgid", "")), tuple(filter(None, invalid.split("|"))))


def cut(text: str, most: int) -> str:
    """Shorten a text to ``most`` UTF-8 bytes without breaking a character."""
    return text.encode()[:most].decode(errors="ignore")
