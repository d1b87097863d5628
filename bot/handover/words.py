"""What handovers, their items and attempts are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BAD, BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "handover": {
        "planned": Word(_l("计划中"), BUSY),
        "awaiting_approval": Word(_l("待审批"), WARN),
        "scheduled": Word(_l("已排期"), BUSY),
        "running": Word(_l("交接中"), BUSY),
        "done": Word(_l("已完成"), GOOD),
        "done_with_exceptions": Word(_l("已完成，有例外"), WARN),
        "by_hand": Word(_l("待人工处理"), WARN),
        "cancelled": Word(_l("已取消"), QUIET),
    },
    "handover_kind": {
        "offboarding": Word(_l("离职继承"), QUIET),
        "handover": Word(_l("在职继承"), QUIET),
    },
    "mode": {
        "auto": Word(_l("自动执行"), QUIET),
        "approve": Word(_l("需主管审批"), QUIET),
    },
    "source": {
        "api": Word(_l("由人事或业务系统提交"), QUIET),
        "cli": Word(_l("由运维人员用命令行提交"), QUIET),
        "console": Word(_l("由人事或主管在管理台登记"), QUIET),
        "delete_user": Word(_l("企业微信通知：成员已删除"), QUIET),
        "unsubscribe": Word(_l("企业微信通知：成员不再可见，已核实离职"), QUIET),
        "unassigned_list": Word(_l("企业微信待分配客户列表"), QUIET),
        "user_status": Word(_l("企业微信成员状态：已退出"), QUIET),
        "reading": Word(_l("核对企业微信时发现：成员已离职"), QUIET),
    },
    "item": {
        "planned": Word(_l("待提交"), QUIET),
        "submitted": Word(_l("已提交"), BUSY),
        "waiting": Word(_l("等待接替"), BUSY),
        "done": Word(_l("已接替"), GOOD),
        "refused": Word(_l("客户拒绝"), BAD),
        "limit": Word(_l("客户数已满"), WARN),
        "failed": Word(_l("失败"), BAD),
        "cancelled": Word(_l("已取消"), QUIET),
    },
    "attempt": {
        "started": Word(_l("已发出，结果待查"), WARN),
        "accepted": Word(_l("企业微信已受理"), BUSY),
        "done": Word(_l("已接替"), GOOD),
        "refused": Word(_l("客户拒绝"), BAD),
        "limit": Word(_l("接替成员客户数已满"), WARN),
        "unfit": Word(_l("接替成员无法接收"), WARN),
        "not_sent": Word(_l("未提交，将重试"), QUIET),
        "overtaken": Word(_l("账号已注销，改为离职继承"), QUIET),
        "failed": Word(_l("失败"), BAD),
    },
    "endpoint": {
        "transfer_customer": Word(_l("在职继承"), QUIET),
        "resigned/transfer_customer": Word(_l("离职继承"), QUIET),
        "groupchat/onjob_transfer": Word(_l("在职群转接"), QUIET),
        "groupchat/transfer": Word(_l("离职群转接"), QUIET),
    },
}

# By the event and change type of WeCom.
EVENTS: Mapping[tuple[str, str], LazyString] = {
    ("change_external_contact", "transfer_fail"): _l("客户接替失败"),
    ("template_card_event", ""): _l("点击模板卡片"),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "offboarding.open": _l("发起离职继承"),
    "offboarding.propose": _l("提交离职继承审批"),
    "offboarding.change": _l("修改离职继承"),
    "offboarding.approve": _l("批准离职继承"),
    "offboarding.withdraw": _l("撤回离职继承审批"),
    "offboarding.cancel": _l("取消离职继承"),
    "offboarding.plan_anew": _l("接替成员不能接收，重新安排"),
    "handover.open": _l("发起在职继承"),
    "handover.change": _l("修改在职继承"),
    "handover.approve": _l("批准在职继承"),
    "handover.cancel": _l("取消在职继承"),
    "handover.plan_anew": _l("接替成员不能接收，重新安排"),
    "hand_work.done": _l("标记人工事项处理完成"),
    "hand_work.reopen": _l("人工事项改回待处理"),
    "offboarding.list": _l("查看交接列表"),
    "offboarding.look": _l("查看离职继承"),
    "handover.list": _l("查看在职继承列表"),
    "handover.look": _l("查看在职继承"),
    "card.refuse": _l("拒绝卡片上的操作"),
}
