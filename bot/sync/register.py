"""What sync registers: the readings."""

from flask_babel import lazy_gettext as _l

from bot.api import sync_runs
from bot.capability import Capability, Job, daily, every
from bot.jobs import readings
from bot.sync.words import ACTS, REASONS, WORDS

CAPABILITY = Capability(
    "sync",
    words=WORDS,
    reasons=REASONS,
    acts=ACTS,
    jobs=(
        Job(
            "readings.first_import",
            _l("首次导入"),
            readings.first_import,
            every(60),
            is_reading=True,
            at_start=True,
        ),
        Job("readings.go_on", _l("继续中断的核对"), readings.go_on, every(300), is_reading=True),
        Job(
            "readings.everything",
            _l("夜间全量核对"),
            readings.everything,
            daily(2, 10),
            is_reading=True,
        ),
        Job("readings.unassigned", _l("读取待分配客户列表"), readings.unassigned, every(3600)),
    ),
    endpoints=(sync_runs.blueprint,),
)
