"""A member who might look after a customer, as the rules see them."""

from collections.abc import Sequence
from dataclasses import dataclass

# Why a member gets no customer; their words stand in bot/staff/words.py.
NOT_ACTIVE = "not_active"
NOT_SERVING = "not_serving"
LEAVING = "leaving"
LEAVE = "leave"
OFF_DUTY = "off_duty"
FULL = "full"
UNKNOWN_MEMBER = "unknown_member"


@dataclass(frozen=True)
class Candidate:
    """A member who might own a customer. ``capacity`` None: WeCom's own limit decides."""

    userid: str
    departments: Sequence[int] = ()
    customers: int = 0
    capacity: int | None = None
    # The code of why the member may own nobody now (left, on leave, ...), or "".
    unfit: str = ""

    @property
    def has_room(self) -> bool:
        return self.capacity is None or self.customers < self.capacity

    @property
    def exclusion(self) -> str:
        """The code of why this member gets no customer, or ""."""
        return self.unfit or ("" if self.has_room else FULL)
