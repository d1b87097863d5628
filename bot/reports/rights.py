"""Who may use the sidebar."""

from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Right, Role, Topic

SIDEBAR = Right("sidebar", Topic.CUSTOMERS, _l("使用聊天侧边栏"), {Role.STAFF: Reach.OWN})
