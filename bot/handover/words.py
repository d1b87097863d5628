"""What handovers, their items and attempts are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.handover import rules
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
        "rules": Word(_l("按分配规则转接"), QUIET),
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

# Why an item stands where it stands. The API's contract has this one.
ALREADY_CONTACT = "already_contact"
NO_CONTACT = "no_contact_any_more"
NOT_LISTED = "contact_not_listed"
WAS_CANCELLED = "handover_was_cancelled"
ACCOUNT_VANISHED = "account_vanished"
TRANSFER_NOT_SHOWN = "transfer_not_shown"
OTHER_TRANSFER = "other_transfer_under_way"
DAILY_LIMIT = "daily_limit_goes_on_tomorrow"
TAKER_FULL = "successor_full"
TAKER_REFUSED = "successor_refused_by_wecom"
TAKER_UNFIT = "successor_unfit_by_now"
CUSTOMER_REFUSED = "customer_refused"
CUSTOMER_REFUSED_AND = "customer_refused_and_nobody_else"
GROUP_OWNER_IS = "group_owner_is"
# Why a handover cannot be opened or decided.
HANDS_OVER = "hands_over_and_takes_over"
MEMBER_HAS_LEFT = "member_has_left"
DAY_IS_SET = "handover_runs_day_is_set"
BEGUN_OR_ENDED = "handover_begun_or_ended"
WAS_CHANGED = "handover_was_changed"
REASONS: Mapping[str, LazyString] = {
    rules.NAMED: _l("发起人指定"),
    rules.LEAST_LOADED_NAMED: _l("发起人指定的成员中客户数最少"),
    rules.LEAST_LOADED: _l("同部门，客户最少"),
    rules.LEAST_LOADED_ELSEWHERE: _l("其他部门，客户最少"),
    rules.NO_SUCCESSOR: _l("没有可接替的成员"),
    rules.EVERYBODY_TRIED_OR_FULL: _l("所有接替成员都已尝试过或客户数已满"),
    rules.EVERYBODY_FULL_OR_UNFIT: _l("所有接替成员客户数已满或不符合条件"),
    ALREADY_CONTACT: _l("客户已有其他联系成员，只变更归属"),
    NO_CONTACT: _l("与客户已无联系"),
    NOT_LISTED: _l("企业微信已不再列出该联系"),
    WAS_CANCELLED: _l("交接已取消"),
    ACCOUNT_VANISHED: _l("等待期间账号已注销，改为离职继承"),
    TRANSFER_NOT_SHOWN: _l("企业微信查不到该次接替"),
    OTHER_TRANSFER: _l("该客户当时正由另一成员交接，将再次接替"),
    DAILY_LIMIT: _l("已达每位群主每日接收上限，明日继续"),
    TAKER_FULL: _l("%(member)s 的客户数已满"),
    TAKER_REFUSED: _l("%(member)s 无法接收（错误码 %(errcode)s）"),
    TAKER_UNFIT: _l("%(member)s 不能再接替：%(why)s"),
    CUSTOMER_REFUSED: _l("客户拒绝由 %(member)s 接替"),
    CUSTOMER_REFUSED_AND: _l("客户拒绝由 %(member)s 接替；%(why)s"),
    GROUP_OWNER_IS: _l("企业微信显示群主为 %(member)s"),
    rules.ANSWERED: _l("企业微信返回错误码 %(errcode)s"),
    "customer_unknown_to_wecom": _l("企业微信查不到该客户"),
    "customer_transferred_twice": _l("该客户 90 天内已被转接两次"),
    "successor_is_same_member": _l("接替成员与原成员相同"),
    "member_not_in_contact": _l("该成员与客户已不是联系人"),
    "contact_is_one_sided": _l("单向联系：成员尚未添加客户"),
    "not_a_customer_group": _l("不是客户群"),
    "group_needs_confirmation": _l("该群需在企业微信客户端中确认"),
    "group_unknown_to_wecom": _l("企业微信查不到该群"),
    "group_dismissed": _l("该群已解散"),
    "moved_by_offboarding": _l("%(handover)s 号离职继承"),
    "moved_by_handover": _l("%(handover)s 号在职继承"),
    HANDS_OVER: _l("正是要交接的成员"),
    MEMBER_HAS_LEFT: _l("该成员已离职，请发起离职继承"),
    DAY_IS_SET: _l("交接已开始，不能再改日期"),
    BEGUN_OR_ENDED: _l("交接刚刚开始或结束"),
    WAS_CHANGED: _l("交接刚刚被修改"),
    "handover_cancelled": _l("交接已取消"),
    "handover_done": _l("交接已完成"),
    "handover_done_with_exceptions": _l("交接已完成，部分客户未能转出"),
    # What a person does by hand.
    "way_leads_to_nobody": _l("没有可接替的成员，请手工处理"),
    "way_change_refused": _l("企业微信拒绝修改（错误码 %(errcode)s），请手工处理"),
    "way_change_unreadable": _l("企业微信的应答无法读取，请手工核对该联系我是否已修改"),
    "way_is_not_ours": _l("联系我“%(way)s”不是由客规创建，请在创建它的系统中移除离职成员"),
    # alarms
    "leaver_gone_unapproved": _l(
        "成员 %(member)s 的账号已不存在，但%(handover)s 号离职继承尚未审批"
    ),
    "do_about_leaver_gone_unapproved": _l("请主管尽快审批该交接，否则客户无人服务"),
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
