"""Customer groups (客户群) and their owners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.wecom.answers import name_in, number, part, rows, text
from bot.wecom.customers import check_count, moment
from bot.wecom.transport import Transport

GROUPS_IN_ONE_CALL = 100
OWNERS_IN_ONE_CALL = 100
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


class Groups(Transport):
    """Groups whose owner is in the app's visible range."""

    def groups_of(self, owner_userid: str) -> list[GroupRow]:
        """Read the groups of one owner, in service or gone (path 92120)."""
        return self.all_groups([owner_userid])

    def all_groups(self, owner_userids: Sequence[str]) -> list[GroupRow]:
        """Read the groups of many owners, a hundred in a call."""
        groups: list[GroupRow] = []
        for start in range(0, len(owner_userids), OWNERS_IN_ONE_CALL):
            owners = list(owner_userids[start : start + OWNERS_IN_ONE_CALL])
            cursor = ""
            while True:
                body = {
                    "status_filter": 0,
                    "owner_filter": {"userid_list": owners},
                    "limit": PAGE,
                    **({"cursor": cursor} if cursor else {}),
                }
                answer = self.ask("externalcontact/groupchat/list", body)
                groups += [
                    GroupRow(text(row, "chat_id"), number(row, "status"))
                    for row in rows(answer, "group_chat_list", "chat_id")
                ]
                cursor = text(answer, "next_cursor")
                if not cursor:
                    break
        return groups

    def group(self, chat_id: str) -> Group:
        """Read one group with its members (path 92122)."""
        body = {"chat_id": chat_id, "need_name": 0}
        row = part(self.ask("externalcontact/groupchat/get", body), "group_chat")
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

    def transfer_groups(
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
        answer = self.act(
            f"externalcontact/groupchat/{name}",
            {"chat_id_list": list(chat_ids), "new_owner": new_owner},
        )
        return {
            text(row, "chat_id"): number(row, "errcode", -1)
            for row in rows(answer, "failed_chat_list", "chat_id")
        }
