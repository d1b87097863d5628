"""What the inbox registers: its nightly archive, and the events for people and machines."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import events as api_events
from bot.capability import Capability, Entry, Job, Page, daily
from bot.console.inbox import events
from bot.inbox.rights import REPLAY_EVENTS, SEE_EVENTS
from bot.inbox.words import ACTS, EVENTS, REASONS, WORDS
from bot.jobs import inbox as inbox_jobs
from bot.rights import Topic

CAPABILITY = Capability(
    "inbox",
    rights=(
        SEE_EVENTS,
        REPLAY_EVENTS,
    ),
    words=WORDS,
    events=EVENTS,
    reasons=REASONS,
    acts=ACTS,
    jobs=(Job("inbox.archive", _l("归档历史事件"), inbox_jobs.archive, daily(3, 40)),),
    endpoints=(api_events.blueprint,),
    pages=(
        Page(
            events.blueprint,
            Entry(Topic.OPERATION, 20, _p("screen", "事件"), "inbox", SEE_EVENTS),
        ),
    ),
)
