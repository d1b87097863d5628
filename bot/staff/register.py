"""What staff registers: members and departments."""

from flask_babel import lazy_pgettext as _p

from bot.api import staff as api_staff
from bot.capability import Capability, Entry, Page
from bot.console.staff import staff as staff_pages
from bot.rights import Topic
from bot.staff import staff
from bot.staff.rights import CHANGE_STAFF, SEE_STAFF
from bot.staff.words import ACTS, EVENTS, WORDS

CAPABILITY = Capability(
    "staff",
    rights=(
        SEE_STAFF,
        CHANGE_STAFF,
    ),
    words=WORDS,
    events=EVENTS,
    acts=ACTS,
    before_work=(staff.ask_for_unknown,),
    endpoints=(api_staff.blueprint,),
    pages=(
        Page(
            staff_pages.blueprint,
            Entry(Topic.PEOPLE, 20, _p("screen", "成员与部门"), "diagram-3", SEE_STAFF),
        ),
    ),
)
