"""What became of a call to WeCom, in words."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.wecom.errors import NO_ANSWER, PAUSED, REFUSED

REASONS: Mapping[str, LazyString] = {
    NO_ANSWER: _l("接口 %(endpoint)s 没有答复"),
    PAUSED: _l("接口 %(endpoint)s 暂停调用，稍后重试"),
    REFUSED: _l("企业微信拒绝了接口 %(endpoint)s（错误码 %(errcode)s）"),
}
