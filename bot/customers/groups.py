"""Know a customer group: who owns it, what it is called."""

from datetime import datetime

from bot import clock
from bot.db import released
from bot.kegui import Kegui
from bot.models import GroupChat, Staff
from bot.wecom import Refused

DISMISSED = 49008


def read(chat_id: str, kegui: Kegui) -> None:
    """Read one group from WeCom; one that is dismissed meanwhile is remembered as such.

    What the answer lacks says nothing against what is known, and an answer that was asked for
    before another was written is the older one.
    """
    asked_at = clock.now()
    try:
        with released():
            group = kegui.wecom.groups.get(chat_id)
    except Refused as refused:
        if refused.errcode == DISMISSED:
            dismissed(chat_id, clock.now())
        return
    GroupChat.insert(chat_id=chat_id, owner="", seen_at=asked_at).on_conflict_ignore().execute()
    given: dict[str, object] = {}
    if group.owner:
        given["owner"] = Staff.spelled(group.owner)
    if group.name is not None:
        given["name"] = group.name
    GroupChat.update(seen_at=clock.now(), **given).where(
        GroupChat.chat_id == chat_id, GroupChat.seen_at <= asked_at
    ).execute()


def is_known(chat_id: str) -> bool:
    """Whether the group was read before."""
    return bool(GroupChat.select().where(GroupChat.chat_id == chat_id).exists())


def dismissed(chat_id: str, at: datetime) -> None:
    """Remember that a group is no more, also one of which nothing is known yet: its beginning may
    be heard of later."""
    GroupChat.insert(
        chat_id=chat_id, owner="", dismissed_at=at, seen_at=clock.now()
    ).on_conflict_ignore().execute()
    GroupChat.update(dismissed_at=at).where(
        GroupChat.chat_id == chat_id, GroupChat.dismissed_at.is_null()
    ).execute()
