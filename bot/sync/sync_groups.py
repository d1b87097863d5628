"""Compare a member's groups with WeCom's list, and heal what differs."""

from collections.abc import Sequence

import structlog
from peewee import chunked

from bot import clock
from bot.customers import groups
from bot.db import released
from bot.events import SETTLING
from bot.models import GroupChat, Staff
from bot.sync.reading import CHUNK, Reading, what_was_answered
from bot.sync.rules import (
    GROUP_DISMISSED,
    GROUP_LIVES,
    GROUP_NOT_READABLE,
    GROUP_OWNER_CHANGED,
    GROUP_UNKNOWN,
    Difference,
)
from bot.wecom import ABOUT_ONE, Refused, Unreadable, WeComError

log = structlog.get_logger(__name__)

STEP = "groups"
UNKNOWN_GROUP = 40050


def read_of(reading: Reading, owner: str) -> None:
    """Read the groups of one owner; one that is listed no more is looked at by itself."""
    owned = {
        group.chat_id: group
        for group in GroupChat.select().where(
            GroupChat.owner == owner, GroupChat.dismissed_at.is_null()
        )
    }
    asked_at = clock.now()
    try:
        with released():
            listed = [row.chat_id for row in reading.kegui.wecom.groups.owned_by(owner)]
    except Refused as refused:
        log.info("member_without_groups", errcode=refused.errcode)
        return
    known = owned | {
        group.chat_id: group
        for some in chunked([one for one in listed if one not in owned], CHUNK)
        for group in GroupChat.select().where(GroupChat.chat_id.in_(some))
    }
    unknown = [one for one in listed if one not in known]
    others = [known[one] for one in listed if one in known and one not in owned]
    if unknown or others:
        with reading.writing():
            _meet(reading, owner, unknown)
            for group in others:
                if group.dismissed_at is None or group.dismissed_at < asked_at - SETTLING:
                    _give(reading, group, owner)
    if not reading.is_import:
        for chat_id in unknown:
            try:
                groups.read(chat_id, reading.kegui)
            except Unreadable as error:
                # Known by now all the same, with its owner.
                log.warning("group_not_readable", why=str(error))
    for chat_id in owned.keys() - set(listed):
        _look(reading, owned[chat_id])


def _meet(reading: Reading, owner: str, chat_ids: Sequence[str]) -> None:
    now = clock.now()
    for some in chunked(chat_ids, CHUNK):
        GroupChat.insert_many(
            [{"chat_id": one, "owner": owner, "seen_at": now} for one in some]
        ).on_conflict_ignore().execute()
        reading.note(
            [Difference(GROUP_UNKNOWN, one, owner, wecom=f"owner {owner}") for one in some]
        )


def _give(reading: Reading, group: GroupChat, owner: str) -> None:
    """Follow WeCom's list, unless somebody has read the group since it stood so here."""
    written = (
        GroupChat.update(owner=owner, dismissed_at=None, seen_at=clock.now())
        .where(GroupChat.chat_id == group.chat_id, GroupChat.seen_at == group.seen_at)
        .execute()
    )
    if not written:
        return
    if group.dismissed_at is not None:
        kind, here = GROUP_LIVES, "dismissed"
    else:
        kind, here = GROUP_OWNER_CHANGED, f"owner {group.owner}"
    reading.note([Difference(kind, group.chat_id, owner, here=here, wecom=f"owner {owner}")])


def _look(reading: Reading, group: GroupChat) -> None:
    """Ask what became of a group that its owner's list does not show any more."""
    try:
        with released():
            shown = reading.kegui.wecom.groups.get(group.chat_id).owner
    except ABOUT_ONE as error:
        with reading.writing():
            _judge(reading, group, error)
        return
    owner = Staff.spelled(shown)
    if owner and owner != group.owner:
        with reading.writing():
            _give(reading, group, owner)


def _judge(reading: Reading, group: GroupChat, error: WeComError) -> None:
    here = f"owner {group.owner}"
    if error.errcode in (groups.DISMISSED, UNKNOWN_GROUP):
        groups.dismissed(group.chat_id, clock.now())
        found = Difference(GROUP_DISMISSED, group.chat_id, group.owner, here=here, wecom="no more")
    else:
        wecom = what_was_answered(error)
        found = Difference(
            GROUP_NOT_READABLE, group.chat_id, group.owner, here=here, wecom=wecom, healed=False
        )
    reading.note([found])


def owners_outside(serving: Sequence[str]) -> list[str]:
    """Name the owners of groups who are not among those that serve customers."""
    query = GroupChat.select(GroupChat.owner).where(GroupChat.dismissed_at.is_null()).distinct()
    return sorted({group.owner for group in query} - {"", *serving})


def read_outside(reading: Reading, owners: Sequence[str]) -> None:
    """Read the groups of members who serve no customers, or have left."""

    def read(owner: str) -> None:
        try:
            read_of(reading, owner)
        except Unreadable as error:
            log.warning("groups_not_readable", why=str(error))
        with reading.writing():
            reading.finish(STEP, owner)

    reading.each([one for one in owners if not reading.is_finished(STEP, one)], read)
