"""合规签发的内容: what customers and staff are told, and who gets a new customer, to be read."""

from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import render_template
from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from bot.allocation.rule_sets import shown_now
from bot.consent.rights import SEE_WORDING
from bot.console.gate import allow
from bot.models import Department
from bot.staff.names import names_of
from config import table

# The tables that compliance signs off, and what their entries are.
NOTICES: Mapping[str, LazyString] = {
    "consent": _l("存档告知（发给客户）"),
    "digest": _l("告知提醒（发给成员）"),
    "conflict": _l("归属冲突提醒（发给成员与主管）"),
    "alarm": _l("告警（发给运维人员）"),
    "approval": _l("审批卡片（发给主管）"),
}
NOTICE_KEYS: Mapping[str, LazyString] = {
    "text": _l("正文"),
    "wording": _l("成员人工告知的用语"),
    "gap_after_seconds": _l("超过多少秒未告知即列入“未告知客户”"),
    "awaiting_consent_hours": _l("等待客户同意多少小时"),
    "digest_every_seconds": _l("每位成员至多多少秒提醒一次"),
    "adds_without_code": _l("多少次没有欢迎语凭证即告警"),
    "owner": _l("给归属成员"),
    "contender": _l("给另一位成员"),
    "manager": _l("给主管"),
    "resolved": _l("处理结果"),
    "title": _l("标题"),
    "nobody": _l("没有接替成员时"),
    "few": _l("可直接审批时的说明"),
    "many": _l("客户过多时的说明"),
    "outcome": _l("办理之后显示"),
}

blueprint = APIBlueprint(
    "wording",
    __name__,
    template_folder="templates",
    url_prefix="/settings/tables",
    enable_openapi=False,
)


@blueprint.get("")
@allow(SEE_WORDING)
def index() -> str:
    """What customers and staff are told, and who gets a new customer, with the versions."""
    _body, decides = shown_now()
    rules = decides.rules
    numbers = [number for rule in rules for number in rule.departments]
    departments = Department.select().where(Department.id.in_(numbers))
    return render_template(
        "wording/index.html",
        notices=[
            (NOTICES.get(name, name), section["version"], _entries(section))
            for name, section in table("notices").items()
        ],
        rules=rules,
        rules_version=decides.version,
        departments={row.id: row.name or str(row.id) for row in departments},
        names=names_of(staff=[userid for rule in rules for userid in rule.userids]),
    )


def _entries(section: Mapping[str, Any]) -> list[tuple[LazyString | str, str]]:
    """What a section of a table says, by what it is; names of fields and buttons come last."""
    entries: list[tuple[LazyString | str, str]] = []
    others: list[str] = []
    for key, said in section.items():
        if key in NOTICE_KEYS:
            texts = said.values() if isinstance(said, dict) else [said]
            entries.append((NOTICE_KEYS[key], _("、").join(map(str, texts))))
        elif key != "version":
            others.append(str(said))
    return [*entries, (_("其他用语"), _("、").join(others))] if others else entries
