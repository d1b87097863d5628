"""Who may see and change contact ways."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_CONTACT_WAYS = Right(
    "contact_ways.see",
    Topic.CUSTOMERS,
    _l("查看渠道活码"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.AUDITOR: Reach.FIRM,
    },
)
CHANGE_CONTACT_WAYS = Right(
    "contact_ways.change",
    Topic.CUSTOMERS,
    _l("新建与修改渠道活码"),
    {Role.SALES_MANAGER: Reach.DEPARTMENTS},
)
