"""Customer groups (客户群) and their owners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.wecom.answers import name_in, number, part, rows, text
from bot.wecom.customers import check_count, moment
from bot.wecom.transport import Transport

GROUPS_IN_ONE_CALL = 100
PAGE = 1000


@dataclass(frozen=True)
class GroupRow:
    """``status``: 0 normal, 1 the owner has left, 2 being inherited, 3 inherited."""

    chat_id: str
    status: int


@dataclass(frozen=True)
class GroupMember:
    userid: str
    type: int


@dataclass(frozen=True)
class Group:
    """``name`` None and an empty ``owner``: the answer did not say."""

    chat_id: str
    name: str | None
    owner: str
    created_at: datetime | None
    members: tuple[GroupMember, ...]


@dataclass
class Groups:
    """Groups whose owner is in the app's visible range."""

    transport: Transport

    def owned_by(self, userid: str) -> list[GroupRow]:
        """Read the groups of one owner, in service or gone (path 92120)."""
        groups: list[GroupRow] = []
        cursor = ""
        while True:
            body = {
                "status_filter": 0,
                "owner_filter": {"userid_list": [userid]},
                "limit": PAGE,
                **({"cursor": cursor} if cursor else {}),
            }
            answer = self.transport.ask("externalcontact/groupchat/list", body)
            groups += [
                GroupRow(text(row, "chat_id"), number(row, "status"))
                for row in rows(answer, "group_chat_list", "chat_id")
            ]
            cursor = text(answer, "next_cursor")
            if not cursor:
                return groups

    def get(self, chat_id: str) -> Group:
        """Read one group with its members (path 92122)."""
        body = {"chat_id": chat_id, "need_name": 0}
        row = part(self.transport.ask("externalcontact/groupchat/get", body), "group_chat")
        return Group(
            chat_id=text(row, "chat_id", chat_id),
            name=None if row.get("name") is None else name_in(row),
            owner=text(row, "owner"),
            created_at=moment(row.get("create_time")),
            members=tuple(
                GroupMember(text(one, "userid"), number(one, "type"))
                for one in rows(row, "member_list", "userid")
            ),
        )

    def transfer(
        self, chat_ids: Sequence[str], new_owner: str, *, resigned: bool
    ) -> dict[str, int]:
        """Give groups to a new owner (path 92127 after a leave, 95703 in service).

        Args:
            chat_ids: 1 to 100.

        Returns:
            The groups that WeCom did not move, each with its code; empty: all moved.
        """
        check_count(chat_ids, GROUPS_IN_ONE_CALL)
        name = "transfer" if resigned else "onjob_transfer"
        answer = self.transport.act(
            f"externalcontact/groupchat/{name}",
            {"chat_id_list": list(chat_ids), "new_owner": new_owner},
        )
        return {
            text(row, "chat_id"): number(row, "errcode", -1)
            for row in rows(answer, "failed_chat_list", "chat_id")
        }
