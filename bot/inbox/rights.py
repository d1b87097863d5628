"""Who may see events, and replay them."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SEE_EVENTS = Right(
    "events.see",
    Topic.OPERATION,
    _l("查看事件"),
    {Role.ADMINISTRATOR: Reach.FIRM, Role.COMPLIANCE_OFFICER: Reach.FIRM, Role.AUDITOR: Reach.FIRM},
)
REPLAY_EVENTS = Right(
    "events.replay", Topic.OPERATION, _l("重新处理事件"), {Role.ADMINISTRATOR: Reach.FIRM}
)
