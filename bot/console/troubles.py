"""Errors of events and jobs as people read them: what was raised, in either language."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.console.reasons import fitting
from bot.staff.names import Names

PATTERNS: Mapping[str, LazyString] = {
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
