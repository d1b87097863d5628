"""What channels register: the contact ways."""

from flask_babel import lazy_pgettext as _p

from bot.api import contact_ways as api_contact_ways
from bot.capability import Capability, Entry, Menu, Page
from bot.console import contact_ways
from bot.identity.rights import Right

CAPABILITY = Capability(
    "channels",
    endpoints=(api_contact_ways.blueprint,),
    pages=(
        Page(
            contact_ways.blueprint,
            Entry(Menu.CUSTOMERS, 40, _p("screen", "渠道活码"), "qr-code", Right.SEE_CONTACT_WAYS),
        ),
    ),
)
