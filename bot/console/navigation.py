"""The way through the console: the screens that somebody may open, in groups."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flask import current_app, request
from flask_babel import LazyString
from flask_babel import lazy_pgettext as _p

from bot.console import gate
from bot.console.registered import registered
from bot.console.words import ROLES
from bot.rights import Right, Role, Topic


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


GROUPS: Mapping[Topic, LazyString] = {
    Topic.TODAY: _p("menu", "今日"),
    Topic.CUSTOMERS: _p("menu", "客户"),
    Topic.PEOPLE: _p("menu", "人员"),
    Topic.COMPLIANCE: _p("menu", "合规"),
    Topic.OPERATION: _p("menu", "运维"),
}


def navigation() -> list[Shown]:
    """The groups with a screen that the asker may open; nothing before a login."""
    if not gate.is_signed_in():
        return []
    shown = [Shown(title, list(_screens(group))) for group, title in GROUPS.items()]
    return [group for group in shown if group.screens]


def person() -> Person | None:
    """Who is logged in, for the corner of the page."""
    if not gate.is_signed_in():
        return None
    me = gate.me()
    return Person(me.name, [ROLES[role] for role in me.roles], me.userid is None)


def may(right: str) -> bool:
    """Whether the asker has a right, by its name: a page shows no button that would be refused."""
    return gate.is_signed_in() and gate.me().may(registered().rights[right])


def roles_that_may() -> list[LazyString]:
    """The roles that may do what was just refused."""
    view = current_app.view_functions.get(request.endpoint or "")
    needed = getattr(view, "needed", None)
    may_do = needed.roles if isinstance(needed, Right) else {}
    return [ROLES[role] for role in Role if role in may_do]


def _screens(group: Topic) -> Iterator[Screen]:
    here = (request.endpoint or "").rpartition(".")[0]
    found = [(page.entry, page.blueprint.name) for page in registered().pages if page.entry]
    for entry, name in sorted(found, key=lambda one: one[0].place):
        if entry.group is group and (entry.right is None or gate.me().may(entry.right)):
            screen = f"console.{name}"
            yield Screen(f"{screen}.{entry.view}", entry.title, entry.icon, screen == here)
