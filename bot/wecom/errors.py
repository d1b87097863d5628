"""WeCom's error codes, sorted by what they ask of us."""

import re
from collections.abc import Iterable
from datetime import datetime

_FROM_IP = re.compile(r"from ip: ([0-9A-Fa-f.:]{2,45})")


class WeComError(Exception):
    """WeCom did not do what was asked; ``errcode`` None: no answer that could be read.

    ``from_ip`` is our address as WeCom saw it, where its words name one (60020 asks for it).
    """

    def __init__(self, endpoint: str, errcode: int | None, errmsg: str = "") -> None:
        self.endpoint = endpoint
        self.errcode = errcode
        found = _FROM_IP.search(errmsg)
        self.from_ip = found.group(1) if found else ""
        # WeCom appends a hint and our own address after the first comma: not for logs.
        self.errmsg = errmsg.split(", hint")[0].split(", from ip")[0][:120]
        super().__init__(endpoint, errcode, self.errmsg)

    def __str__(self) -> str:
        code = "-" if self.errcode is None else str(self.errcode)
        return f"{code} {self.endpoint}: {self.errmsg}".rstrip(": ")


class Refused(WeComError):
    """An answer: this request will not succeed. Record it and go on."""


class Transient(WeComError):
    """Try again soon. ``maybe_executed``: the request may have reached WeCom."""

    def __init__(
        self,
        endpoint: str,
        errcode: int | None,
        errmsg: str = "",
        *,
        maybe_executed: bool = False,
    ) -> None:
        super().__init__(endpoint, errcode, errmsg)
        self.maybe_executed = maybe_executed


class Throttled(WeComError):
    """Too much: wait ``wait_seconds`` at least before the next call to this endpoint."""

    def __init__(
        self, endpoint: str, errcode: int | None, errmsg: str = "", *, wait_seconds: float = 60
    ) -> None:
        super().__init__(endpoint, errcode, errmsg)
        self.wait_seconds = wait_seconds


class OperatorNeeded(WeComError):
    """Somebody must act; ``what_to_do`` says what, in one Chinese sentence."""

    def __init__(
        self, endpoint: str, errcode: int | None, errmsg: str = "", *, what_to_do: str = ""
    ) -> None:
        super().__init__(endpoint, errcode, errmsg)
        self.what_to_do = what_to_do


class Paused(WeComError):
    """No call was made: the endpoint is paused until ``until`` (UTC).

    ``cause`` is the code of the answer that began the pause; None: the network did.
    """

    def __init__(
        self, endpoint: str, until: datetime, reason: str, cause: int | None = None
    ) -> None:
        super().__init__(endpoint, None, f"paused: {reason}")
        self.until = until
        self.reason = reason
        self.cause = cause

    @property
    def needs_operator(self) -> bool:
        return needs_operator(self.cause)


GETTOKEN = "gettoken"
TOKEN_CODES = (40014, 42001)
# path 90313: only these may be repeated without looking first; 41096 and 41063 by their rows.
_TRANSIENT = (-1, 6000, 45035, 41096, 41063, 81026)
_WAITS = {45009: 60.0, 45033: 5.0, 45036: 60.0, 41094: 86_400.0}
_OPERATOR: dict[Iterable[int], str] = {
    (
        40001,
        40013,
        40091,
        45031,
        41002,
        41004,
        41024,
    ): "请核对 KEGUI_CORP_ID 与应用的 Secret，更正后重启",
    (60020, 301042, 90308): "请在企业微信后台把本机出口 IP 加入该应用的“企业可信IP”",
    (48001, 48002, 48004, 48006, 48009, 48011, 60031, 84074, 92001): (
        "请在企业微信后台检查该应用的接口权限（客户联系 > 可调用接口的应用）"
    ),
    (60030, 60011, 50003, 50006, 301007, 301002, 40056): (
        "请在企业微信后台检查该应用是否启用、可见范围与 AgentId 是否正确"
    ),
    (41045, 40126, 41055, 41095): "数量已达企业微信上限，请清理不再使用的配置",
    (610023, 610024, 90510, 701008, 701099): "请在企业微信后台处理企业的客户规模、资料或接口许可",
    (301052, 301053): "请在企业微信后台开通或续费会话内容存档",
    (40057, 43012): "请在企业微信后台检查应用的接收消息服务器配置",
    (40201, 40204): "企业微信判定内容有风险，请检查发送内容",
}
_WHAT_TO_DO = {code: text for codes, text in _OPERATOR.items() for code in codes}
TOO_OFTEN = 45009
# With gettoken it may be the ban of an address for an hour (help of 45009).
BANNED = (
    "企业微信可能因多次使用错误的 Secret 封禁了本机 IP 一小时：请核对 Secret，"
    "必要时使用企业微信的“频率自助解封”"
)
STILL_REFUSED = "换取新的 access_token 后仍被拒绝，请检查该应用的 Secret 与权限"


def needs_operator(errcode: int | None) -> bool:
    """Whether what this code says lasts until somebody acts."""
    return errcode in TOKEN_CODES or errcode in _WHAT_TO_DO


def classify(endpoint: str, errcode: int, errmsg: str) -> WeComError:
    """Return the error of a code (path 90313).

    A code that is not in our tables is a refusal: repeating what we do not understand could do
    something twice.
    """
    if errcode in _TRANSIENT:
        return Transient(endpoint, errcode, errmsg)
    if endpoint == GETTOKEN and errcode == TOO_OFTEN:
        return OperatorNeeded(endpoint, errcode, errmsg, what_to_do=BANNED)
    if errcode in _WAITS:
        return Throttled(endpoint, errcode, errmsg, wait_seconds=_WAITS[errcode])
    if errcode in TOKEN_CODES:
        return OperatorNeeded(endpoint, errcode, errmsg, what_to_do=STILL_REFUSED)
    if errcode in _WHAT_TO_DO:
        return OperatorNeeded(endpoint, errcode, errmsg, what_to_do=_WHAT_TO_DO[errcode])
    return Refused(endpoint, errcode, errmsg)
