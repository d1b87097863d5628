"""The audit log in people's words: acts, what they were done to, and where that can be seen."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from flask import url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.channels.rights import SEE_CONTACT_WAYS
from bot.console import gate
from bot.console.reasons import actor, reason
from bot.console.registered import registered
from bot.customers.rights import SEE_CUSTOMERS
from bot.handover.rights import SEE_OFFBOARDINGS
from bot.identity.access import LOCAL
from bot.inbox.rights import SEE_EVENTS
from bot.models import AuditEntry
from bot.rights import Right
from bot.staff.names import Names
from bot.staff.rights import SEE_STAFF

# What an act was done to, by the words before its number or name.
KINDS: Mapping[str, LazyString] = {
    "offboarding": _l("%(which)s 号离职继承"),
    "handover": _l("%(which)s 号在职继承"),
    "conflict": _l("%(which)s 号归属冲突"),
    "customer": _l("客户 %(which)s"),
    "staff": _l("成员 %(which)s"),
    "event": _l("%(which)s 号事件"),
    "contact way": _l("渠道活码 %(which)s"),
    "login": _l("登录 %(which)s"),
    "address": _l("来源地址 %(which)s"),
    "token": _l("接口令牌 %(which)s"),
    "pause": _l("接口暂停 %(which)s"),
    "reading": _l("核对 %(which)s"),
}
WHOLE: Mapping[str, LazyString] = {
    "customers": _l("客户列表"),
    "conflicts": _l("归属冲突列表"),
    "gaps": _l("未告知客户列表"),
    "staff": _l("成员列表"),
    "offboardings": _l("交接列表"),
    "handovers": _l("在职继承列表"),
    "events": _l("事件列表"),
    "audit log": _l("审计日志"),
    "database": _l("数据库"),
}
SUBJECT = re.compile(rf"({'|'.join(KINDS)}) (.+)", re.DOTALL)

PROOF = re.compile(r"step-up of (\S+)")

# The page of a subject: its right, its endpoint, and what the endpoint calls it.
PAGES: Mapping[str, tuple[Right, str, str]] = {
    "offboarding": (SEE_OFFBOARDINGS, "console.offboardings.show", "handover_id"),
    "handover": (SEE_OFFBOARDINGS, "console.offboardings.show", "handover_id"),
    "customer": (SEE_CUSTOMERS, "console.customers.show", "external_userid"),
    "staff": (SEE_STAFF, "console.staff.show", "userid"),
    "event": (SEE_EVENTS, "console.events.show", "event_id"),
    "contact way": (SEE_CONTACT_WAYS, "console.contact_ways.show", "way_id"),
}
NUMBERED = ("offboarding", "handover", "event", "contact way")

DETAILS: Mapping[str, LazyString] = {
    "act": _l("操作"),
    "actor": _l("人员"),
    "address": _l("来源地址"),
    "before": _l("之前"),
    "by": _l("处理人"),
    "came_by": _l("来源"),
    "capacity": _l("客户容量"),
    "channel": _l("渠道"),
    "config_id": _l("联系我编号"),
    "consent": _l("存档意愿"),
    "customers": _l("客户"),
    "days": _l("有效天数"),
    "department_id": _l("部门"),
    "external_userid": _l("客户"),
    "external_userids": _l("客户"),
    "file": _l("文件"),
    "first": _l("第一项"),
    "folder": _l("文件夹"),
    "from": _l("开始日期"),
    "humans": _l("实际人员"),
    "kind": _l("类型"),
    "last": _l("最后一项"),
    "last_day": _l("最后工作日"),
    "licences": _l("资质"),
    "skills": _l("技能"),
    "daily_quota": _l("每日配额"),
    "availability": _l("排班与休假"),
    "maker": _l("创建人"),
    "method": _l("方式"),
    "mode": _l("方式"),
    "moved": _l("转移客户数"),
    "number": _l("数量"),
    "on_duty": _l("当班"),
    "on_leave": _l("休假"),
    "outcome": _l("结果"),
    "owner": _l("归属"),
    "page": _l("页码"),
    "person": _l("人员"),
    "proposal": _l("提议编号"),
    "proposed_by": _l("提议人"),
    "purpose": _l("目的"),
    "q": _l("查找内容"),
    "reason": _l("理由"),
    "remark": _l("备注"),
    "role": _l("角色"),
    "rows": _l("条数"),
    "scopes": _l("权限范围"),
    "source": _l("来源"),
    "state": _l("状态"),
    "subject": _l("对象"),
    "successors": _l("接替成员"),
    "takeover_userid": _l("接替成员"),
    "taken_at": _l("备份时间"),
    "to": _l("结束日期"),
    "to_move": _l("转接客户数"),
    "token": _l("接口令牌"),
    "userid": _l("成员"),
    "userids": _l("成员"),
    "why": _l("原因"),
}
# Details that name people.
PEOPLE = (
    "userid",
    "owner",
    "maker",
    "takeover_userid",
    "actor",
    "person",
    "proposed_by",
    "by",
    "before",
)
SEVERAL = ("userids", "successors", "humans")
SYSTEMS: Mapping[str, LazyString] = {
    "wecom": _l("企业微信"),
    "rules": _l("分配规则"),
}


class Subject(NamedTuple):
    """What an act was done to; ``href`` of its page, where the reader may go there."""

    text: str
    href: str = ""


def act_name(act: str) -> str:
    """What an act is called; one that is not known here keeps its own name."""
    return str(registered().acts.get(act, act))


def detail_name(name: str) -> str:
    return str(DETAILS.get(name, name))


def detail(name: str, value: str, names: Names) -> str:
    """A detail's value, with people's names for their userids."""
    if name in PEOPLE:
        return who(value, names)
    if name == "why":
        return _proof(value, names) or reason(value, names)
    if name in SEVERAL:
        return str(_l("、")).join(names.member(one) for one in value.split(","))
    return {"True": str(_l("是")), "False": str(_l("否"))}.get(value, value)


def who(by: str, names: Names) -> str:
    """Who acted: a person, a system, an administrator without WeCom, or Kegui by itself."""
    if by in SYSTEMS:
        return str(SYSTEMS[by])
    if by.startswith(LOCAL):
        return str(_l("本地管理员 %(name)s")) % {"name": by.removeprefix(LOCAL)}
    if match := SUBJECT.fullmatch(by):
        return str(KINDS[match[1]]) % {"which": match[2]}
    return actor(by, names)


def subject(written: str, names: Names) -> Subject:
    """What an act was done to, in words; what is not known here is shown as it stands."""
    if written in WHOLE:
        return Subject(str(WHOLE[written]))
    match = SUBJECT.fullmatch(written)
    if match is None:
        return Subject(_proof(written, names) or who(written, names))
    kind, which = match.groups()
    shown = names.member(which) if kind == "staff" else which
    return Subject(str(KINDS[kind]) % {"which": shown}, _page(kind, which))


def subject_typed(shown: str) -> str:
    """Return the subject whose words somebody typed as a page shows them; else the text itself."""
    for kind, text in KINDS.items():
        before, after = (str(text) % {"which": "\0"}).split("\0")
        which = shown.removeprefix(before).removesuffix(after).strip()
        if (before or after) and which and shown == f"{before}{which}{after}":
            return f"{kind} {which}"
    named = {str(text): subject for subject, text in WHOLE.items()}
    return named.get(shown, shown)


def subject_shown(written: str) -> str:
    """A subject in the words that ``subject_typed`` understands."""
    if written in WHOLE:
        return str(WHOLE[written])
    match = SUBJECT.fullmatch(written)
    return str(KINDS[match[1]]) % {"which": match[2]} if match else written


def people_in(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """The userids of which these entries speak."""
    for entry in entries:
        yield entry.actor
        yield entry.subject.removeprefix("staff ").removeprefix("step-up of ")
        yield str(entry.details.get("why", "")).removeprefix("step-up of ")
        for name, value in entry.details.items():
            if name in PEOPLE:
                yield value
            elif name in SEVERAL:
                yield from value.split(",")


def _proof(written: str, names: Names) -> str:
    """Whose second factor was wrong, in words; "" for whatever else is written there."""
    match = PROOF.fullmatch(written)
    return str(_l("为 %(name)s 再次确认身份")) % {"name": who(match[1], names)} if match else ""


def _page(kind: str, which: str) -> str:
    if kind not in PAGES or (kind in NUMBERED and not re.fullmatch(r"[0-9]{1,18}", which)):
        return ""
    right, endpoint, argument = PAGES[kind]
    if not gate.me().may(right) or "/" in which:
        return ""
    arguments: dict[str, Any] = {argument: int(which) if kind in NUMBERED else which}
    return url_for(endpoint, **arguments)
