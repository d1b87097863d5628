"""What identity registers: logins, roles, tokens, and what ends them."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.capability import Capability, Entry, Job, Page, daily, every
from bot.console.identity import account, login, purpose, rights, step_up, tokens
from bot.identity import access_rows, leavers_access
from bot.identity.rights import (
    CHANGE_TOKENS,
    DECIDE_ROLES,
    END_LOGINS,
    PROPOSE_ROLES,
    SEE_LOGINS,
    SEE_RIGHTS,
    SEE_TOKENS,
)
from bot.identity.words import ACTS, REASONS, WORDS
from bot.jobs import api_access
from bot.rights import Topic

CAPABILITY = Capability(
    "identity",
    rights=(
        SEE_RIGHTS,
        PROPOSE_ROLES,
        DECIDE_ROLES,
        SEE_LOGINS,
        END_LOGINS,
        SEE_TOKENS,
        CHANGE_TOKENS,
    ),
    words=WORDS,
    reasons=REASONS,
    acts=ACTS,
    jobs=(
        Job(
            "leavers.take_access",
            _l("收回离职成员的登录、令牌与角色"),
            leavers_access.take_from_all,
            every(60),
        ),
        Job(
            "access.look_for_forged",
            _l("检查准入记录是否被绕过客规改动"),
            access_rows.look_for_forged,
            every(300),
        ),
        Job(
            "api_access.forget_old_answers",
            _l("清理过期的接口应答记录"),
            api_access.forget_old_answers,
            daily(4, 40),
        ),
    ),
    pages=(
        Page(login.blueprint),
        Page(step_up.blueprint),
        Page(purpose.blueprint),
        Page(account.blueprint),
        Page(
            rights.blueprint,
            Entry(Topic.COMPLIANCE, 20, _p("screen", "角色与权限"), "key", SEE_RIGHTS),
        ),
        Page(
            tokens.blueprint,
            Entry(Topic.OPERATION, 40, _p("screen", "接口令牌"), "plug", SEE_TOKENS),
        ),
    ),
)
