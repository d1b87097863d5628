"""What the states, kinds and codes that models remember are called by people, and their tone."""

from collections.abc import Mapping
from typing import NamedTuple

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

GOOD, BUSY, BAD, WARN, QUIET = "good", "busy", "bad", "warn", "quiet"


class Word(NamedTuple):
    text: LazyString
    tone: str


WORDS: Mapping[str, Mapping[str, Word]] = {
    "inbox": {
        "waiting": Word(_l("等待处理"), BUSY),
        "claimed": Word(_l("处理中"), BUSY),
        "done": Word(_l("已处理"), GOOD),
        "ignored": Word(_l("无需处理"), QUIET),
        "failed": Word(_l("将重试"), WARN),
        "dead": Word(_l("处理失败"), BAD),
    },
    "handover": {
        "planned": Word(_l("计划中"), BUSY),
        "awaiting_approval": Word(_l("待审批"), WARN),
        "scheduled": Word(_l("已排期"), BUSY),
        "running": Word(_l("交接中"), BUSY),
        "done": Word(_l("已完成"), GOOD),
        "done_with_exceptions": Word(_l("已完成，有例外"), WARN),
        "cancelled": Word(_l("已取消"), QUIET),
    },
    "handover_kind": {
        "offboarding": Word(_l("离职交接"), QUIET),
        "handover": Word(_l("在职转接"), QUIET),
    },
    "mode": {
        "auto": Word(_l("自动执行"), QUIET),
        "approve": Word(_l("需主管审批"), QUIET),
    },
    "source": {
        "api": Word(_l("由人事或业务系统提交"), QUIET),
        "cli": Word(_l("由运维人员用命令行提交"), QUIET),
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
        "overtaken": Word(_l("账号已注销，改为离职接替"), QUIET),
        "failed": Word(_l("失败"), BAD),
    },
    "endpoint": {
        "transfer_customer": Word(_l("在职接替"), QUIET),
        "resigned/transfer_customer": Word(_l("离职接替"), QUIET),
        "groupchat/onjob_transfer": Word(_l("在职群转接"), QUIET),
        "groupchat/transfer": Word(_l("离职群转接"), QUIET),
    },
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
    "outcome": {
        "kept": Word(_l("归属不变"), QUIET),
        "owned": Word(_l("确定归属"), GOOD),
        "transfer": Word(_l("转给其他成员"), BUSY),
        "nobody": Word(_l("暂无归属，等待主管"), WARN),
    },
    "conflict": {
        "open": Word(_l("待处理"), WARN),
        "resolved": Word(_l("已处理"), GOOD),
    },
    "message": {
        "started": Word(_l("发送中"), BUSY),
        "done": Word(_l("已发送"), GOOD),
        "refused": Word(_l("企业微信拒绝发送"), BAD),
        "failed": Word(_l("未发送，将重试"), WARN),
        "unknown": Word(_l("是否送达未知"), WARN),
    },
    "review": {
        "several_followers": Word(_l("有多位联系成员，请主管指定归属"), WARN),
    },
}

# WeCom's event and change type, in the words that operators use.
EVENTS: Mapping[tuple[str, str], LazyString] = {
    ("change_external_contact", "add_external_contact"): _l("添加客户"),
    ("change_external_contact", "add_half_external_contact"): _l("客户免验证添加成员"),
    ("change_external_contact", "edit_external_contact"): _l("编辑客户"),
    ("change_external_contact", "del_external_contact"): _l("成员删除客户"),
    ("change_external_contact", "del_follow_user"): _l("客户删除成员"),
    ("change_external_contact", "transfer_fail"): _l("客户接替失败"),
    ("change_external_contact", "msg_audit_approved"): _l("同意存档"),
    ("change_external_chat", "create"): _l("新建客户群"),
    ("change_external_chat", "update"): _l("客户群变更"),
    ("change_external_chat", "dismiss"): _l("客户群解散"),
    ("change_external_tag", "create"): _l("新建客户标签"),
    ("change_external_tag", "update"): _l("客户标签变更"),
    ("change_external_tag", "delete"): _l("删除客户标签"),
    ("change_contact", "create_user"): _l("成员入职"),
    ("change_contact", "update_user"): _l("成员变更"),
    ("change_contact", "delete_user"): _l("成员离职"),
    ("change_contact", "create_party"): _l("新建部门"),
    ("change_contact", "update_party"): _l("部门变更"),
    ("change_contact", "delete_party"): _l("删除部门"),
    ("subscribe", ""): _l("成员可使用本应用"),
    ("unsubscribe", ""): _l("成员不再可使用本应用"),
    ("msgaudit_notify", ""): _l("有新的会话存档"),
}


def word(topic: str, key: str) -> Word:
    """The word for a state or kind; an unknown one is shown as it stands."""
    known = WORDS[topic].get(key)
    return known or Word(LazyString(str, key), QUIET)


def event_name(event: str, change_type: str) -> str:
    """What an event is called; one that we do not know keeps WeCom's own name."""
    known = EVENTS.get((event, change_type))
    return str(known) if known is not None else " ".join(filter(None, (event, change_type)))
