"""What looks at pages of all capabilities are called in the audit log."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "sidebar.look": _l("在聊天侧边栏查看客户"),
    "home.look": _l("查看概览中的客户"),
}
