"""What allocation registers: its decisions."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.allocation import dry_runs, gaps
from bot.allocation.rights import DECIDE_RULE_SETS, DRAFT_RULE_SETS, SEE_RULE_SETS
from bot.allocation.words import ACTS, REASONS, WORDS
from bot.api import allocations, rule_sets
from bot.capability import Capability, Entry, Job, Page, daily, every
from bot.console.allocation import rule_sets as pages
from bot.rights import Topic

CAPABILITY = Capability(
    "allocation",
    rights=(SEE_RULE_SETS, DRAFT_RULE_SETS, DECIDE_RULE_SETS),
    words=WORDS,
    reasons=REASONS,
    acts=ACTS,
    messages={dry_runs.MESSAGE: dry_runs.carry_out},
    jobs=(
        Job(
            "allocation.wake_dry_runs",
            _l("唤起尚未完成的规则试算"),
            dry_runs.wake_waiting,
            every(30),
        ),
        Job(
            "allocation.look_at_calendar",
            _l("检查工作日历是否缺少年份"),
            gaps.look_at_calendar,
            daily(7, 10),
        ),
    ),
    endpoints=(allocations.blueprint, rule_sets.blueprint, rule_sets.runs),
    pages=(
        Page(
            pages.blueprint,
            Entry(Topic.CUSTOMERS, 50, _p("screen", "分配规则"), "signpost-split", SEE_RULE_SETS),
        ),
    ),
)
