"""What the acts on the audit log are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "audit.look": _l("查阅审计日志"),
    "audit.export": _l("导出审计日志"),
    "audit.take_key": _l("导出审计条目密钥"),
    "audit.keep_end": _l("重新确认审计链末端"),
}
