"""A member has another userid: which of two rows stands, and which two members may be one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.sync.rules import ENDED

# An event names its own second, and a list that of the contact.
SAME_MOMENT = timedelta(seconds=60)


@dataclass(frozen=True)
class Stretch:
    """A contact with a customer, as it stands under one of the two userids."""

    state: str
    added_at: datetime
    ended_at: datetime | None

    @property
    def latest(self) -> datetime:
        """When the last thing happened to it that we know of."""
        return self.ended_at if self.state == ENDED and self.ended_at else self.added_at


def former_one_stands(former: Stretch, present: Stretch) -> bool:
    """Whether the contact under the former userid is the one to keep.

    Of two that live the older one knows more: when it was noted, and what the customer was told.
    Else what happened last is true.
    """
    if former.state != ENDED and present.state != ENDED:
        return True
    return former.latest > present.latest


def may_be_one(shared: int, had: int) -> bool:
    """Whether a member who is not shown any more may be another who has ``shared`` of their
    ``had`` contacts, each begun at the same moment.

    No field of WeCom's tells a member of a self-built app for certain: ``open_userid`` is shown to
    third parties only (path 90196). So this is a question for a person, never a decision.
    """
    return shared > 0 and shared * 2 >= had


def replaced(value: Any, former: str, userid: str) -> Any:
    """Return JSON with one userid for another, wherever it is a whole text; in a list once."""
    if isinstance(value, dict):
        return {name: replaced(one, former, userid) for name, one in value.items()}
    if isinstance(value, list):
        new = [replaced(one, former, userid) for one in value]
        return [one for place, one in enumerate(new) if one != userid or userid not in new[:place]]
    return userid if value == former else value
