"""Who may see and change roles, logins and tokens."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_RIGHTS = Right(
    "rights.see",
    Topic.COMPLIANCE,
    _l("查看角色与权限"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.COMPLIANCE_OFFICER: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
PROPOSE_ROLES = Right(
    "roles.propose",
    Topic.COMPLIANCE,
    _l("提议角色变更"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.COMPLIANCE_OFFICER: Reach.FIRM},
)
DECIDE_ROLES = Right(
    "roles.decide",
    Topic.COMPLIANCE,
    _l("复核角色变更"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.COMPLIANCE_OFFICER: Reach.FIRM},
)
SEE_LOGINS = Right(
    "logins.see",
    Topic.COMPLIANCE,
    _l("查看所有人的登录"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
END_LOGINS = Right(
    "logins.end", Topic.COMPLIANCE, _l("结束他人的登录"), {Role.ADMINISTRATOR: Reach.FIRM}
)
SEE_TOKENS = Right(
    "tokens.see",
    Topic.OPERATION,
    _l("查看接口令牌"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
CHANGE_TOKENS = Right(
    "tokens.change", Topic.OPERATION, _l("新建与作废接口令牌"), {Role.ADMINISTRATOR: Reach.FIRM}
)
