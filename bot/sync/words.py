"""What readings and differences are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.words import BUSY, GOOD, QUIET, WARN, Word

WORDS: Mapping[str, Mapping[str, Word]] = {
    "reading": {
        "import": Word(_l("首次导入"), QUIET),
        "repair": Word(_l("全量核对"), QUIET),
        "unassigned": Word(_l("待分配客户列表"), QUIET),
    },
    "reading_state": {
        "done": Word(_l("已完成"), GOOD),
        "running": Word(_l("正在读取"), BUSY),
        "broken_off": Word(_l("已中断，将继续"), WARN),
    },
    "difference": {
        "relation_unknown": Word(_l("未记录的联系"), QUIET),
        "relation_ended": Word(_l("实际已结束的联系"), QUIET),
        "relation_lives": Word(_l("实际仍有效的联系"), QUIET),
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
        "group_lives": Word(_l("实际仍存在的客户群"), QUIET),
        "group_not_readable": Word(_l("无法读取的客户群"), QUIET),
        "handover_finished": Word(_l("企业微信已完成的交接"), QUIET),
        "contact_way_gone": Word(_l("已删除的“联系我”"), QUIET),
        "contact_way_changed": Word(_l("变更的“联系我”"), QUIET),
    },
}

# Why a customer belongs to somebody.
REASONS: Mapping[str, LazyString] = {
    "imported_only_contact": _l("首次导入：唯一的联系成员"),
    "owner_lost_contact": _l("原归属成员与客户已无联系（由核对发现）"),
    # alarms
    "member_maybe_renamed": _l(
        "企业微信不再显示成员 %(former)s，而 %(present)s 与其客户的联系始于同一时刻，"
        "可能是同一人更换了账号"
    ),
    "do_about_member_maybe_renamed": _l(
        "请向该成员核实：如属实，请执行 kegui rename-member %(former)s %(present)s；"
        "如不是同一人，请为 %(former)s 发起离职继承"
    ),
    # what a reading leaves to a person
    "do_about_difference_member_not_readable": _l(
        "请检查该成员是否在应用可见范围内、是否仍有客户联系权限"
    ),
    "do_about_difference_several_followers": _l("有多位成员与该客户联系，请主管指定归属"),
    "do_about_difference_owner_without_contact": _l("归属成员已不再与该客户联系，请主管指定归属"),
    "do_about_difference_owner_gone": _l("归属成员已离职且没有进行中的交接，请主管指定归属"),
    "do_about_difference_member_not_shown": _l(
        "企业微信不显示该成员：若已离职请发起交接，否则请加入应用可见范围"
    ),
    "do_about_difference_member_maybe_renamed": _l(
        "该成员可能更换了账号：请核实，如属实请执行 kegui rename-member"
    ),
    "do_about_difference_member_without_service": _l(
        "该成员名下有客户但没有客户联系权限：请恢复权限，或交接其客户"
    ),
    "do_about_difference_group_not_readable": _l("请检查该客户群的群主是否在应用可见范围内"),
    "do_about_difference_contact_way_gone": _l(
        "该“联系我”已在企业微信中被删除，二维码已失效：请停用印刷品并重新创建"
    ),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "sync_run.look": _l("查看核对差异"),
}
