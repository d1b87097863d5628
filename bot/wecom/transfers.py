"""Hand customers to another member (在职继承, 离职继承)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.wecom.answers import number, rows, text
from bot.wecom.customers import check_count, moment
from bot.wecom.errors import Refused
from bot.wecom.transport import Transport

CUSTOMERS_IN_ONE_CALL = 100
PAGE = 1000
BAD_CURSOR = 50100


@dataclass(frozen=True)
class TransferRow:
    """Where a transfer stands; ``status``: 1 done, 2 waiting, 3 refused, 4 takeover full."""

    external_userid: str
    status: int
    takeover_time: datetime | None


@dataclass(frozen=True)
class Unassigned:
    """A customer whose member has left."""

    handover_userid: str
    external_userid: str
    dimission_time: datetime


@dataclass(frozen=True)
class UnassignedPage:
    items: list[Unassigned]
    next_cursor: str


@dataclass
class Transfers:
    """Customers of members in service: begun at once, done within 24 hours unless refused."""

    transport: Transport

    def submit(
        self,
        handover_userid: str,
        takeover_userid: str,
        external_userids: Sequence[str],
        transfer_success_msg: str = "",
    ) -> dict[str, int]:
        """Begin to move customers of a member in service (path 92125).

        Args:
            external_userids: 1 to 100.
            transfer_success_msg: what the customer reads afterwards, at most 200 characters;
                empty: WeCom's own text.

        Returns:
            A code for each customer: 0 says begun, not done.
        """
        extra = {"transfer_success_msg": transfer_success_msg} if transfer_success_msg else {}
        return _submit(
            self.transport,
            "externalcontact/transfer_customer",
            handover_userid,
            takeover_userid,
            external_userids,
            extra,
        )

    def results(self, handover_userid: str, takeover_userid: str) -> list[TransferRow]:
        """Read how the transfers of a pair in service stand, all pages (path 94088)."""
        endpoint = "externalcontact/transfer_result"
        return list(_results(self.transport, endpoint, handover_userid, takeover_userid))


@dataclass
class Resigned:
    """Customers of members who have left, and how they come to others."""

    transport: Transport

    def submit(
        self, handover_userid: str, takeover_userid: str, external_userids: Sequence[str]
    ) -> dict[str, int]:
        """Begin to move customers of a member who has left (path 94081).

        Returns:
            A code for each customer: 0 says begun, not done.
        """
        return _submit(
            self.transport,
            "externalcontact/resigned/transfer_customer",
            handover_userid,
            takeover_userid,
            external_userids,
            {},
        )

    def results(self, handover_userid: str, takeover_userid: str) -> list[TransferRow]:
        """Read how the transfers from a member who has left stand, all pages (path 94082)."""
        endpoint = "externalcontact/resigned/transfer_result"
        return list(_results(self.transport, endpoint, handover_userid, takeover_userid))

    def unassigned(self) -> Iterator[Unassigned]:
        """Read all customers whose member has left."""
        cursor, restarted = "", False
        while True:
            try:
                page = self.unassigned_page(cursor)
            except Refused as refused:
                if refused.errcode != BAD_CURSOR or restarted:
                    raise
                cursor, restarted = "", True
                continue
            yield from page.items
            cursor = page.next_cursor
            if not cursor:
                return

    def unassigned_of(self, handover_userid: str) -> Iterator[Unassigned]:
        """List those of one leaver, however WeCom spells the userid."""
        spelled = handover_userid.lower()
        return (row for row in self.unassigned() if row.handover_userid.lower() == spelled)

    def unassigned_page(self, cursor: str = "") -> UnassignedPage:
        """Read one page of the customers whose member has left (path 92124).

        Raises:
            Refused: 50100: WeCom does not know the cursor any more.
        """
        body = {"page_size": PAGE, **({"cursor": cursor} if cursor else {})}
        answer = self.transport.ask("externalcontact/get_unassigned_list", body)
        items = [
            Unassigned(
                text(row, "handover_userid"),
                text(row, "external_userid"),
                moment(row.get("dimission_time")) or datetime.fromtimestamp(0, UTC),
            )
            for row in rows(answer, "info", "handover_userid", "external_userid")
        ]
        return UnassignedPage(items, text(answer, "next_cursor"))


def _submit(
    transport: Transport,
    endpoint: str,
    handover_userid: str,
    takeover_userid: str,
    external_userids: Sequence[str],
    extra: dict[str, Any],
) -> dict[str, int]:
    check_count(external_userids, CUSTOMERS_IN_ONE_CALL)
    answer = transport.act(
        endpoint,
        {
            "handover_userid": handover_userid,
            "takeover_userid": takeover_userid,
            "external_userid": list(external_userids),
            **extra,
        },
    )
    return {
        text(row, "external_userid"): number(row, "errcode")
        for row in rows(answer, "customer", "external_userid")
    }


def _results(
    transport: Transport, endpoint: str, handover_userid: str, takeover_userid: str
) -> Iterator[TransferRow]:
    cursor = ""
    while True:
        body = {"handover_userid": handover_userid, "takeover_userid": takeover_userid}
        answer = transport.ask(endpoint, {**body, **({"cursor": cursor} if cursor else {})})
        for row in rows(answer, "customer", "external_userid"):
            yield TransferRow(
                text(row, "external_userid"),
                number(row, "status"),
                moment(row.get("takeover_time")),
            )
        cursor = text(answer, "next_cursor")
        if not cursor:
            return
