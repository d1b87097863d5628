"""What the acts on contact ways are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "contact_way.make": _l("请求新建渠道活码"),
    "contact_way.made": _l("渠道活码已建立"),
    "contact_way.change": _l("修改渠道活码"),
    "contact_way.remove": _l("删除渠道活码"),
}
