"""What reports register: the pages that speak of all capabilities."""

from flask_babel import lazy_pgettext as _p

from bot.capability import Capability, Entry, Page
from bot.console.reports import home, sidebar
from bot.reports.rights import SIDEBAR
from bot.reports.words import ACTS
from bot.rights import Topic

CAPABILITY = Capability(
    "reports",
    rights=(SIDEBAR,),
    acts=ACTS,
    pages=(
        Page(
            home.blueprint, Entry(Topic.TODAY, 10, _p("screen", "概览"), "house", None, view="show")
        ),
        Page(sidebar.blueprint),
    ),
)
