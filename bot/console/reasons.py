"""Reasons as people read them: what rules and actions wrote in English, in either language.

The database keeps the sentence that a rule gave. A sentence that is not in the table here was
written by a person, or is new: it is shown as it stands.
"""

import re
from collections.abc import Callable, Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.reason import Reason, in_words
from bot.staff.names import Names

SENTENCES: Mapping[str, LazyString] = {
    "owner and contender are one member": _l("归属成员与争议成员是同一人"),
    "the member has another userid": _l("成员更换了账号"),
    # allocation
    "no rule covers this channel": _l("没有规则适用于该渠道"),
    "the added member is eligible": _l("客户添加的成员符合规则"),
    "nobody allowed has room": _l("规则允许的成员客户数都已满"),
    "the customer has an owner already": _l("客户已有归属成员"),
    "imported: the only contact": _l("首次导入：唯一的联系成员"),
    "several members are in contact: a person decides": _l("有多位联系成员，由主管确定归属"),
    "the first member in contact, of whom no event spoke": _l(
        "最早与客户建立联系的成员（其添加事件未收到）"
    ),
    "full": _l("客户数已满"),
    "lacks a licence": _l("缺少所需资质"),
    "a licence has expired": _l("所需资质已过期"),
    "has reached the daily quota": _l("已达每日配额"),
    "disputes the customer": _l("正与他人争议该客户"),
    "chosen by first": _l("客户添加的成员不符合条件，归规则中排在最前的成员"),
    "chosen by round_robin": _l("按规则轮流分配"),
    "chosen by weighted": _l("按规则的权重分配"),
    "chosen by least_loaded": _l("归规则内客户最少的成员"),
    "chosen by former_owner": _l("归客户原来的归属成员"),
    "not in the rule": _l("不在规则范围内"),
    "unknown member": _l("未知成员"),
    "not an active member": _l("不是在职成员"),
    "has no 客户联系": _l("没有客户联系权限"),
    "is leaving": _l("即将离职"),
    "on leave or off duty": _l("休假或不当班"),
    "not in contact any more": _l("与客户已无联系"),
    "hands over and takes over at once": _l("正是要交接的成员"),
    # handover
    "same department, least loaded": _l("同部门，客户最少"),
    "another department, least loaded": _l("其他部门，客户最少"),
    "named": _l("发起人指定"),
    "least loaded of those named": _l("发起人指定的成员中客户数最少"),
    "no successor known": _l("没有可接替的成员"),
    "every successor was tried or is full": _l("所有接替成员都已尝试过或客户数已满"),
    "every successor is full or unfit": _l("所有接替成员客户数已满或不符合条件"),
    "already_contact": _l("客户已有其他联系成员，只变更归属"),
    "WeCom lists no contact any more": _l("企业微信已不再列出该联系"),
    "the handover was cancelled": _l("交接已取消"),
    "the account vanished while it was waiting": _l("等待期间账号已注销，改为离职继承"),
    "WeCom shows nothing of this transfer": _l("企业微信查不到该次接替"),
    "another transfer of this customer was under way": _l("该客户当时正由另一成员交接，将再次接替"),
    "daily limit of groups for one owner: goes on tomorrow": _l(
        "已达每位群主每日接收上限，明日继续"
    ),
    "WeCom does not know this customer": _l("企业微信查不到该客户"),
    "the customer was transferred twice in 90 days": _l("该客户 90 天内已被转接两次"),
    "the successor is the same member": _l("接替成员与原成员相同"),
    "the member is not in contact with this customer any more": _l("该成员与客户已不是联系人"),
    "the contact is one-sided: the member has not added the customer back": _l(
        "单向联系：成员尚未添加客户"
    ),
    "not a customer group": _l("不是客户群"),
    "the group needs a confirmation in the client": _l("该群需在企业微信客户端中确认"),
    "WeCom does not know this group": _l("企业微信查不到该群"),
    "the group was dismissed": _l("该群已解散"),
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

# ``member`` is a userid, ``why`` a sentence of its own; the rest stays as it is.
PATTERNS: Mapping[str, LazyString] = {
    r"the added member is not eligible: (?P<why>.+)": _l("客户添加的成员不符合条件：%(why)s"),
    r"(?P<member>\S+) is full": _l("%(member)s 的客户数已满"),
    r"(?P<member>\S+) cannot take over: (?P<code>\d+)": _l(
        "%(member)s 无法接收（错误码 %(code)s）"
    ),
    r"(?P<member>\S+) cannot take over any more: (?P<why>.+)": _l("%(member)s 不能再接替：%(why)s"),
    r"the customer refused (?P<member>\S+); (?P<why>.+)": _l("客户拒绝由 %(member)s 接替；%(why)s"),
    r"the customer refused (?P<member>\S+)": _l("客户拒绝由 %(member)s 接替"),
    r"WeCom shows (?P<member>\S+) as the owner": _l("企业微信显示群主为 %(member)s"),
    r"WeCom answered (?P<code>-?\d+)": _l("企业微信返回错误码 %(code)s"),
    r"conflict (?P<id>\d+) settled: (?P<text>.+)": _l("%(id)s 号归属冲突处理结果：%(text)s"),
    r"reading \S+: (?P<member>\S+) is no contact any more": _l(
        "%(member)s 与客户已无联系（由夜间核对发现）"
    ),
    r"offboarding (?P<id>\d+)(, item \d+)?": _l("%(id)s 号离职继承"),
    r"handover (?P<id>\d+)(, item \d+)?": _l("%(id)s 号在职继承"),
    r"allocation (?P<id>\d+)": _l("%(id)s 号分配的结果"),
    r"event (?P<id>\d+)": _l("%(id)s 号事件"),
    r"console( \w+)?": _l("由主管或人事在管理台发起"),
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
    return fitting(PATTERNS, sentence, names) or sentence


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


def handover_number(sentence: str) -> int | None:
    """The handover that gave this reason, if one did."""
    match = re.fullmatch(r"(?:offboarding|handover) ([0-9]{1,18})(?:, item [0-9]+)?", sentence)
    return int(match[1]) if match else None


def actor(by: str, names: Names) -> str:
    """Who did something: a member, or by another door a system, a terminal, an administrator."""
    door, _, name = by.partition(":")
    return str(DOORS[door]) % {"name": name} if name and door in DOORS else names.member(by)


def code(errcode: int) -> str:
    """What an error code says, or "" when the number must do."""
    return str(CODES.get(errcode, ""))
