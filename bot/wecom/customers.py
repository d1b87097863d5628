"""Customers, their members, remarks and the welcome (客户联系)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.wecom.answers import STATE_CHARACTERS, name_in, number, part, rows, text, texts
from bot.wecom.budgets import WELCOME
from bot.wecom.errors import Refused
from bot.wecom.transport import Transport

NO_RELATION = 84061
PAGE = 100
# Of the text of a welcome (path 92137).
WELCOME_BYTES = 4000


@dataclass(frozen=True)
class FollowUser:
    """One member's contact with a customer; ``add_way`` by WeCom's table (path 92114).

    ``tags``: the names of those that the member gave the customer, where the answer has names.
    """

    userid: str
    remark: str
    createtime: datetime
    state: str
    add_way: int
    oper_userid: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class CustomerDetail:
    external_userid: str
    name: str
    type: int
    follow_users: tuple[FollowUser, ...]


@dataclass(frozen=True)
class CustomerOfMember:
    """A customer as one member sees them."""

    external_userid: str
    name: str
    type: int
    follow_user: FollowUser


@dataclass(frozen=True)
class Page:
    items: list[CustomerOfMember]
    next_cursor: str


@dataclass
class Customers:
    """The corporation's external contacts."""

    transport: Transport

    def follow_users(self) -> list[str]:
        """Read who has 客户联系 within the app's visible range (path 92571)."""
        return texts(self.transport.read("externalcontact/get_follow_user_list"), "follow_user")

    def ids_of(self, userid: str) -> list[str]:
        """Read the customers of a member (path 92113); one without any gives an empty list."""
        try:
            answer = self.transport.read("externalcontact/list", {"userid": userid})
        except Refused as refused:
            if refused.errcode == NO_RELATION:
                return []
            raise
        return texts(answer, "external_userid")

    def get(self, external_userid: str) -> CustomerDetail:
        """Read one customer with all visible members (path 92114)."""
        followers: list[FollowUser] = []
        for answer in self._pages_of(external_userid):
            followers += [_follow_user(row) for row in rows(answer, "follow_user", "userid")]
        contact = part(answer, "external_contact")
        return CustomerDetail(
            text(contact, "external_userid", external_userid),
            name_in(contact),
            number(contact, "type"),
            tuple(followers),
        )

    def phones_of(self, external_userid: str) -> dict[str, list[str]]:
        """Read the phone numbers that members noted of a customer, by member (path 92114)."""
        return {
            text(row, "userid"): texts(row, "remark_mobiles")
            for answer in self._pages_of(external_userid)
            for row in rows(answer, "follow_user", "userid")
        }

    def _pages_of(self, external_userid: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            query = {"external_userid": external_userid, **({"cursor": cursor} if cursor else {})}
            answer = self.transport.read("externalcontact/get", query)
            yield answer
            cursor = text(answer, "next_cursor") or None

    def batch_by_user(self, userid: str, cursor: str = "") -> Page:
        """Read one page of a member's customers with details (path 92994)."""
        body = {"userid_list": [userid], "cursor": cursor, "limit": PAGE}
        answer = self.transport.ask("externalcontact/batch/get_by_user", body)
        items = [
            CustomerOfMember(
                text(row["external_contact"], "external_userid"),
                name_in(row["external_contact"]),
                number(row["external_contact"], "type"),
                _follow_user(part(row, "follow_info"), userid),
            )
            for row in rows(answer, "external_contact_list", "external_contact.external_userid")
        ]
        return Page(items, text(answer, "next_cursor"))

    def send_welcome(self, welcome_code: str, text: str) -> None:
        """Send the welcome of one code: once, within 20 seconds of the event (path 92137).

        Raises:
            Refused: 41050, 41051, 41053: it was not, or cannot be, sent.
            Transient: 41096: another app is sending at this moment; or no answer came.
        """
        self.transport.act(WELCOME, {"welcome_code": welcome_code, "text": {"content": text}})


def _follow_user(row: Mapping[str, Any], userid: str = "") -> FollowUser:
    return FollowUser(
        userid=text(row, "userid", userid),
        remark=text(row, "remark"),
        createtime=moment(row.get("createtime")) or datetime.fromtimestamp(0, UTC),
        state=text(row, "state")[:STATE_CHARACTERS],
        add_way=number(row, "add_way"),
        oper_userid=text(row, "oper_userid"),
        tags=tuple(text(tag, "tag_name") for tag in rows(row, "tags", "tag_name")),
    )


def moment(seconds: Any) -> datetime | None:
    """Read WeCom's seconds; 0 and nonsense are no moment."""
    try:
        number = int(seconds)
        return datetime.fromtimestamp(number, UTC) if number > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def check_count(items: Sequence[object], most: int) -> None:
    """Raise ValueError for an empty list, or one that WeCom would refuse whole."""
    if not 1 <= len(items) <= most:
        raise ValueError(f"1 to {most} are allowed in one call, not {len(items)}")
