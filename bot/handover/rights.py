"""Who may move customers, open a leave and approve it."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

MOVE_CUSTOMERS = Right(
    "customers.move", Topic.CUSTOMERS, _l("在职继承客户"), {Role.SALES_MANAGER: Reach.DEPARTMENTS}
)
SEE_OFFBOARDINGS = Right(
    "offboardings.see",
    Topic.PEOPLE,
    _l("查看交接"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.HR: Reach.FIRM,
        Role.AUDITOR: Reach.FIRM,
    },
)
OPEN_OFFBOARDINGS = Right(
    "offboardings.open",
    Topic.PEOPLE,
    _l("发起离职继承"),
    {Role.SALES_MANAGER: Reach.DEPARTMENTS, Role.HR: Reach.FIRM},
)
APPROVE_OFFBOARDINGS = Right(
    "offboardings.approve",
    Topic.PEOPLE,
    _l("审批离职继承"),
    {Role.COMPLIANCE_OFFICER: Reach.FIRM, Role.SALES_MANAGER: Reach.DEPARTMENTS},
)
