"""The way through the console: the screens that somebody may open, in groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from flask import current_app, request
from flask_babel import LazyString
from flask_babel import lazy_pgettext as _p

from bot.console import gate
from bot.console.words import ROLES
from bot.identity.rights import RIGHTS, Right, Role


class Entry(NamedTuple):
    """A screen, what it is called, and the right that opens it."""

    endpoint: str
    text: LazyString
    icon: str
    right: Right | None


class Group(NamedTuple):
    title: LazyString
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Screen:
    endpoint: str
    text: LazyString
    icon: str
    is_here: bool
    count: int | None = None


class Shown(NamedTuple):
    title: LazyString
    screens: list[Screen]


class Person(NamedTuple):
    name: str
    roles: list[LazyString]
    is_local: bool


GROUPS = (
    Group(
        _p("menu", "今日"),
        (Entry("console.home.show", _p("screen", "概览"), "house", None),),
    ),
    Group(
        _p("menu", "客户"),
        (
            Entry("console.customers.index", _p("screen", "客户"), "people", Right.SEE_CUSTOMERS),
            Entry(
                "console.conflicts.index",
                _p("screen", "撞单"),
                "arrows-collapse",
                Right.SEE_CONFLICTS,
            ),
            Entry("console.gaps.index", _p("screen", "告知缺口"), "chat-left-dots", Right.SEE_GAPS),
            Entry(
                "console.contact_ways.index",
                _p("screen", "渠道活码"),
                "qr-code",
                Right.SEE_CONTACT_WAYS,
            ),
        ),
    ),
    Group(
        _p("menu", "人员"),
        (
            Entry(
                "console.offboardings.index",
                _p("screen", "交接"),
                "arrow-left-right",
                Right.SEE_OFFBOARDINGS,
            ),
            Entry("console.staff.index", _p("screen", "成员与部门"), "diagram-3", Right.SEE_STAFF),
        ),
    ),
    Group(
        _p("menu", "合规"),
        (
            Entry(
                "console.audit.index", _p("screen", "审计日志"), "journal-check", Right.READ_AUDIT
            ),
            Entry("console.rights.index", _p("screen", "角色与权限"), "key", Right.SEE_RIGHTS),
            Entry(
                "console.wording.index",
                _p("screen", "合规签发的内容"),
                "patch-check",
                Right.SEE_WORDING,
            ),
        ),
    ),
    Group(
        _p("menu", "运维"),
        (
            Entry("console.alarms.index", _p("screen", "告警"), "bell", Right.SEE_ALARMS),
            Entry("console.events.index", _p("screen", "事件"), "inbox", Right.SEE_EVENTS),
            Entry("console.operation.index", _p("screen", "运行"), "activity", Right.SEE_OPERATION),
            Entry("console.tokens.index", _p("screen", "接口令牌"), "plug", Right.SEE_TOKENS),
            Entry("console.settings.index", _p("screen", "设置"), "sliders", Right.SEE_SETTINGS),
        ),
    ),
)


def navigation() -> list[Shown]:
    """The groups with a screen that the asker may open; nothing before a login."""
    if not gate.is_signed_in():
        return []
    shown = [Shown(group.title, list(_screens(group))) for group in GROUPS]
    return [group for group in shown if group.screens]


def person() -> Person | None:
    """Who is logged in, for the corner of the page."""
    if not gate.is_signed_in():
        return None
    me = gate.me()
    return Person(me.name, [ROLES[role] for role in me.roles], me.userid is None)


def may(right: str) -> bool:
    """Whether the asker has a right, by its name: a page shows no button that would be refused."""
    return gate.is_signed_in() and gate.me().may(Right(right))


def roles_that_may() -> list[LazyString]:
    """The roles that may do what was just refused."""
    view = current_app.view_functions.get(request.endpoint or "")
    may_do = RIGHTS.get(getattr(view, "needed", None), {})  # type: ignore[arg-type]
    return [ROLES[role] for role in Role if role in may_do]


def _screens(group: Group) -> Iterator[Screen]:
    here = (request.endpoint or "").rpartition(".")[0]
    for entry in group.entries:
        if entry.right is None or gate.me().may(entry.right):
            is_here = entry.endpoint.rpartition(".")[0] == here
            yield Screen(entry.endpoint, entry.text, entry.icon, is_here)
