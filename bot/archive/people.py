"""Who is behind an id: a member, a customer, a robot, or nobody knows (path 91774)."""

from collections.abc import Collection, Iterable, Mapping

from bot.archive.contents import EXTERNAL, UPDOWN
from bot.models import Consent, Customer, FormerUserid, Staff

STAFF, CUSTOMER, ROBOT, UNKNOWN = "staff", "customer", "robot", "unknown"
INTERNAL_CHAT, EXTERNAL_CHAT, UPDOWN_CHAT = "internal", "external", "updown"
# Observed of all ids of WeCom's that are no userid.
ID_LENGTH = 32
AT_ONCE = 500


def kind_of(ident: str, staff: Collection[str], customers: Collection[str]) -> str:
    """Return what an id is. A member's userid may begin with ``wm``: whom we know comes first.

    Args:
        staff: every userid that any member has or had.
        customers: external contacts that we have met.
    """
    if ident in staff:
        return STAFF
    if ident in customers:
        return CUSTOMER
    if len(ident) == ID_LENGTH:
        if ident.startswith("wb"):
            return ROBOT
        if ident.startswith(("wm", "wo")):
            return CUSTOMER
    return UNKNOWN


def kind_of_chat(msgid: str, people: Iterable[str], kinds: Mapping[str, str]) -> str:
    """Return whether a conversation leaves the firm; msgids often say so, and need not."""
    if msgid.endswith(UPDOWN):
        return UPDOWN_CHAT
    if msgid.endswith(EXTERNAL) or any(kinds.get(one) == CUSTOMER for one in people):
        return EXTERNAL_CHAT
    return INTERNAL_CHAT


def kinds_of(ids: Iterable[str]) -> dict[str, str]:
    """Look up what these ids are."""
    asked = sorted({one for one in ids if one})
    staff: set[str] = set()
    customers: set[str] = set()
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        staff |= {row.userid for row in Staff.select(Staff.userid).where(Staff.userid.in_(some))}
        former = FormerUserid.select(FormerUserid.former).where(FormerUserid.former.in_(some))
        staff |= {row.former for row in former}
        met = Customer.select(Customer.external_userid).where(Customer.external_userid.in_(some))
        customers |= {row.external_userid for row in met}
        # Whoever answered about archiving is one, whatever the id looks like.
        answered = Consent.select(Consent.external_userid).where(Consent.external_userid.in_(some))
        customers |= {row.external_userid for row in answered}
    return {one: kind_of(one, staff, customers) for one in asked}
