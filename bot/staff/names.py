"""What people call the members, customers and groups that a page speaks of."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.models import Customer, GroupChat, Staff


@dataclass(frozen=True)
class Names:
    """Names by identifier; who has none is shown by the identifier."""

    staff: dict[str, str] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    left: frozenset[str] = frozenset()

    def member(self, userid: str) -> str:
        return self.staff.get(userid) or userid

    def customer(self, external_userid: str) -> str:
        return self.customers.get(external_userid) or external_userid

    def group(self, chat_id: str) -> str:
        return self.groups.get(chat_id) or chat_id

    def has_left(self, userid: str) -> bool:
        return userid in self.left


def names_of(
    *,
    staff: Iterable[str | None] = (),
    customers: Iterable[str | None] = (),
    groups: Iterable[str | None] = (),
) -> Names:
    """Look up the names of these, one query for each kind."""
    members = {row.userid: row for row in Staff.select().where(Staff.userid.in_(_distinct(staff)))}
    known_customers = Customer.select(Customer.external_userid, Customer.name).where(
        Customer.external_userid.in_(_distinct(customers))
    )
    chat_ids = _distinct(groups)
    # Few pages name groups: where there are none, nothing is asked.
    known_groups = (
        GroupChat.select(GroupChat.chat_id, GroupChat.name).where(GroupChat.chat_id.in_(chat_ids))
        if chat_ids
        else ()
    )
    return Names(
        staff={userid: member.name for userid, member in members.items()},
        customers={row.external_userid: row.name for row in known_customers},
        groups={row.chat_id: row.name for row in known_groups},
        left=frozenset(userid for userid, member in members.items() if member.left_at is not None),
    )


def _distinct(identifiers: Iterable[str | None]) -> list[str]:
    return sorted({one for one in identifiers if one})
