"""Know a customer group: who owns it, what it is called."""

from datetime import datetime

from bot import clock
from bot.db import released
from bot.kegui import Kegui
from bot.models import GroupChat, Staff
from bot.wecom import Refused

DISMISSED = 49008


def read(chat_id: str, kegui: Kegui) -> None:
    """Read one group from WeCom; one that is dismissed meanwhile is remembered as such."""
    try:
        with released():
            group = kegui.wecom.group(chat_id)
    except Refused as refused:
        if refused.errcode == DISMISSED:
            dismissed(chat_id, clock.now())
        return
    now, owner = clock.now(), Staff.spelled(group.owner)
    GroupChat.insert(chat_id=chat_id, owner=owner, seen_at=now).on_conflict_ignore().execute()
    GroupChat.update(name=group.name, owner=owner, seen_at=now).where(
        GroupChat.chat_id == chat_id
    ).execute()


def dismissed(chat_id: str, at: datetime) -> None:
    """Remember that a group is no more."""
    GroupChat.update(dismissed_at=at).where(
        GroupChat.chat_id == chat_id, GroupChat.dismissed_at.is_null()
    ).execute()
