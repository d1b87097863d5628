"""What the outcomes of allocation are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "outcome": {
        "kept": Word(_l("归属不变"), QUIET),
        "owned": Word(_l("确定归属"), GOOD),
        "transfer": Word(_l("转给其他成员"), BUSY),
        "nobody": Word(_l("暂无归属，等待主管"), WARN),
    },
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "allocation.look": _l("查看分配依据"),
}
