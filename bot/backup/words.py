"""What backup and restore are called in the audit log."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "backup.make": _l("备份数据库"),
    "backup.restore": _l("从备份恢复数据库"),
}
