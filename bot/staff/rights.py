"""Who may see members, and change what is known of them."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_STAFF = Right(
    "staff.see",
    Topic.PEOPLE,
    _l("查看成员与部门"),
    {
        Role.ADMINISTRATOR: Reach.FIRM,
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.HR: Reach.FIRM,
        Role.AUDITOR: Reach.FIRM,
    },
)
CHANGE_STAFF = Right(
    "staff.change",
    Topic.PEOPLE,
    _l("调整成员容量、资质与状态"),
    {Role.SALES_MANAGER: Reach.DEPARTMENTS, Role.HR: Reach.FIRM},
)
