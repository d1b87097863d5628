"""What staff registers: members and departments."""

from flask_babel import lazy_pgettext as _p

from bot.api import staff as api_staff
from bot.capability import Capability, Entry, Menu, Page
from bot.console import staff as staff_pages
from bot.identity.rights import Right
from bot.staff import staff

CAPABILITY = Capability(
    "staff",
    before_work=(staff.ask_for_unknown,),
    endpoints=(api_staff.blueprint,),
    pages=(
        Page(
            staff_pages.blueprint,
            Entry(Menu.PEOPLE, 20, _p("screen", "成员与部门"), "diagram-3", Right.SEE_STAFF),
        ),
    ),
)
