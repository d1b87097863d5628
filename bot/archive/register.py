"""What the conversation archive registers: its watch, its proof, and how it is read."""

from flask_babel import lazy_gettext as _l

from bot.api import archive as api_archive
from bot.archive import jobs
from bot.archive.rights import READ_ARCHIVE
from bot.archive.words import ACTS, EVENTS, REASONS
from bot.capability import Capability, Job, daily, every

CAPABILITY = Capability(
    "archive",
    rights=(READ_ARCHIVE,),
    events=EVENTS,
    reasons=REASONS,
    acts=ACTS,
    endpoints=(api_archive.blueprint,),
    jobs=(
        Job("archive.look", _l("检查会话存档是否按时拉取"), jobs.look, every(60)),
        Job(
            "archive.check_consents",
            _l("核对客户是否同意会话存档"),
            jobs.check_consents,
            daily(3, 20),
        ),
        Job("archive.anchor", _l("每晚为会话存档签名"), jobs.anchor, daily(0, 10)),
        Job(
            "archive.keep_anchors",
            _l("在数据库之外保存会话存档的签名"),
            jobs.keep_anchors,
            every(300),
        ),
        Job("archive.verify", _l("每晚校验会话存档"), jobs.verify, daily(2, 10)),
    ),
)
