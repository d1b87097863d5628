"""What notices and consents are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BAD, BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "notice": {
        "delivered": Word(_l("已送达"), GOOD),
        "awaiting_consent": Word(_l("等待客户同意后发送"), BUSY),
        "refused": Word(_l("企业微信拒绝发送"), BAD),
        "missed": Word(_l("未能及时发送"), BAD),
        "unknown": Word(_l("是否送达未知"), WARN),
        "no_code": Word(_l("没有欢迎语凭证"), WARN),
        "by_hand": Word(_l("成员已人工告知"), GOOD),
    },
    "consent": {
        "agreed": Word(_l("同意存档"), GOOD),
        "refused": Word(_l("不同意存档"), BAD),
        "unknown": Word(_l("尚未答复"), QUIET),
    },
}

# Why a customer was not told.
CODE_RAN_OUT = "welcome_code_ran_out"
UNANSWERED = "notice_unanswered"
AGREEMENT_COMES_FIRST = "agreement_comes_first"
NO_CODE_CAME = "no_welcome_code"
NOT_TRIED = "no_notice_tried"
REASONS: Mapping[str, LazyString] = {
    CODE_RAN_OUT: _l("欢迎语凭证在使用前已过期"),
    UNANSWERED: _l("未收到企业微信答复，可能已送达"),
    AGREEMENT_COMES_FIRST: _l("客户需先同意存档"),
    NO_CODE_CAME: _l("企业微信未提供欢迎语凭证"),
    NOT_TRIED: _l("尚未尝试发送告知"),
}

# By the event and change type of WeCom.
EVENTS: Mapping[tuple[str, str], LazyString] = {
    ("change_external_contact", "msg_audit_approved"): _l("同意存档"),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "gap.list": _l("查看未告知客户"),
}
