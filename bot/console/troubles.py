"""Troubles as people read them: alarms, hand work and errors of events, in either language.

Alarms and hand work are stored as the Chinese sentence that operators got by app message, errors
as whatever was raised. What is not in the tables here is shown as it stands.
"""

import re
from collections.abc import Iterable, Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.console.reasons import fitting
from bot.models import Alarm
from bot.staff.names import Names

LEAVER_WAITS = r"成员 (?P<member>.+) 的账号已不存在，但离职继承 (?P<id>\d+) 尚未审批"

PATTERNS: Mapping[str, LazyString] = {
    # alarms
    r"成员 (?P<name>.+) 的资质即将到期或已到期：(?P<licences>.+)": _l(
        "成员 %(name)s 的资质即将到期或已到期：%(licences)s"
    ),
    r"请续期后在成员页更新有效期；到期后，需要该资质的客户不再分给这位成员": _l(
        "请续期后在成员页更新有效期；到期后，需要该资质的客户不再分给这位成员"
    ),
    r"工作日历缺少 (?P<year>\d+) 年的放假安排，该年只按星期判断工作时间": _l(
        "工作日历缺少 %(year)s 年的放假安排，该年只按星期判断工作时间"
    ),
    r"请按国务院办公厅通知补全 config/work_calendar.toml，并更新其版本号": _l(
        "请按国务院办公厅通知补全 config/work_calendar.toml，并更新其版本号"
    ),
    r"接口 (?P<endpoint>\S+) 无法调用": _l("接口 %(endpoint)s 无法调用"),
    r"企业微信拒绝了接口 (?P<endpoint>\S+)（错误码 (?P<code>\S+)）": _l(
        "企业微信拒绝了接口 %(endpoint)s（错误码 %(code)s）"
    ),
    r"接口 (?P<endpoint>\S+) 连续拒绝了 (?P<number>\d+) 个不同对象的请求"
    r"（错误码 (?P<code>\S+)）": _l(
        "接口 %(endpoint)s 连续拒绝了 %(number)s 个不同对象的请求（错误码 %(code)s）"
    ),
    LEAVER_WAITS: _l("成员 %(member)s 的账号已不存在，但%(id)s 号离职继承 尚未审批"),
    r"自 (?P<since>.+) 起无法正常访问企业微信（接口 (?P<endpoint>\S+)）": _l(
        "自 %(since)s 起无法正常访问企业微信（接口 %(endpoint)s）"
    ),
    r"成员 (?P<name>.+) 的新客户一直没有欢迎语凭证，无法自动发送告知": _l(
        "成员 %(name)s 的新客户一直没有欢迎语凭证，无法自动发送告知"
    ),
    r"企业微信不再显示成员 (?P<former>\S+)，而 (?P<present>\S+) 与其客户的联系始于同一时刻，"
    r"可能是同一人更换了账号": _l(
        "企业微信不再显示成员 %(former)s，而 %(present)s 与其客户的联系始于同一时刻，"
        "可能是同一人更换了账号"
    ),
    r"成员 (?P<name>.+) 一小时内查看了 (?P<most>\d+) 位客户的手机号，已达上限": _l(
        "成员 %(name)s 一小时内查看了 %(most)s 位客户的手机号，已达上限"
    ),
    r"定时任务 (?P<job>\S+) 自 (?P<since>.+) 起没有成功": _l(
        "定时任务 %(job)s 自 %(since)s 起没有成功"
    ),
    r"有人绕过客规在数据库中写入或改动了准入记录（表 (?P<table>\S+)，(?P<row>.+)），"
    r"或升级期间由旧版本写入；客规不予承认": _l(
        "有人绕过客规在数据库中写入或改动了准入记录（表 %(table)s，%(row)s），"
        "或升级期间由旧版本写入；客规不予承认"
    ),
    r"审计日志有 (?P<number>\d+) 条记录没有按时加封，最早的一条自 (?P<since>.+) 起": _l(
        "审计日志有 %(number)s 条记录没有按时加封，最早的一条自 %(since)s 起"
    ),
    r"审计日志校验发现 (?P<number>\d+) 处问题，第一处：(?P<first>.+)": _l(
        "审计日志校验发现 %(number)s 处问题，第一处：%(first)s"
    ),
    r"审计日志的签名无法保存到数据库之外（(?P<why>\w+)）": _l(
        "审计日志的签名无法保存到数据库之外（%(why)s）"
    ),
    # what to do about them
    r"请检查 KEGUI_AUDIT_ANCHOR_URL 所指的位置是否存在、可写": _l(
        "请检查 KEGUI_AUDIT_ANCHOR_URL 所指的位置是否存在、可写"
    ),
    r"请查看 clock 的日志，检查数据库磁盘与账号权限；"
    r"加封之前，记录若被删除，校验时可能看不出来": _l(
        "请查看 clock 的日志，检查数据库磁盘与账号权限；加封之前，记录若被删除，校验时可能看不出来"
    ),
    r"请运行 kegui audit verify --all 查看全部问题，先备份数据库现状，再查明原因"
    r"（见 docs/audit.md）；问题消除后一小时内告警自动解除": _l(
        "请运行 kegui audit verify --all 查看全部问题，先备份数据库现状，再查明原因"
        "（见 docs/audit.md）；问题消除后一小时内告警自动解除"
    ),
    r"请查明谁能写入数据库并更换其口令，再执行 (?P<command>.+)；仍需要的，请重新办理": _l(
        "请查明谁能写入数据库并更换其口令，再执行 %(command)s；仍需要的，请重新办理"
    ),
    r"请查明谁能写入数据库并更换其口令，再请 (?P<name>\S+) 在“我的账户”中重新绑定动态码应用": _l(
        "请查明谁能写入数据库并更换其口令，再请 %(name)s 在“我的账户”中重新绑定动态码应用"
    ),
    r"请执行 kegui status 查看该任务的错误并排除原因，任务会自动重试": _l(
        "请执行 kegui status 查看该任务的错误并排除原因，任务会自动重试"
    ),
    r"请在审计日志中核对该成员查看手机号的记录；确属工作需要的，可调整 KEGUI_PHONES_PER_HOUR": _l(
        "请在审计日志中核对该成员查看手机号的记录；确属工作需要的，可调整 KEGUI_PHONES_PER_HOUR"
    ),
    r"请向该成员核实：如属实，请执行 kegui rename-member (?P<former>\S+) (?P<present>\S+)；"
    r"如不是同一人，请为 \S+ 发起离职继承": _l(
        "请向该成员核实：如属实，请执行 kegui rename-member %(former)s %(present)s；"
        "如不是同一人，请为 %(former)s 发起离职继承"
    ),
    r"请检查本机网络、DNS、代理与防火墙；如本机正常，请等待企业微信恢复，积压的事件会自动补做": _l(
        "请检查本机网络、DNS、代理与防火墙；如本机正常，请等待企业微信恢复，积压的事件会自动补做"
    ),
    r"请主管尽快审批该交接，否则客户无人服务": _l("请主管尽快审批该交接，否则客户无人服务"),
    r"请检查企业微信后台是否为该成员配置了欢迎语；如有，请移除，由客规发送": _l(
        "请检查企业微信后台是否为该成员配置了欢迎语；如有，请移除，由客规发送"
    ),
    r"请设置 (?P<variable>\w+)": _l("请设置 %(variable)s"),
    r"企业微信可能因多次使用错误的 Secret 封禁了本机 IP 一小时：请核对 Secret，"
    r"必要时使用企业微信的“频率自助解封”": _l(
        "企业微信可能因多次使用错误的 Secret 封禁了本机 IP 一小时：请核对 Secret，"
        "必要时使用企业微信的“频率自助解封”"
    ),
    r"换取新的 access_token 后仍被拒绝，请检查该应用的 Secret 与权限": _l(
        "换取新的 access_token 后仍被拒绝，请检查该应用的 Secret 与权限"
    ),
    r"请核对 KEGUI_CORP_ID 与应用的 Secret，更正后重启": _l(
        "请核对 KEGUI_CORP_ID 与应用的 Secret，更正后重启"
    ),
    r"请在企业微信后台把本机出口 IP 加入该应用的“企业可信IP”": _l(
        "请在企业微信后台把本机出口 IP 加入该应用的“企业可信IP”"
    ),
    r"请在企业微信后台检查该应用的接口权限（客户联系 > 可调用接口的应用）": _l(
        "请在企业微信后台检查该应用的接口权限（客户联系 > 可调用接口的应用）"
    ),
    r"请在企业微信后台检查该应用是否启用、可见范围与 AgentId 是否正确": _l(
        "请在企业微信后台检查该应用是否启用、可见范围与 AgentId 是否正确"
    ),
    r"数量已达企业微信上限，请清理不再使用的配置": _l("数量已达企业微信上限，请清理不再使用的配置"),
    r"请在企业微信后台处理企业的客户规模、资料或接口许可": _l(
        "请在企业微信后台处理企业的客户规模、资料或接口许可"
    ),
    r"请在企业微信后台开通或续费会话内容存档": _l("请在企业微信后台开通或续费会话内容存档"),
    r"请在企业微信后台检查应用的接收消息服务器配置": _l(
        "请在企业微信后台检查应用的接收消息服务器配置"
    ),
    r"请升级本机的 OpenSSL：企业微信不支持所用的 TLS 版本": _l(
        "请升级本机的 OpenSSL：企业微信不支持所用的 TLS 版本"
    ),
    r"请运行 kegui doctor 核对所发送的内容，并查看该错误码的说明": _l(
        "请运行 kegui doctor 核对所发送的内容，并查看该错误码的说明"
    ),
    r"企业微信判定内容有风险，请检查发送内容": _l("企业微信判定内容有风险，请检查发送内容"),
    # hand work
    r"没有可接替的成员，请手工处理": _l("没有可接替的成员，请手工处理"),
    r"企业微信拒绝修改（(?P<code>-?\w+)），请手工处理": _l(
        "企业微信拒绝修改（错误码 %(code)s），请手工处理"
    ),
    r"企业微信的应答无法读取，请手工核对该联系我是否已修改": _l(
        "企业微信的应答无法读取，请手工核对该联系我是否已修改"
    ),
    r"联系我“(?P<way>.*)”不是由客规创建，请在创建它的系统中移除离职成员": _l(
        "联系我“%(way)s”不是由客规创建，请在创建它的系统中移除离职成员"
    ),
    # what a reading leaves to a person
    r"请检查该成员是否在应用可见范围内、是否仍有客户联系权限": _l(
        "请检查该成员是否在应用可见范围内、是否仍有客户联系权限"
    ),
    r"有多位成员与该客户联系，请主管指定归属": _l("有多位成员与该客户联系，请主管指定归属"),
    r"归属成员已不再与该客户联系，请主管指定归属": _l("归属成员已不再与该客户联系，请主管指定归属"),
    r"归属成员已离职且没有进行中的交接，请主管指定归属": _l(
        "归属成员已离职且没有进行中的交接，请主管指定归属"
    ),
    r"企业微信不显示该成员：若已离职请发起交接，否则请加入应用可见范围": _l(
        "企业微信不显示该成员：若已离职请发起交接，否则请加入应用可见范围"
    ),
    r"该成员名下有客户但没有客户联系权限：请恢复权限，或交接其客户": _l(
        "该成员名下有客户但没有客户联系权限：请恢复权限，或交接其客户"
    ),
    r"该成员可能更换了账号：请核实，如属实请执行 kegui rename-member": _l(
        "该成员可能更换了账号：请核实，如属实请执行 kegui rename-member"
    ),
    r"请检查该客户群的群主是否在应用可见范围内": _l("请检查该客户群的群主是否在应用可见范围内"),
    r"该“联系我”已在企业微信中被删除，二维码已失效：请停用印刷品并重新创建": _l(
        "该“联系我”已在企业微信中被删除，二维码已失效：请停用印刷品并重新创建"
    ),
    # errors of events and jobs
    r"busy(: .*)?": _l("另一进程正在处理，稍后重试"),
    r"the group is read again when WeCom has written it": _l("等待企业微信写入客户群资料后再读取"),
    r"the same welcome is being sent": _l("同一条欢迎语正在发送"),
    r"without (?P<fields>[A-Za-z, ]+)": _l("事件缺少 %(fields)s，无法处理"),
    r"- (?P<endpoint>[\w/]+): paused(: .*)?": _l("接口 %(endpoint)s 暂停调用，稍后重试"),
    r"- (?P<endpoint>[\w/]+)(: .*)?": _l("接口 %(endpoint)s 没有答复"),
    r"(?P<code>-?\d+) (?P<endpoint>[\w/]+)(: .*)?": _l(
        "企业微信拒绝了接口 %(endpoint)s（错误码 %(code)s）"
    ),
    r"OperationalError|InterfaceError": _l("数据库暂时不可用"),
    r"(?P<kind>[A-Z]\w+)": _l("程序错误 %(kind)s，详见日志"),
}


def trouble(sentence: str, names: Names) -> str:
    """The sentence in the reader's language, with people's names for their userids."""
    return fitting(PATTERNS, sentence, names) or sentence


def members_in(alarms: Iterable[Alarm]) -> list[str]:
    """The userids that the texts of these alarms speak of."""
    found = (re.fullmatch(LEAVER_WAITS, alarm.text) for alarm in alarms)
    return [match["member"] for match in found if match]
