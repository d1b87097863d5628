"""The conversation archive (会话内容存档), with the archive's own secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.wecom.answers import number, rows, text, texts
from bot.wecom.transport import Transport

PAIRS_IN_ONE_CALL = 100


@dataclass(frozen=True)
class Agreement:
    """What a customer answered about archiving to a member, or in a room where ``userid`` is "".

    ``state`` is WeCom's word: Agree, Disagree, and whatever else it may say.
    """

    userid: str
    external_userid: str
    state: str
    since: datetime


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

    def agreements(self, pairs: Sequence[tuple[str, str]]) -> list[Agreement]:
        """Read what customers answered to members (path 91782); pairs may be missing.

        Args:
            pairs: userid and external_userid, 1 to 100 of them.

        Raises:
            Refused: 301061: somebody of them does not exist.
        """
        if not 1 <= len(pairs) <= PAIRS_IN_ONE_CALL:
            raise ValueError(f"1 to {PAIRS_IN_ONE_CALL} pairs in a call")
        # Spelt so by WeCom.
        info = [{"userid": userid, "exteranalopenid": customer} for userid, customer in pairs]
        answer = self.transport.ask("msgaudit/check_single_agree", {"info": info}, "archive")
        listed = rows(answer, "agreeinfo", "userid", "exteranalopenid", "agree_status")
        return [_agreement(row) for row in listed]

    def agreements_in_room(self, chat_id: str) -> list[Agreement]:
        """Read what the customers of a group answered (path 91782)."""
        answer = self.transport.ask("msgaudit/check_room_agree", {"roomid": chat_id}, "archive")
        listed = rows(answer, "agreeinfo", "exteranalopenid", "agree_status")
        return [_agreement(row) for row in listed]


def _agreement(row: Mapping[str, Any]) -> Agreement:
    # Seconds, where the messages of the archive have milliseconds.
    since = datetime.fromtimestamp(max(0, number(row, "status_change_time")), UTC)
    customer = text(row, "exteranalopenid")
    return Agreement(text(row, "userid"), customer, text(row, "agree_status"), since)
