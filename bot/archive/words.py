"""What the archive's events and acts are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

EVENTS: Mapping[tuple[str, str], LazyString] = {("msgaudit_notify", ""): _l("会话存档有新消息")}
# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "archive.search": _l("检索会话存档"),
    "archive.read": _l("查阅存档消息"),
    "archive.feed": _l("批量读取存档消息"),
    "archive.media": _l("查看存档文件"),
    "archive.completeness": _l("查看存档完整性"),
    "archive.rekey": _l("更换会话存档的主密钥"),
}
