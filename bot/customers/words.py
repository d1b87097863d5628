"""What relations and conflicts are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "message_template": {
        "conflict.owner": Word(_l("归属冲突通知"), QUIET),
        "conflict.contender": Word(_l("归属冲突通知"), QUIET),
        "conflict.resolved": Word(_l("归属冲突处理结果通知"), QUIET),
    },
    "relation": {
        "active": Word(_l("联系中"), GOOD),
        "half": Word(_l("单向联系"), BUSY),
        "ended": Word(_l("已结束"), QUIET),
    },
    "relation_end": {
        "transferred": Word(_l("客户已转接"), QUIET),
        "deleted_by_member": Word(_l("成员删除了客户"), QUIET),
        "deleted_by_customer": Word(_l("客户删除了成员"), QUIET),
        "not_listed": Word(_l("企业微信已不再列出"), QUIET),
    },
    "relation_source": {
        "event": Word(_l("客户添加"), QUIET),
        "import": Word(_l("首次导入"), QUIET),
        "repair": Word(_l("夜间核对发现"), QUIET),
        "transfer": Word(_l("交接"), QUIET),
    },
    "came_by": {
        "reading": Word(_l("核对发现"), WARN),
        "handover": Word(_l("交接带来"), WARN),
    },
    "conflict": {
        "open": Word(_l("待处理"), WARN),
        "resolved": Word(_l("已处理"), GOOD),
    },
    "review": {
        "several_followers": Word(_l("有多位联系成员，请主管指定归属"), WARN),
    },
}

# Why a customer belongs to somebody.
CONFLICT_SETTLED = "conflict_settled"
REASONS: Mapping[str, LazyString] = {
    CONFLICT_SETTLED: _l("%(conflict)s 号归属冲突的处理结果"),
    "contenders_are_one_member": _l("归属成员与争议成员是同一人"),
    # alarms
    "phones_revealed_often": _l("成员 %(member)s 一小时内查看了 %(most)s 位客户的手机号，已达上限"),
    "do_about_phones_revealed_often": _l(
        "请在审计日志中核对该成员查看手机号的记录；确属工作需要的，可调整 KEGUI_PHONES_PER_HOUR"
    ),
}

# By the event and change type of WeCom.
EVENTS: Mapping[tuple[str, str], LazyString] = {
    ("change_external_contact", "add_external_contact"): _l("添加客户"),
    ("change_external_contact", "add_half_external_contact"): _l("客户免验证添加成员"),
    ("change_external_contact", "edit_external_contact"): _l("编辑客户"),
    ("change_external_contact", "del_external_contact"): _l("成员删除客户"),
    ("change_external_contact", "del_follow_user"): _l("客户删除成员"),
    ("change_external_chat", "create"): _l("新建客户群"),
    ("change_external_chat", "update"): _l("客户群变更"),
    ("change_external_chat", "dismiss"): _l("客户群解散"),
    ("change_external_tag", "create"): _l("新建客户标签"),
    ("change_external_tag", "update"): _l("客户标签变更"),
    ("change_external_tag", "delete"): _l("删除客户标签"),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "conflict.resolve": _l("裁定归属冲突"),
    "customer.list": _l("查看客户列表"),
    "customer.look": _l("查看客户详情"),
    "customer.reveal_phones": _l("查看客户手机号"),
    "customer.refuse_phones": _l("查看手机号过多，被拒绝"),
    "customer.timeline": _l("查看客户经过"),
    "conflict.open": _l("上报归属冲突"),
    "conflict.list": _l("查看归属冲突列表"),
    "conflict.look": _l("查看归属冲突"),
}
