"""What handover registers: leavers, moves, and carrying them forward."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import handovers, offboardings
from bot.capability import Capability, Entry, Job, Page, every_setting
from bot.console.handover import moves
from bot.console.handover import offboardings as offboarding_pages
from bot.handover import run
from bot.handover.rights import (
    APPROVE_OFFBOARDINGS,
    MOVE_CUSTOMERS,
    OPEN_OFFBOARDINGS,
    SEE_OFFBOARDINGS,
)
from bot.handover.words import ACTS, EVENTS, REASONS, WORDS
from bot.rights import Topic

CAPABILITY = Capability(
    "handover",
    rights=(
        MOVE_CUSTOMERS,
        SEE_OFFBOARDINGS,
        OPEN_OFFBOARDINGS,
        APPROVE_OFFBOARDINGS,
    ),
    words=WORDS,
    reasons=REASONS,
    events=EVENTS,
    acts=ACTS,
    messages={"handover": run.advance},
    jobs=(
        Job(
            "handovers.wake_pending",
            _l("跟进进行中的交接"),
            run.wake_pending,
            every_setting(lambda settings: settings.transfer_poll_seconds),
        ),
    ),
    endpoints=(
        offboardings.blueprint,
        handovers.blueprint,
    ),
    pages=(
        Page(moves.blueprint),
        Page(
            offboarding_pages.blueprint,
            Entry(Topic.PEOPLE, 10, _p("screen", "交接"), "arrow-left-right", SEE_OFFBOARDINGS),
        ),
    ),
)
