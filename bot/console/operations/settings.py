"""设置: how this installation is set up, to be read; what is secret stays so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import render_template
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import SecretStr

from bot.console.gate import allow
from bot.console.pages import kegui
from bot.operations.installation import installation
from bot.operations.rights import SEE_SETTINGS
from bot.staff.names import Names, names_of
from config.settings import PREFIX, Settings


class Text(NamedTuple):
    """What a setting is called, and what it means."""

    title: LazyString
    meaning: LazyString


GROUPS: Mapping[LazyString, Mapping[str, Text]] = {
    _l("企业与应用"): {
        "corp_id": Text(_l("企业 ID"), _l("企业微信“我的企业”中的企业 ID。")),
        "agent_id": Text(_l("应用 AgentId"), _l("调用客户联系、发送应用消息的自建应用。")),
        "app_secret": Text(_l("应用 Secret"), _l("自建应用的密钥，用来读取客户和转接。")),
        "contacts_secret": Text(
            _l("通讯录同步 Secret"), _l("读取成员与部门的账号；不设置时由应用读取可见范围。")
        ),
        "archive_secret": Text(_l("会话存档 Secret"), _l("查询客户是否同意会话存档。")),
        "operators": Text(_l("运维人员"), _l("接收告警的成员。")),
    },
    _l("会话存档"): {
        "archive_sdk": Text(_l("会话存档 SDK"), _l("从企业微信下载的 SDK 文件的路径。")),
        "archive_private_keys": Text(
            _l("会话存档私钥目录"), _l("每个公钥版本一个文件：<版本号>.pem；放入新版本后无须重启。")
        ),
        "archive_proxy": Text(_l("会话存档代理"), _l("SDK 访问企业微信所用的代理。")),
        "archive_sdk_timeout": Text(
            _l("会话存档调用超时（秒）"), _l("超时 10 秒后仍未返回，则结束 SDK 的进程并重来。")
        ),
        "archive_pull_seconds": Text(
            _l("会话存档拉取间隔（秒）"), _l("除企业微信通知外，每隔这么久拉取一次。")
        ),
        "archive_alarm_hours": Text(
            _l("会话存档告警时限（小时）"),
            _l("这么久没有成功拉取就告警；企业微信只保留五天。"),
        ),
        "media_url": Text(_l("存档文件的保存位置"), _l("文件夹或 fsspec 地址；文件加密后保存。")),
    },
    _l("接收企业微信通知"): {
        "callback_token": Text(_l("客户联系回调 Token"), _l("用于验证通知来自企业微信。")),
        "callback_aes_key": Text(_l("客户联系回调 EncodingAESKey"), _l("用于解密通知的密钥。")),
        "contacts_callback_token": Text(_l("通讯录回调 Token"), _l("不设置时与客户联系回调相同。")),
        "contacts_callback_aes_key": Text(
            _l("通讯录回调 EncodingAESKey"), _l("不设置时与客户联系回调相同。")
        ),
        "archive_callback_token": Text(
            _l("会话存档回调 Token"), _l("不设置时与客户联系回调相同。")
        ),
        "archive_callback_aes_key": Text(
            _l("会话存档回调 EncodingAESKey"), _l("不设置时与客户联系回调相同。")
        ),
        "callback_window_hours": Text(
            _l("通知的时间差（小时）"),
            _l("通知签名的时间与本机相差超过此时间时不予接收：可能是被截获后重发的。"),
        ),
    },
    _l("数据与密钥"): {
        "database_url": Text(_l("数据库"), _l("只显示位置，不显示账号和密码。")),
        "database_owner_url": Text(
            _l("数据库（表的所有者）"), _l("只用于迁移、备份与恢复；不设置时与上面相同。")
        ),
        "queue_url": Text(_l("队列"), _l("不设置时使用数据库。")),
        "audit_anchor_url": Text(
            _l("审计日志签名的保存位置"),
            _l("数据库之外的文件夹或 fsspec 地址，每五分钟追加一次；不设置则不保存。"),
        ),
        "data_key": Text(
            _l("数据密钥"), _l("加密所存内容的主密钥。遗失后，已加密的内容无法恢复。")
        ),
        "data_key_previous": Text(
            _l("此前的数据密钥"), _l("更换数据密钥期间设置；`kegui keys rotate` 完成后删除。")
        ),
        "secret_key": Text(_l("会话密钥"), _l("为浏览器中的登录凭证签名。")),
    },
    _l("地址"): {
        "public_url": Text(_l("公网地址"), _l("企业微信访问本系统的地址。")),
        "console_url": Text(
            _l("管理台地址"), _l("员工在浏览器中使用的地址；不设置时与公网地址相同。")
        ),
        "bind": Text(_l("监听地址"), _l("网页进程接受连接的地址，通常只对反向代理开放。")),
        "metrics_bind": Text(_l("指标监听地址"), _l("监控系统读取指标的地址；留空为关闭。")),
        "trusted_proxies": Text(
            _l("可信的反向代理"), _l("来自这些地址的请求，以其报告的访客地址为准。")
        ),
        "domain_verify_file": Text(_l("域名校验文件"), _l("企业微信校验可信域名时下载的文件。")),
        "wecom_api_base": Text(_l("企业微信接口地址"), _l("调用企业微信接口的地址。")),
        "wecom_oauth_base": Text(_l("企业微信授权地址"), _l("在企业微信内打开网页时登录的地址。")),
        "wecom_login_base": Text(_l("企业微信扫码登录地址"), _l("在浏览器中扫码登录的地址。")),
        "wecom_jssdk_url": Text(_l("企业微信 JS-SDK"), _l("聊天侧边栏加载的脚本。")),
    },
    _l("登录"): {
        "session_hours": Text(_l("登录最长时间（小时）"), _l("达到此时间后，须重新登录。")),
        "session_idle_minutes": Text(
            _l("登录闲置时间（分钟）"), _l("超过此时间没有操作，须重新登录。")
        ),
        "phones_per_hour": Text(
            _l("每小时可查看手机号的客户数"), _l("每人的上限；达到后拒绝，并向运维人员告警。")
        ),
        "session_most": Text(
            _l("同时登录数上限"), _l("每人同时登录的上限；超过时，最早的登录自动退出。")
        ),
    },
    _l("客户与交接"): {
        "default_capacity": Text(
            _l("默认客户容量"), _l("没有单独设定时，每位成员最多服务的客户数；不设置则不限。")
        ),
        "handover_lead_hours": Text(
            _l("交接提前量（小时）"), _l("已审批的离职继承在最后工作日之前多久开始。")
        ),
        "transfer_poll_seconds": Text(
            _l("查询转接结果的间隔（秒）"), _l("多久向企业微信查询一次客户是否已接替。")
        ),
        "welcome_after_transfer": Text(
            _l("转接后也发送告知"), _l("客户因转接而添加新成员时，是否再发送存档告知。")
        ),
    },
    _l("处理事件"): {
        "inbox_retry_seconds": Text(
            _l("重试间隔（秒）"), _l("事件处理失败后，依次等待多久再试；之后按最后一项。")
        ),
        "inbox_give_up_hours": Text(
            _l("放弃重试（小时）"), _l("持续失败超过此时间后不再重试，留待人工处理。")
        ),
        "inbox_archive_after_days": Text(
            _l("归档事件（天）"), _l("处理完成超过此天数的事件移入归档，不会删除。")
        ),
        "welcome_parallel": Text(
            _l("同时发送的告知数"), _l("企业微信要求 20 秒内发送，因此留有专用通道。")
        ),
        "api_parallel": Text(_l("同时调用接口数"), _l("其他处理同时调用企业微信接口的上限。")),
        "api_per_second": Text(_l("每秒调用接口数"), _l("其他处理每秒调用企业微信接口的上限。")),
        "own_processor": Text(
            _l("固定处理器"),
            _l("每个网页进程与任务处理进程各固定使用一个处理器；未限定处理器的容器中应关闭。"),
        ),
    },
    _l("其他"): {
        "timezone": Text(_l("时区"), _l("显示时间、计算日期所用的时区。")),
        "log_level": Text(_l("日志级别"), _l("只记录此级别及以上的日志。")),
        "sandbox": Text(
            _l("连接沙箱"), _l("只用于试用：不连接真实的企业微信，且无需凭证即可登录。")
        ),
    },
}
# Addresses that carry a password: shown without it.
ADDRESSES = ("database_url", "database_owner_url", "queue_url")

blueprint = APIBlueprint(
    "settings", __name__, template_folder="templates", url_prefix="/settings", enable_openapi=False
)


@dataclass(frozen=True)
class Shown:
    """A setting as the page shows it; of a secret only whether it is set."""

    variable: str
    text: Text
    value: str
    is_secret: bool
    is_default: bool


@blueprint.get("")
@allow(SEE_SETTINGS)
def index() -> str:
    """Every setting, its value and whether it is the default."""
    settings = kegui().settings
    names = names_of(staff=settings.operators)
    return render_template(
        "settings/index.html",
        installation=installation(settings),
        topics=[
            (title, [shown(settings, name, text, names) for name, text in texts.items()])
            for title, texts in GROUPS.items()
        ],
    )


def shown(settings: Settings, name: str, text: Text, names: Names) -> Shown:
    """A setting without anything that must stay secret."""
    value = getattr(settings, name)
    is_default = value == Settings.model_fields[name].default
    is_secret = isinstance(value, SecretStr)
    if isinstance(value, SecretStr) and name in ADDRESSES:
        address = without_password(value.get_secret_value())
        is_secret = address is None
        said = address or "set"
    elif isinstance(value, SecretStr):
        # What is set is said, and nothing of what it is.
        said = "set" if value.get_secret_value() else ""
    elif name == "operators":
        said = _("、").join(_person(userid, names) for userid in value)
    else:
        said = _said(value)
    return Shown(PREFIX + name.upper(), text, said, is_secret, is_default)


def without_password(url: str) -> str | None:
    """Return where an address leads, without who asks and what they say; None if that is unsure.

    A password may itself hold what separates the parts of an address.
    """
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return None
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        return None
    return f"{parts.scheme}://{place}{parts.path}"


def _said(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return _("、").join(_said(one) for one in value)
    return str(value)


def _person(userid: str, names: Names) -> str:
    name = names.member(userid)
    return name if name == userid else f"{name} ({userid})"
