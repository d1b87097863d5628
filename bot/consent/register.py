"""What consent registers: the notices, and who was not told."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import gaps as api_gaps
from bot.capability import Capability, Entry, Job, Page, every
from bot.consent import notices
from bot.consent.rights import SEE_GAPS, SEE_WORDING
from bot.consent.words import ACTS, EVENTS, REASONS, WORDS
from bot.console.consent import gaps, wording
from bot.rights import Topic

CAPABILITY = Capability(
    "consent",
    rights=(
        SEE_GAPS,
        SEE_WORDING,
    ),
    words=WORDS,
    reasons=REASONS,
    events=EVENTS,
    acts=ACTS,
    jobs=(
        Job("notices.send_digests", _l("提醒成员人工告知客户"), notices.send_digests, every(15)),
    ),
    endpoints=(api_gaps.blueprint,),
    pages=(
        Page(
            gaps.blueprint,
            Entry(Topic.CUSTOMERS, 30, _p("screen", "未告知客户"), "chat-left-dots", SEE_GAPS),
        ),
        Page(
            wording.blueprint,
            Entry(
                Topic.COMPLIANCE,
                30,
                _p("screen", "合规签发的内容"),
                "patch-check",
                SEE_WORDING,
            ),
        ),
    ),
)
