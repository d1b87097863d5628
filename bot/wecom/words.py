"""What became of a call to WeCom, in words."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.wecom import errors
from bot.wecom.errors import NO_ANSWER, PAUSED, REFUSED

REASONS: Mapping[str, LazyString] = {
    NO_ANSWER: _l("接口 %(endpoint)s 没有答复"),
    PAUSED: _l("接口 %(endpoint)s 暂停调用，稍后重试"),
    REFUSED: _l("企业微信拒绝了接口 %(endpoint)s（错误码 %(errcode)s）"),
    # What an operator must do.
    errors.SECRET: _l("请核对 KEGUI_CORP_ID 与应用的 Secret，更正后重启"),
    errors.ADDRESS: _l("请在企业微信后台把本机出口 IP 加入该应用的“企业可信IP”"),
    errors.PERMISSION: _l("请在企业微信后台检查该应用的接口权限（客户联系 > 可调用接口的应用）"),
    errors.RANGE: _l("请在企业微信后台检查该应用是否启用、可见范围与 AgentId 是否正确"),
    errors.CAP: _l("数量已达企业微信上限，请清理不再使用的配置"),
    errors.CORPORATION: _l("请在企业微信后台处理企业的客户规模、资料或接口许可"),
    errors.ARCHIVE: _l("请在企业微信后台开通或续费会话内容存档"),
    errors.CALLBACK: _l("请在企业微信后台检查应用的接收消息服务器配置"),
    errors.STILL_REFUSED: _l("换取新的 access_token 后仍被拒绝，请检查该应用的 Secret 与权限"),
    errors.BANNED: _l(
        "企业微信可能因多次使用错误的 Secret 封禁了本机 IP 一小时：请核对 Secret，"
        "必要时使用企业微信的“频率自助解封”"
    ),
    errors.SPAM: _l("企业微信判定内容有风险，请检查发送内容"),
    errors.OPENSSL: _l("请升级本机的 OpenSSL：企业微信不支持所用的 TLS 版本"),
    errors.SET_VARIABLE: _l("请设置 %(variable)s"),
}
