"""Reasons as people read them: what rules and actions wrote in English, in either language.

The database keeps the sentence that a rule gave. A sentence that is not in the table here was
written by a person, or is new: it is shown as it stands.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.customers import conflicts
from bot.reason import Reason, in_words
from bot.staff.names import Names

SENTENCES: Mapping[str, LazyString] = {
    "the member has another userid": _l("成员更换了账号"),
    # a login that was refused or ended
    "not of the firm": _l("不是本企业成员"),
    "unknown or has left": _l("系统中无此成员，或已离职、已停用"),
    "by its owner": _l("由本人结束"),
    "by an administrator": _l("由管理员结束"),
    "has left": _l("已离职或已停用"),
    "new second factor": _l("更换了动态码"),
    "new password": _l("更改了密码"),
    "too many logins at once": _l("同时登录过多"),
    "is disabled": _l("已停用"),
    "its maker lost the right": _l("创建人不再有此权限"),
    "its owner declined": _l("负责人没有同意"),
}

PATTERNS: Mapping[str, LazyString] = {
    # an error of a call, as bot/wecom writes it
    r"(?P<code>-?\d+) [\w/]+(: .*)?": _l("企业微信返回错误码 %(code)s"),
    r"- [\w/]+(: .*)?": _l("没有收到企业微信的答复"),
}

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
    known = SENTENCES.get(sentence)
    if known is not None:
        return str(known)
    return fitting(PATTERNS, sentence, names) or in_words(Reason(sentence))


def because(resolution: Mapping[str, Any], names: Names) -> str:
    """Why a conflict was settled: a person's words, or the reason of what settled it."""
    return resolution.get("reason") or reason(conflicts.because(resolution), names)


def fitting(patterns: Mapping[str, LazyString], sentence: str, names: Names) -> str:
    """Put what the first fitting pattern finds in a sentence into its text; "" if none fits."""
    readers: Mapping[str, Callable[[str], str]] = {
        "member": names.member,
        "why": lambda why: reason(why, names),
    }
    for pattern, text in patterns.items():
        if match := re.fullmatch(pattern, sentence, re.DOTALL):
            return str(text) % {
                key: readers.get(key, str)(value) for key, value in match.groupdict().items()
            }
    return ""


def actor(by: str, names: Names) -> str:
    """Who did something: a member, or by another door a system, a terminal, an administrator."""
    door, _, name = by.partition(":")
    return str(DOORS[door]) % {"name": name} if name and door in DOORS else names.member(by)


def code(errcode: int) -> str:
    """What an error code says, or "" when the number must do."""
    return str(CODES.get(errcode, ""))
