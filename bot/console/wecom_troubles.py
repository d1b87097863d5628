"""What WeCom answered instead of doing something, as a sentence for whoever asked for it."""

from collections.abc import Mapping
from datetime import timedelta

from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot import clock
from bot.console.pages import lasting
from bot.reason import in_words
from bot.wecom import OperatorNeeded, Paused, Throttled, Transient, WeComError

# Refusals that the person can do something about (paths 90313 and 92228).
REFUSALS: Mapping[int, LazyString] = {
    40003: _l("企业微信不认识其中一位成员，或该成员不在应用可见范围内。请更换成员后再试。"),
    40058: _l("企业微信不接受其中一项内容。请检查长度与特殊字符后再试。"),
    41041: _l("使用成员超过 100 位，请减少后再试。"),
    41042: _l("企业微信不接受这些使用成员。请更换成员后再试。"),
    41044: _l("企业微信中已没有这个渠道活码，二维码已失效。请删除它并重新创建。"),
    41054: _l(
        "其中有成员尚未激活企业微信、未实名认证，或没有客户联系权限。请更换成员，"
        "或在企业微信后台开通后再试。"
    ),
    60111: _l("企业微信不认识其中一位成员，或该成员不在应用可见范围内。请更换成员后再试。"),
}


def sentence(error: WeComError) -> str:
    """Say what happened and what to do, in the reader's language."""
    code = error.errcode or 0
    if isinstance(error, Paused):
        text = _(
            "企业微信的这个接口已暂停调用，约%(time)s后恢复。没有做任何改动，请届时再试。",
            time=_at_least_a_minute(error.until - clock.now()),
        )
    elif isinstance(error, Throttled):
        text = _(
            "企业微信认为调用过于频繁，没有做任何改动。约%(time)s后可再试。",
            time=_at_least_a_minute(timedelta(seconds=error.wait_seconds)),
        )
    elif isinstance(error, OperatorNeeded):
        what = in_words(error.what_to_do)
        text = _("企业微信拒绝了这次请求，需要运维人员处理：%(what)s。", what=what)
    elif isinstance(error, Transient) and error.maybe_executed:
        text = _("请求已发出，但没有收到企业微信的答复，可能已经生效。请稍后再提交一次。")
    elif isinstance(error, Transient):
        text = _("暂时无法连接企业微信，没有做任何改动。请稍后再试。")
    elif code in REFUSALS:
        text = str(REFUSALS[code])
    else:
        text = _("企业微信拒绝了这次请求（错误码 %(code)s）。请检查填写的内容。", code=code)
    return text


def _at_least_a_minute(wait: timedelta) -> str:
    return lasting(max(wait, timedelta(minutes=1)))
