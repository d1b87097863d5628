"""What allocation registers: its decisions."""

from flask_babel import lazy_gettext as _l

from bot.allocation import dry_runs
from bot.allocation.words import ACTS, WORDS
from bot.api import allocations, rule_sets
from bot.capability import Capability, Job, every

CAPABILITY = Capability(
    "allocation",
    words=WORDS,
    acts=ACTS,
    messages={dry_runs.MESSAGE: dry_runs.carry_out},
    jobs=(
        Job(
            "allocation.wake_dry_runs",
            _l("唤起尚未完成的规则试算"),
            dry_runs.wake_waiting,
            every(30),
        ),
    ),
    endpoints=(allocations.blueprint, rule_sets.blueprint, rule_sets.runs),
)
