"""Who may see how the service is doing, and lift a pause."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_ALARMS = Right(
    "alarms.see",
    Topic.OPERATION,
    _l("查看告警"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.COMPLIANCE_OFFICER: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
SEE_OPERATION = Right(
    "operation.see",
    Topic.OPERATION,
    _l("查看运行状况"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
LIFT_PAUSES = Right(
    "pauses.lift", Topic.OPERATION, _l("解除接口暂停"), {Role.ADMINISTRATOR: Reach.FIRM}
)
SEE_SETTINGS = Right(
    "settings.see",
    Topic.OPERATION,
    _l("查看设置"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
