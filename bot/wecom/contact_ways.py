"""「联系我」: QR codes that lead a customer to members."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.wecom.answers import number, part, rows, text, texts
from bot.wecom.customers import check_count
from bot.wecom.errors import Transient
from bot.wecom.transport import Transport

ADD = "externalcontact/add_contact_way"
MEMBERS_OF_ONE = 100
REMARK_CHARACTERS = STATE_CHARACTERS = 30
PAGE = 1000
MULTIPLE = 2
QR_CODE = 2
# 2021-07-10 in China: WeCom lists no way that was made before.
EARLIEST = datetime(2021, 7, 9, 16, tzinfo=UTC)


@dataclass(frozen=True)
class ContactWayMade:
    config_id: str
    qr_code: str


@dataclass(frozen=True)
class ContactWayDetail:
    """``userids`` None: the answer did not say."""

    config_id: str
    type: int
    scene: int
    remark: str
    state: str
    userids: tuple[str, ...] | None
    qr_code: str


@dataclass
class ContactWays:
    """Ways made by the API: the admin console does not show them (path 92228)."""

    transport: Transport

    def add(self, userids: Sequence[str], state: str, remark: str = "") -> ContactWayMade:
        """Make a QR code for one member, or for up to 100.

        Args:
            state: at most 30 characters; comes back in the add event.
        """
        check_count(userids, MEMBERS_OF_ONE)
        answer = self.transport.act(
            ADD,
            {
                # Also for one member: the type can never be changed, the members can.
                "type": MULTIPLE,
                "scene": QR_CODE,
                "remark": remark,
                "skip_verify": True,
                "state": state,
                "user": list(userids),
            },
        )
        config_id = text(answer, "config_id")
        if not config_id:
            raise Transient(ADD, None, "no config_id in the answer", maybe_executed=True)
        return ContactWayMade(config_id, text(answer, "qr_code"))

    def get(self, config_id: str) -> ContactWayDetail:
        """Read one way."""
        answer = self.transport.ask("externalcontact/get_contact_way", {"config_id": config_id})
        row = part(answer, "contact_way")
        return ContactWayDetail(
            config_id=text(row, "config_id", config_id),
            type=number(row, "type"),
            scene=number(row, "scene"),
            remark=text(row, "remark")[:REMARK_CHARACTERS],
            state=text(row, "state")[:STATE_CHARACTERS],
            userids=tuple(texts(row, "user")) if "user" in row else None,
            qr_code=text(row, "qr_code"),
        )

    def ids(self) -> Iterator[str]:
        """List all ways that WeCom lists; by itself it would begin 90 days ago."""
        start, cursor = int(EARLIEST.timestamp()), ""
        while True:
            body: dict[str, Any] = {"start_time": start, "limit": PAGE}
            if cursor:
                body["cursor"] = cursor
            answer = self.transport.ask("externalcontact/list_contact_way", body)
            yield from (text(row, "config_id") for row in rows(answer, "contact_way", "config_id"))
            cursor = text(answer, "next_cursor")
            if not cursor:
                return

    def update(
        self,
        config_id: str,
        userids: Sequence[str],
        *,
        remark: str | None = None,
    ) -> None:
        """Overwrite the members, and the remark where given."""
        check_count(userids, MEMBERS_OF_ONE)
        named = {} if remark is None else {"remark": remark}
        self.transport.act(
            "externalcontact/update_contact_way",
            {"config_id": config_id, "user": list(userids), **named},
        )

    def delete(self, config_id: str) -> None:
        """Delete a way; its QR code leads nowhere then."""
        self.transport.act("externalcontact/del_contact_way", {"config_id": config_id})
