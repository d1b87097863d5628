"""What channels register: the contact ways."""

from flask_babel import lazy_pgettext as _p

from bot.api import contact_ways as api_contact_ways
from bot.capability import Capability, Entry, Page
from bot.channels.rights import CHANGE_CONTACT_WAYS, SEE_CONTACT_WAYS
from bot.channels.words import ACTS
from bot.console.channels import contact_ways
from bot.rights import Topic

CAPABILITY = Capability(
    "channels",
    rights=(
        SEE_CONTACT_WAYS,
        CHANGE_CONTACT_WAYS,
    ),
    acts=ACTS,
    endpoints=(api_contact_ways.blueprint,),
    pages=(
        Page(
            contact_ways.blueprint,
            Entry(Topic.CUSTOMERS, 40, _p("screen", "渠道活码"), "qr-code", SEE_CONTACT_WAYS),
        ),
    ),
)
