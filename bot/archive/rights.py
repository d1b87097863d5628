"""Who may read the conversation archive."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

READ_ARCHIVE = Right(
    "archive.read",
    Topic.COMPLIANCE,
    _l("查阅会话存档"),
    {
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.REVIEWER: Reach.FIRM,
        Role.AUDITOR: Reach.FIRM,
    },
)
