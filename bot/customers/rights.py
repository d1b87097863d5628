"""Who may see customers, and settle conflicts over them."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_CUSTOMERS = Right(
    "customers.see",
    Topic.CUSTOMERS,
    _l("查看客户"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.REVIEWER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.AUDITOR: Reach.FIRM,
        Role.STAFF: Reach.OWN,
    },
)
REVEAL_PHONES = Right(
    "phones.reveal",
    Topic.CUSTOMERS,
    _l("查看完整手机号"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.STAFF: Reach.OWN,
    },
)
SEE_CONFLICTS = Right(
    "conflicts.see",
    Topic.CUSTOMERS,
    _l("查看归属冲突"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.AUDITOR: Reach.FIRM,
        Role.STAFF: Reach.OWN,
    },
)
RESOLVE_CONFLICTS = Right(
    "conflicts.resolve",
    Topic.CUSTOMERS,
    _l("裁定归属冲突"),
    {Role.SALES_MANAGER: Reach.DEPARTMENTS},
)
