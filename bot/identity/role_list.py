"""Who has which role, and what is proposed about it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from peewee import ModelSelect

from bot.identity import logins
from bot.identity.access import LOCAL, not_of_the_firm, people_with_roles
from bot.identity.roles import GRANT, REVOKE
from bot.models import Department, LocalUser, Proposal, RoleGrant, SecondFactor
from bot.models.granting import genuine
from bot.models.proposal import OPEN
from bot.models.staff import departments_by_id, path_of
from bot.rights import Role


@dataclass(frozen=True)
class Holder:
    """Somebody with a role, or a local administrator.

    ``leads`` are the departments that WeCom says they lead; ``is_gone``: they have left or were
    disabled, and may do nothing whatever they were granted. ``userid``: which member a local
    administrator is.
    """

    actor: str
    grants: list[RoleGrant] = field(default_factory=list)
    leads: list[int] = field(default_factory=list)
    is_gone: bool = False
    last_seen: datetime | None = None
    has_app: bool = False
    userid: str | None = None

    @property
    def is_local(self) -> bool:
        return self.actor.startswith(LOCAL)

    @property
    def roles(self) -> set[Role]:
        held = {Role(grant.role) for grant in self.grants}
        return held | {Role.SALES_MANAGER} if self.leads else held


def holders(today: date) -> list[Holder]:
    """Return all who have a role or lead a department, and all local administrators."""
    granted = people_with_roles()
    led = _led()
    local = {LOCAL + row.name: row.userid for row in LocalUser.select().order_by(LocalUser.name)}
    actors = list(dict.fromkeys([*granted, *sorted(led), *local]))
    gone = not_of_the_firm(actors, today)
    seen = logins.last_seen(actors)
    with_app = {
        row.actor
        for row in genuine(
            SecondFactor.select().where(
                SecondFactor.actor.in_(actors), SecondFactor.confirmed_at.is_null(False)
            )
        )
    }
    return [
        Holder(
            actor,
            granted.get(actor, []),
            led.get(actor, []),
            actor in gone,
            seen.get(actor),
            actor in with_app,
            local.get(actor),
        )
        for actor in actors
    ]


def department_paths() -> dict[int, str]:
    """Return every department as a person finds it, from the top: ``Sales / East``."""
    known = departments_by_id()
    paths = {number: " / ".join(path_of(number, known)) for number in known}
    return dict(sorted(paths.items(), key=lambda item: item[1]))


def open_proposals() -> list[Proposal]:
    """Return what is proposed about roles and not decided, the oldest first."""
    return list(open_ones().order_by(Proposal.id))


def decided_proposals() -> "ModelSelect[Any]":
    """All that was decided or withdrawn, the latest first."""
    return _proposals().where(Proposal.state != OPEN).order_by(Proposal.id.desc())


def open_ones() -> "ModelSelect[Any]":
    """What is proposed about roles and not decided."""
    return _proposals().where(Proposal.state == OPEN)


def count_open() -> int:
    return open_ones().count()


def proposal(number: int) -> Proposal | None:
    """The proposal about a role with this number."""
    return _proposals().where(Proposal.id == number).first()


def _proposals() -> "ModelSelect[Any]":
    return Proposal.select().where(Proposal.kind.in_((GRANT, REVOKE)))


def _led() -> dict[str, list[int]]:
    led: dict[str, list[int]] = defaultdict(list)
    for row in Department.select(Department.id, Department.leaders).order_by(Department.id):
        for userid in row.leaders:
            led[userid].append(row.id)
    return led
