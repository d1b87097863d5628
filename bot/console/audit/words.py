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
from bot.customers.rights import SEE_CUSTOMERS
from bot.handover.rights import SEE_OFFBOARDINGS
from bot.identity.access import LOCAL
from bot.inbox.rights import SEE_EVENTS
from bot.models import AuditEntry
from bot.rights import Right
from bot.staff.names import Names
from bot.staff.rights import SEE_STAFF

ACTS: Mapping[str, LazyString] = {
    "offboarding.open": _l("发起离职交接"),
    "offboarding.propose": _l("提交离职交接审批"),
    "offboarding.change": _l("修改离职交接"),
    "offboarding.approve": _l("批准离职交接"),
    "offboarding.withdraw": _l("撤回离职交接审批"),
    "offboarding.cancel": _l("取消离职交接"),
    "offboarding.plan_anew": _l("接替成员不能接收，重新安排"),
    "handover.open": _l("发起在职转接"),
    "handover.change": _l("修改在职转接"),
    "handover.approve": _l("批准在职转接"),
    "handover.cancel": _l("取消在职转接"),
    "handover.plan_anew": _l("接替成员不能接收，重新安排"),
    "hand_work.done": _l("标记人工事项处理完成"),
    "hand_work.reopen": _l("人工事项改回待处理"),
    "conflict.resolve": _l("裁定撞单"),
    "staff.list": _l("查看成员列表"),
    "staff.look": _l("查看成员"),
    "staff.rename": _l("成员更换账号"),
    "staff.former_userid_ends": _l("旧账号已归他人"),
    "staff.set_terms": _l("修改成员的接待设置"),
    "event.replay": _l("重放事件"),
    "pause.lift": _l("解除接口暂停"),
    "contact_way.make": _l("请求新建渠道活码"),
    "contact_way.made": _l("渠道活码已建立"),
    "contact_way.change": _l("修改渠道活码"),
    "contact_way.remove": _l("删除渠道活码"),
    "token.create": _l("新建接口令牌"),
    "token.consent": _l("同意作接口令牌的负责人"),
    "token.revoke": _l("作废接口令牌"),
    "customer.list": _l("查看客户列表"),
    "customer.look": _l("查看客户详情"),
    "customer.reveal_phones": _l("查看客户手机号"),
    "customer.refuse_phones": _l("查看手机号过多，被拒绝"),
    "customer.timeline": _l("查看客户经过"),
    "conflict.report": _l("上报撞单"),
    "conflict.list": _l("查看撞单列表"),
    "conflict.look": _l("查看撞单"),
    "gap.list": _l("查看告知缺口"),
    "offboarding.list": _l("查看交接列表"),
    "offboarding.look": _l("查看离职交接"),
    "handover.list": _l("查看在职转接列表"),
    "handover.look": _l("查看在职转接"),
    "allocation.look": _l("查看分配依据"),
    "event.list": _l("查看事件列表"),
    "event.look": _l("查看事件详情"),
    "card.refuse": _l("拒绝卡片上的操作"),
    "sidebar.look": _l("在聊天侧边栏查看客户"),
    "home.look": _l("查看概览中的客户"),
    "sync_run.look": _l("查看对账差异"),
    "audit.look": _l("查阅审计日志"),
    "audit.export": _l("导出审计日志"),
    "audit.take_key": _l("导出审计条目密钥"),
    "audit.keep_end": _l("重新确认审计链末端"),
    "backup.make": _l("备份数据库"),
    "backup.restore": _l("从备份恢复数据库"),
    "login.begin": _l("登录"),
    "login.end": _l("结束登录"),
    "login.step_up": _l("再次验证身份"),
    "login.fail": _l("登录或验证失败"),
    "login.refuse": _l("拒绝登录"),
    "login.unlock": _l("解除登录限速"),
    "second_factor.confirm": _l("启用动态码"),
    "second_factor.remove": _l("停用动态码"),
    "user.create_admin": _l("新建本地管理员"),
    "user.set_password": _l("更改本地管理员的密码"),
    "user.bind": _l("把本地管理员绑定到成员"),
    "user.disable": _l("停用本地管理员"),
    "keys.establish": _l("登记数据密钥"),
    "keys.add": _l("启用新的数据密钥"),
    "keys.rotate": _l("更换主密钥"),
    "keys.bind": _l("开始将加密内容绑定到所在记录"),
    "keys.bound": _l("加密内容已全部绑定到所在记录"),
    "keys.retire": _l("停用数据密钥"),
    "role.grant": _l("授予角色"),
    "role.grant.propose": _l("提议授予角色"),
    "role.grant.approve": _l("复核通过：授予角色"),
    "role.grant.reject": _l("复核驳回：授予角色"),
    "role.grant.withdraw": _l("撤回提议：授予角色"),
    "role.revoke": _l("收回角色"),
    "role.revoke.propose": _l("提议收回角色"),
    "role.revoke.approve": _l("复核通过：收回角色"),
    "role.revoke.reject": _l("复核驳回：收回角色"),
    "role.revoke.withdraw": _l("撤回提议：收回角色"),
}

# What an act was done to, by the words before its number or name.
KINDS: Mapping[str, LazyString] = {
    "offboarding": _l("离职交接 %(which)s"),
    "handover": _l("在职转接 %(which)s"),
    "conflict": _l("撞单 %(which)s"),
    "customer": _l("客户 %(which)s"),
    "staff": _l("成员 %(which)s"),
    "event": _l("事件 %(which)s"),
    "contact way": _l("渠道活码 %(which)s"),
    "login": _l("登录 %(which)s"),
    "address": _l("来源地址 %(which)s"),
    "token": _l("接口令牌 %(which)s"),
    "pause": _l("接口暂停 %(which)s"),
    "reading": _l("对账 %(which)s"),
}
WHOLE: Mapping[str, LazyString] = {
    "customers": _l("客户列表"),
    "conflicts": _l("撞单列表"),
    "gaps": _l("告知缺口列表"),
    "staff": _l("成员列表"),
    "offboardings": _l("交接列表"),
    "handovers": _l("在职转接列表"),
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
    "maker": _l("制作人"),
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
    return str(ACTS.get(act, act))


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
        if before and which and shown == f"{before}{which}{after}":
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
