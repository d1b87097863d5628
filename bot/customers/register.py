"""What customers register: the list, and conflicts over them."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import conflicts as api_conflicts
from bot.api import customers as api_customers
from bot.capability import Capability, Entry, Job, Page, every
from bot.console.customers import conflicts as conflict_pages
from bot.console.customers import customers
from bot.customers import conflicts
from bot.customers.rights import RESOLVE_CONFLICTS, REVEAL_PHONES, SEE_CONFLICTS, SEE_CUSTOMERS
from bot.customers.words import ACTS, EVENTS, REASONS, WORDS
from bot.rights import Topic

CAPABILITY = Capability(
    "customers",
    rights=(
        SEE_CUSTOMERS,
        REVEAL_PHONES,
        SEE_CONFLICTS,
        RESOLVE_CONFLICTS,
    ),
    words=WORDS,
    events=EVENTS,
    reasons=REASONS,
    acts=ACTS,
    messages={"conflict": conflicts.tell_resolution},
    jobs=(
        Job(
            "conflicts.wake_untold", _l("通知归属冲突的处理结果"), conflicts.wake_untold, every(15)
        ),
    ),
    endpoints=(
        api_customers.blueprint,
        api_conflicts.blueprint,
    ),
    pages=(
        Page(
            customers.blueprint,
            Entry(Topic.CUSTOMERS, 10, _p("screen", "客户"), "people", SEE_CUSTOMERS),
        ),
        Page(
            conflict_pages.blueprint,
            Entry(
                Topic.CUSTOMERS, 20, _p("screen", "客户归属冲突"), "arrows-collapse", SEE_CONFLICTS
            ),
        ),
    ),
)
