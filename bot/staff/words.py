"""What the events of staff are called."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

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

# As the audit log writes them.
ACTS: Mapping[str, LazyString] = {
    "staff.list": _l("查看成员列表"),
    "staff.look": _l("查看成员"),
    "staff.rename": _l("成员更换账号"),
    "staff.former_userid_ends": _l("旧账号已归他人"),
    "staff.set_terms": _l("修改成员的接待设置"),
}
