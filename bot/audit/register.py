"""What the audit log registers: sealing, signing, verifying, and reading it."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import audit as api_audit
from bot.audit.rights import READ_AUDIT
from bot.audit.words import ACTS, REASONS
from bot.capability import Capability, Entry, Job, Page, daily, every
from bot.console.audit import audit
from bot.jobs import audit as audit_jobs
from bot.rights import Topic

CAPABILITY = Capability(
    "audit",
    rights=(READ_AUDIT,),
    reasons=REASONS,
    acts=ACTS,
    jobs=(
        Job("audit.seal", _l("封存审计日志"), audit_jobs.seal, every(3)),
        Job("audit.look", _l("检查审计日志是否按时加封"), audit_jobs.look, every(60)),
        Job(
            "audit.keep_anchors",
            _l("在数据库之外保存审计日志的签名"),
            audit_jobs.keep_anchors,
            every(300),
        ),
        Job("audit.anchor", _l("每晚为审计日志签名"), audit_jobs.anchor, daily(0, 5)),
        Job("audit.verify", _l("每晚校验审计日志"), audit_jobs.verify, daily(1, 20)),
        Job("audit.verify_again", _l("复核有问题的审计日志"), audit_jobs.verify_again, every(3600)),
    ),
    endpoints=(api_audit.blueprint,),
    pages=(
        Page(
            audit.blueprint,
            Entry(Topic.COMPLIANCE, 10, _p("screen", "审计日志"), "journal-check", READ_AUDIT),
        ),
    ),
)
