"""What the states of events are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BAD, BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "inbox": {
        "waiting": Word(_l("等待处理"), BUSY),
        "claimed": Word(_l("处理中"), BUSY),
        "done": Word(_l("已处理"), GOOD),
        "ignored": Word(_l("无需处理"), QUIET),
        "failed": Word(_l("将重试"), WARN),
        "dead": Word(_l("处理失败"), BAD),
    },
    "lane": {
        "welcome": Word(_l("告知通道"), QUIET),
        "work": Word(_l("处理通道"), QUIET),
    },
}

# Why an event or a job did not go well, or waits.
ANOTHER_AT_IT = "busy"
DATABASE_AWAY = "database_away"
BUG = "bug"
LACKS = "event_lacks"
GROUP_COMES_LATER = "group_comes_later"
WELCOME_UNDER_WAY = "welcome_under_way"
REASONS: Mapping[str, LazyString] = {
    ANOTHER_AT_IT: _l("另一进程正在处理，稍后重试"),
    DATABASE_AWAY: _l("数据库暂时不可用"),
    BUG: _l("程序错误 %(kind)s，详见日志"),
    LACKS: _l("事件缺少 %(fields)s，无法处理"),
    GROUP_COMES_LATER: _l("等待企业微信写入客户群资料后再读取"),
    WELCOME_UNDER_WAY: _l("同一条欢迎语正在发送"),
}

# By the event and change type of WeCom.
EVENTS: Mapping[tuple[str, str], LazyString] = {
    ("msgaudit_notify", ""): _l("有新的会话存档"),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "event.replay": _l("重新处理事件"),
    "event.list": _l("查看事件列表"),
    "event.look": _l("查看事件详情"),
}
