"""Who may read the audit log."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

READ_AUDIT = Right(
    "audit.read",
    Topic.COMPLIANCE,
    _l("查阅审计日志"),
    {Role.COMPLIANCE_OFFICER: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
