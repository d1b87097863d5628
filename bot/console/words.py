"""What pages call states, kinds and codes; the words are the capabilities' own."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from bot.console.registered import registered
from bot.rights import Reach, Role
from bot.words import QUIET, Word


def word(topic: str, key: str) -> Word:
    """The word for a state or kind; an unknown one is shown as it stands."""
    return registered().words[topic].get(key) or Word(LazyString(str, key), QUIET)


def event_name(event: str, change_type: str) -> str:
    """What an event is called; one that we do not know keeps WeCom's own name."""
    known = registered().events.get((event, change_type))
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
