"""Who may see, draft and decide on the rules of allocation."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_RULE_SETS = Right(
    "rule_sets.see",
    Topic.CUSTOMERS,
    _l("查看分配规则与试算"),
    {
        Role.ADMINISTRATOR: Reach.FIRM,
        Role.COMPLIANCE_OFFICER: Reach.FIRM,
        Role.SALES_MANAGER: Reach.DEPARTMENTS,
        Role.AUDITOR: Reach.FIRM,
    },
)
DRAFT_RULE_SETS = Right(
    "rule_sets.draft",
    Topic.CUSTOMERS,
    _l("起草、试算与提交分配规则"),
    {Role.COMPLIANCE_OFFICER: Reach.FIRM, Role.SALES_MANAGER: Reach.DEPARTMENTS},
)
DECIDE_RULE_SETS = Right(
    "rule_sets.decide",
    Topic.CUSTOMERS,
    _l("复核、发布与回退分配规则"),
    {Role.COMPLIANCE_OFFICER: Reach.FIRM},
)
