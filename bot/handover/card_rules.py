"""What may be decided by a click on a card inside WeCom, and what a click comes to."""

from enum import StrEnum

from bot.rights import is_small


class Outcome(StrEnum):
    """What came of a click; the texts are in config/notices.toml."""

    APPROVED = "approved"
    NO_RIGHT = "no_right"
    OWN_PROPOSAL = "own_proposal"
    DECIDED = "decided"
    CANCELLED = "cancelled"
    CHANGED = "changed"
    TOO_MANY = "too_many"


def refusal(
    *, may_approve: bool, is_cancelled: bool, is_open: bool, is_changed: bool, customers: int
) -> Outcome | None:
    """Decide whether a click may approve an offboarding; None: it may.

    Who has no right learns nothing else. Everything is as it stands at the moment of the click:
    what the card said when it was sent proves nothing.
    """
    if not may_approve:
        return Outcome.NO_RIGHT
    if is_cancelled:
        return Outcome.CANCELLED
    if not is_open:
        return Outcome.DECIDED
    if is_changed:
        return Outcome.CHANGED
    return None if is_small(customers) else Outcome.TOO_MANY
