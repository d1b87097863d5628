"""What the events of staff are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.staff.candidate import (
    FULL,
    LEAVE,
    LEAVING,
    NOT_ACTIVE,
    NOT_SERVING,
    OFF_DUTY,
    UNKNOWN_MEMBER,
)
from bot.words import BUSY, GOOD, QUIET, Word

# Why a member gets no customer.
REASONS: Mapping[str, LazyString] = {
    NOT_ACTIVE: _l("不是在职成员"),
    NOT_SERVING: _l("没有客户联系权限"),
    LEAVING: _l("即将离职"),
    LEAVE: _l("休假中"),
    OFF_DUTY: _l("不当班"),
    FULL: _l("客户数已满"),
    UNKNOWN_MEMBER: _l("未知成员"),
    # alarms
    "licence_expires": _l("成员 %(member)s 的资质即将到期或已到期：%(licences)s"),
    "do_about_licence_expires": _l(
        "请续期后在成员页更新有效期；到期后，需要该资质的客户不再分给这位成员"
    ),
}

# By the event and change type of WeCom.
EVENTS: Mapping[tuple[str, str], LazyString] = {
    ("change_contact", "create_user"): _l("成员入职"),
    ("change_contact", "update_user"): _l("成员变更"),
    ("change_contact", "delete_user"): _l("成员离职"),
    ("change_contact", "create_party"): _l("新建部门"),
    ("change_contact", "update_party"): _l("部门变更"),
    ("change_contact", "delete_party"): _l("删除部门"),
    ("subscribe", ""): _l("成员可使用本应用"),
    ("unsubscribe", ""): _l("成员不再可使用本应用"),
}

WORDS: Mapping[str, Mapping[str, Word]] = {
    "availability": {
        "duty": Word(_l("当班"), GOOD),
        "leave": Word(_l("休假"), BUSY),
        "off": Word(_l("休息"), QUIET),
    },
}

# Why what somebody sent about a member cannot be taken, in Chinese and in English.
WRONG: Mapping[str, tuple[str, str]] = {
    "missing": ("不能为空", "it must not be empty"),
    "bad_text": ("最多 64 字，不含换行", "at most 64 characters, none of them a line end"),
    "bad_date": ("不是日期或时间", "no day or moment"),
    "bad_number": ("不是允许范围内的整数", "no number within the limits"),
    "ends_before_it_begins": ("结束早于开始", "it ends before it begins"),
    "overlap": ("两段时间重叠，请先确定以哪一段为准", "two periods overlap: say which one holds"),
    "too_many": ("条目过多", "too many of them"),
    "unknown_kind": (
        "须为 duty（当班）、leave（休假）或 off（休息）",
        "it is none of duty, leave and off",
    ),
    "unknown_member": ("没有这位成员", "there is no such member"),
    "unknown_column": ("没有这一列", "there is no such column"),
    "unknown_zone": ("不认识这个时区", "an unknown time zone"),
    "bad_rule": ("重复规则无法读取", "the rule of repetition cannot be read"),
    "no_beginning": ("事件没有开始时间", "an event without a beginning"),
    "no_end": ("事件没有结束标记", "an event that has no END"),
    "no_calendar": ("不是 iCalendar 文件", "no iCalendar file"),
    "not_a_table": ("不是可读取的 CSV 或 xlsx 文件", "no CSV or xlsx file that can be read"),
    "no_userid_column": ("第一行须有 userid（账号）一列", "the first row needs a column userid"),
    "too_large": ("文件过大", "the file is too large"),
    "empty": ("文件是空的", "the file is empty"),
}

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "staff.list": _l("查看成员列表"),
    "staff.look": _l("查看成员"),
    "staff.rename": _l("成员更换账号"),
    "staff.former_userid_ends": _l("旧账号已归他人"),
    "staff.set_terms": _l("修改成员的接待设置"),
}
