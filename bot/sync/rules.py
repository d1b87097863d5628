"""Compare what WeCom lists with what stands here, and decide what may be healed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.events import SETTLING

# Of customers and their members.
RELATION_UNKNOWN = "relation_unknown"
RELATION_ENDED = "relation_ended"
RELATION_LIVES = "relation_lives"
RELATION_BEGAN_ANEW = "relation_began_anew"
HALF_BECAME_WHOLE = "half_became_whole"
CHANNEL_CHANGED = "channel_changed"
NAME_CHANGED = "name_changed"
TYPE_CHANGED = "type_changed"
MEMBER_NOT_READABLE = "member_not_readable"
# Of owners.
OWNER_MISSING = "owner_missing"
SEVERAL_FOLLOWERS = "several_followers"
OWNER_WITHOUT_CONTACT = "owner_without_contact"
OWNER_GONE = "owner_gone"
# Of members.
MEMBER_JOINED = "member_joined"
MEMBER_RENAMED = "member_renamed"
MEMBER_MOVED = "member_moved"
MEMBER_STATUS = "member_status"
MEMBER_RETURNED = "member_returned"
MEMBER_SERVES = "member_serves"
MEMBER_SERVES_NO_MORE = "member_serves_no_more"
LEADER_CHANGED = "leader_changed"
MEMBER_LEFT = "member_left"
MEMBER_NOT_SHOWN = "member_not_shown"
MEMBER_MAYBE_RENAMED = "member_maybe_renamed"
MEMBER_WITHOUT_SERVICE = "member_without_service"
LEAVER_UNREPORTED = "leaver_unreported"
# Of departments.
DEPARTMENT_UNKNOWN = "department_unknown"
DEPARTMENT_RENAMED = "department_renamed"
DEPARTMENT_MOVED = "department_moved"
DEPARTMENT_LEADERS = "department_leaders"
DEPARTMENT_GONE = "department_gone"
# Of groups.
GROUP_UNKNOWN = "group_unknown"
GROUP_OWNER_CHANGED = "group_owner_changed"
GROUP_DISMISSED = "group_dismissed"
GROUP_LIVES = "group_lives"
GROUP_NOT_READABLE = "group_not_readable"
# Of what Kegui began at WeCom.
HANDOVER_FINISHED = "handover_finished"
CONTACT_WAY_GONE = "contact_way_gone"
CONTACT_WAY_CHANGED = "contact_way_changed"

NOT_READABLE = (MEMBER_NOT_READABLE, GROUP_NOT_READABLE)

ACTIVE, HALF, ENDED = "active", "half", "ended"
DELETED_BY_CUSTOMER = "deleted_by_customer"


@dataclass(frozen=True)
class Difference:
    """One thing that WeCom says otherwise; ``healed`` False: a person must act."""

    kind: str
    subject: str
    userid: str | None = None
    here: str = ""
    wecom: str = ""
    healed: bool = True


@dataclass(frozen=True)
class KnownRelation:
    """A contact as it stands here."""

    state: str
    channel: str
    added_at: datetime
    ended_at: datetime | None
    end: str | None


def relation_difference(
    known: KnownRelation | None, createtime: datetime, state: str, asked_at: datetime
) -> str | None:
    """Name the difference between a contact that WeCom lists and what stands here, or None.

    WeCom goes on listing a contact that the customer has ended (84061's help: a one-way relation
    stays), so a list says nothing against ``deleted_by_customer``.

    Args:
        createtime: when the listed contact began, by WeCom.
        state: the listed contact's channel.
        asked_at: when the page was asked for.
    """
    if known is None:
        return RELATION_UNKNOWN
    if known.state == HALF:
        return HALF_BECAME_WHOLE
    if known.state == ENDED and known.ended_at is not None:
        if createtime > known.ended_at:
            return RELATION_BEGAN_ANEW
        is_settled = known.ended_at < asked_at - SETTLING
        return RELATION_LIVES if known.end != DELETED_BY_CUSTOMER and is_settled else None
    if createtime > known.added_at + SETTLING:
        return RELATION_BEGAN_ANEW
    return CHANNEL_CHANGED if state and state != known.channel else None


@dataclass(frozen=True)
class Stray:
    """A customer whose owner is no contact any more, or has left."""

    owner_is_here: bool
    contacts: Sequence[str]
    fit: Sequence[str]
    in_conflict: bool


@dataclass(frozen=True)
class Heir:
    """Who gets a stray customer (None: nobody does), or what a person must look at."""

    userid: str | None
    kind: str | None


def heir_of(stray: Stray) -> Heir:
    """Give a stray customer to the only member in contact; anything less clear is a person's.

    An owner who is here and whose contact merely ended, with nobody else in contact, keeps the
    customer: that is no difference, a customer may come back.
    """
    kind = OWNER_WITHOUT_CONTACT if stray.owner_is_here else OWNER_GONE
    if len(stray.contacts) == 1 and list(stray.fit) == list(stray.contacts):
        if not stray.in_conflict:
            return Heir(stray.contacts[0], kind)
    elif not stray.contacts and stray.owner_is_here:
        return Heir(None, None)
    return Heir(None, kind)
