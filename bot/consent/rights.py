"""Who may see what customers are told, and who was not told."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_GAPS = Right(
    "gaps.see",
    Topic.CUSTOMERS,
    _l("查看未告知客户"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.AUDITOR: Reach.FIRM,
        Role.STAFF: Reach.OWN,
    },
)
SEE_WORDING = Right(
    "wording.see",
    Topic.COMPLIANCE,
    _l("查看合规签发的内容"),
    {
        Role.ADMINISTRATOR: Reach.FIRM,
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.REVIEWER: Reach.FIRM,
        Role.AUDITOR: Reach.FIRM,
    },
)
