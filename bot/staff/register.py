"""What staff registers: members and departments."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import staff as api_staff
from bot.capability import Capability, Entry, Job, Page, daily
from bot.console.staff import staff as staff_pages
from bot.rights import Topic
from bot.staff import expiry, staff
from bot.staff.rights import CHANGE_STAFF, SEE_STAFF
from bot.staff.words import ACTS, EVENTS, REASONS, WORDS

CAPABILITY = Capability(
    "staff",
    rights=(
        SEE_STAFF,
        CHANGE_STAFF,
    ),
    words=WORDS,
    events=EVENTS,
    reasons=REASONS,
    acts=ACTS,
    jobs=(
        Job(
            "staff.look_for_expiring_licences",
            _l("提醒即将到期的资质"),
            expiry.look_for_expiring,
            daily(7, 20),
            at_start=True,
        ),
    ),
    before_work=(staff.ask_for_unknown,),
    endpoints=(api_staff.blueprint,),
    pages=(
        Page(
            staff_pages.blueprint,
            Entry(Topic.PEOPLE, 20, _p("screen", "成员与部门"), "diagram-3", SEE_STAFF),
        ),
    ),
)
