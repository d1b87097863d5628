"""What the inbox registers: its nightly archive, and the events for people and machines."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import events as api_events
from bot.capability import Capability, Entry, Job, Menu, Page, daily
from bot.console import events
from bot.identity.rights import Right
from bot.jobs import inbox as inbox_jobs

CAPABILITY = Capability(
    "inbox",
    jobs=(Job("inbox.archive", _l("归档很久以前的事件"), inbox_jobs.archive, daily(3, 40)),),
    endpoints=(api_events.blueprint,),
    pages=(
        Page(
            events.blueprint,
            Entry(Menu.OPERATION, 20, _p("screen", "事件"), "inbox", Right.SEE_EVENTS),
        ),
    ),
)
