"""Reasons as people read them on pages, with names for userids; and who did something."""

from collections.abc import Mapping
from typing import Any

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.customers import conflicts
from bot.reason import Reason, in_words
from bot.staff.names import Names

# What WeCom's code says of a notice or a transfer, where the number alone would say nothing.
CODES: Mapping[int, LazyString] = {
    40096: _l("客户不存在"),
    40098: _l("接替成员尚未实名认证"),
    40099: _l("接替成员的客户数已达上限"),
    40128: _l("客户转接过于频繁"),
    40129: _l("当前客户正在转接中"),
    41050: _l("欢迎语凭证已过期"),
    41051: _l("客户与成员已经开始聊天"),
    41053: _l("客户尚未同意会话存档"),
    41096: _l("其他应用正在发送欢迎语"),
    45035: _l("该成员有另一项转接正在进行"),
}


# Whoever is no member, by what stands before the colon.
DOORS: Mapping[str, LazyString] = {
    "api": _l("系统“%(name)s”"),
    "cli": _l("服务器终端用户 %(name)s"),
    "local": _l("本地管理员 %(name)s"),
}


def reason(sentence: str | Reason, names: Names) -> str:
    """A reason in the reader's language, with people's names for their userids."""
    if isinstance(sentence, Reason):
        return in_words(sentence, {"member": names.member})
    return in_words(Reason(sentence))


def because(resolution: Mapping[str, Any], names: Names) -> str:
    """Why a conflict was settled: a person's words, or the reason of what settled it."""
    return resolution.get("reason") or reason(conflicts.because(resolution), names)


def actor(by: str, names: Names) -> str:
    """Who did something: a member, or by another door a system, a terminal, an administrator."""
    door, _, name = by.partition(":")
    return str(DOORS[door]) % {"name": name} if name and door in DOORS else names.member(by)


def code(errcode: int) -> str:
    """What an error code says, or "" when the number must do."""
    return str(CODES.get(errcode, ""))
