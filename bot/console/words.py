"""What the states, kinds and codes that models remember are called by people, and their tone."""

from collections.abc import Mapping
from typing import NamedTuple

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.rights import Reach, Role

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
        "by_hand": Word(_l("待人工处理"), WARN),
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
    "message_template": {
        "conflict.owner": Word(_l("撞单通知"), QUIET),
        "conflict.contender": Word(_l("撞单通知"), QUIET),
        "conflict.resolved": Word(_l("撞单处理结果通知"), QUIET),
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
    "came_by": {
        "reading": Word(_l("对账发现"), WARN),
        "handover": Word(_l("交接带来"), WARN),
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
    "lane": {
        "welcome": Word(_l("告知通道"), QUIET),
        "work": Word(_l("处理通道"), QUIET),
    },
    "pause": {
        "operator": Word(_l("需要运维处理"), BAD),
        "itself": Word(_l("自动恢复"), BUSY),
        "unproven": Word(_l("等待下一次调用验证"), QUIET),
    },
    "secret": {
        "app": Word(_l("自建应用"), QUIET),
        "contacts": Word(_l("通讯录同步"), QUIET),
        "archive": Word(_l("会话内容存档"), QUIET),
    },
    "job_state": {
        "never": Word(_l("尚未运行"), QUIET),
        "running": Word(_l("正在运行"), BUSY),
        "done": Word(_l("成功"), GOOD),
        "failed": Word(_l("失败，下次再试"), WARN),
        "unfinished": Word(_l("没有结束"), WARN),
    },
    "reading": {
        "import": Word(_l("首次导入"), QUIET),
        "repair": Word(_l("全量对账"), QUIET),
        "unassigned": Word(_l("待分配客户列表"), QUIET),
    },
    "reading_state": {
        "done": Word(_l("已完成"), GOOD),
        "running": Word(_l("正在读取"), BUSY),
        "broken_off": Word(_l("已中断，将继续"), WARN),
    },
    "difference": {
        "relation_unknown": Word(_l("未记录的联系"), QUIET),
        "relation_ended": Word(_l("已结束的联系"), QUIET),
        "relation_lives": Word(_l("仍在的联系"), QUIET),
        "relation_began_anew": Word(_l("重新建立的联系"), QUIET),
        "half_became_whole": Word(_l("单向联系变为双向"), QUIET),
        "channel_changed": Word(_l("添加渠道变更"), QUIET),
        "name_changed": Word(_l("客户改名"), QUIET),
        "type_changed": Word(_l("客户类型变更"), QUIET),
        "member_not_readable": Word(_l("无法读取客户的成员"), QUIET),
        "owner_missing": Word(_l("没有归属的客户"), QUIET),
        "several_followers": Word(_l("有多位联系成员的客户"), QUIET),
        "owner_without_contact": Word(_l("归属成员已不再联系"), QUIET),
        "owner_gone": Word(_l("归属成员已离职"), QUIET),
        "member_joined": Word(_l("新成员"), QUIET),
        "member_renamed": Word(_l("成员改名"), QUIET),
        "member_moved": Word(_l("成员调部门"), QUIET),
        "member_status": Word(_l("成员状态变更"), QUIET),
        "member_returned": Word(_l("成员恢复在职"), QUIET),
        "member_serves": Word(_l("成员获得客户联系权限"), QUIET),
        "member_serves_no_more": Word(_l("成员失去客户联系权限"), QUIET),
        "leader_changed": Word(_l("成员上级变更"), QUIET),
        "member_left": Word(_l("成员已离职"), QUIET),
        "member_not_shown": Word(_l("企业微信不显示的成员"), QUIET),
        "member_maybe_renamed": Word(_l("可能更换了账号的成员"), QUIET),
        "member_without_service": Word(_l("有客户但没有权限的成员"), QUIET),
        "leaver_unreported": Word(_l("未通知的离职"), QUIET),
        "department_unknown": Word(_l("新部门"), QUIET),
        "department_renamed": Word(_l("部门改名"), QUIET),
        "department_moved": Word(_l("部门移动"), QUIET),
        "department_leaders": Word(_l("部门负责人变更"), QUIET),
        "department_gone": Word(_l("已撤销的部门"), QUIET),
        "group_unknown": Word(_l("未记录的客户群"), QUIET),
        "group_owner_changed": Word(_l("群主变更"), QUIET),
        "group_dismissed": Word(_l("已解散的客户群"), QUIET),
        "group_lives": Word(_l("仍在的客户群"), QUIET),
        "group_not_readable": Word(_l("无法读取的客户群"), QUIET),
        "handover_finished": Word(_l("企业微信已完成的交接"), QUIET),
        "contact_way_gone": Word(_l("已删除的“联系我”"), QUIET),
        "contact_way_changed": Word(_l("变更的“联系我”"), QUIET),
    },
    "review": {
        "several_followers": Word(_l("有多位联系成员，请主管指定归属"), WARN),
    },
    "proposal": {
        "open": Word(_l("等待复核"), WARN),
        "approved": Word(_l("已批准"), GOOD),
        "rejected": Word(_l("已驳回"), BAD),
        "withdrawn": Word(_l("已撤回"), QUIET),
    },
    "token": {
        "holds": Word(_l("有效"), GOOD),
        "expires_soon": Word(_l("即将到期"), WARN),
        "waiting": Word(_l("等待负责人同意"), WARN),
        "maker_lost": Word(_l("制作人已离职或不再是管理员，已失效"), BAD),
        "expired": Word(_l("已到期"), QUIET),
        "orphaned": Word(_l("负责人已离职，已失效"), BAD),
        "not_genuine": Word(_l("记录并非客规写入或被改动，已失效"), BAD),
        "revoked": Word(_l("已作废"), QUIET),
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
    ("template_card_event", ""): _l("点击模板卡片"),
}


def word(topic: str, key: str) -> Word:
    """The word for a state or kind; an unknown one is shown as it stands."""
    known = WORDS[topic].get(key)
    return known or Word(LazyString(str, key), QUIET)


def event_name(event: str, change_type: str) -> str:
    """What an event is called; one that we do not know keeps WeCom's own name."""
    known = EVENTS.get((event, change_type))
    return str(known) if known is not None else " ".join(filter(None, (event, change_type)))


ROLES: Mapping[Role, LazyString] = {
    Role.ADMINISTRATOR: _l("系统管理员"),
    Role.COMPLIANCE_OFFICER: _l("合规专员"),
    Role.REVIEWER: _l("质检审核员"),
    Role.SALES_MANAGER: _l("销售主管"),
    Role.HR: _l("人事"),
    Role.AUDITOR: _l("审计"),
    Role.STAFF: _l("客户经理"),
}

REACHES: Mapping[Reach, LazyString] = {
    Reach.FIRM: _l("全公司"),
    Reach.DEPARTMENTS: _l("所辖部门"),
    Reach.OWN: _l("本人"),
}
