"""What reports register: the pages that speak of all capabilities."""

from flask_babel import lazy_pgettext as _p

from bot.capability import Capability, Entry, Menu, Page
from bot.console import home, sidebar

CAPABILITY = Capability(
    "reports",
    pages=(
        Page(
            home.blueprint, Entry(Menu.TODAY, 10, _p("screen", "概览"), "house", None, view="show")
        ),
        Page(sidebar.blueprint),
    ),
)
