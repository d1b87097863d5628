"""What operations register: alarms, pauses, keys, and how this installation is."""

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext as _p

from bot.api import alarms as api_alarms
from bot.api import pauses
from bot.capability import Capability, Entry, Job, Page, every
from bot.console.operations import alarms, operation, settings
from bot.jobs import alarms as alarm_jobs
from bot.operations import data_keys
from bot.operations.rights import LIFT_PAUSES, SEE_ALARMS, SEE_OPERATION, SEE_SETTINGS
from bot.operations.words import ACTS, REASONS, WORDS
from bot.rights import Topic
from bot.wecom.words import REASONS as OF_CALLS

CAPABILITY = Capability(
    "operations",
    rights=(
        SEE_ALARMS,
        SEE_OPERATION,
        LIFT_PAUSES,
        SEE_SETTINGS,
    ),
    words=WORDS,
    reasons={**REASONS, **OF_CALLS},
    acts=ACTS,
    jobs=(
        Job(
            "alarms.look_for_outages",
            _l("检查企业微信能否访问"),
            alarm_jobs.look_for_outages,
            every(60),
        ),
        Job(
            "alarms.look_for_refusals_of_everybody",
            _l("检查连续拒绝请求的接口"),
            alarm_jobs.look_for_refusals_of_everybody,
            every(15),
        ),
        Job(
            "alarms.look_for_silent_members",
            _l("检查没有欢迎语凭证的成员"),
            alarm_jobs.look_for_silent_members,
            every(60),
        ),
        Job(
            "alarms.look_for_late_jobs",
            _l("检查很久没有成功的定时任务"),
            alarm_jobs.look_for_late_jobs,
            every(60),
        ),
        Job(
            "alarms.end_finished_alarms",
            _l("解除已恢复的告警"),
            alarm_jobs.end_finished_alarms,
            every(60),
        ),
        Job("alarms.tell_untold", _l("补发未送达的告警"), alarm_jobs.tell_untold, every(60)),
        Job("keys.go_on", _l("把已加密内容换用最新的数据密钥"), data_keys.go_on, every(3600)),
    ),
    endpoints=(
        api_alarms.blueprint,
        pauses.blueprint,
    ),
    pages=(
        Page(
            alarms.blueprint,
            Entry(Topic.OPERATION, 10, _p("screen", "告警"), "bell", SEE_ALARMS),
        ),
        Page(
            operation.blueprint,
            Entry(Topic.OPERATION, 30, _p("screen", "运行"), "activity", SEE_OPERATION),
        ),
        Page(
            settings.blueprint,
            Entry(Topic.OPERATION, 50, _p("screen", "设置"), "sliders", SEE_SETTINGS),
        ),
    ),
)
