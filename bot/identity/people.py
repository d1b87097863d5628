"""Who may be in the console: people with roles, and what they may."""

from collections.abc import Sequence
from datetime import date

from peewee import ModelSelect

from bot.identity.access import EVERYBODY, Access, Scope, access_of, people_with_roles
from bot.models import Department, LocalUser, Staff
from bot.rights import Role

SHOWN_STAFF = 3


def story_people(today: date) -> list[Access]:
    """Whom somebody may be beside the sandbox: all with roles, and a few of the staff."""
    leaders = {
        userid
        for department in Department.select(Department.leaders)
        for userid in department.leaders
    }
    serving = Staff.select(Staff.userid).where(Staff.serves, Staff.left_at.is_null())
    staff = [row.userid for row in serving.order_by(Staff.userid)]
    shown = [*people_with_roles(), *sorted(leaders)]
    shown += [userid for userid in staff if userid not in shown][:SHOWN_STAFF]
    found = [access_of(actor, today) for actor in dict.fromkeys(shown)]
    order = list(Role)
    return sorted(
        (person for person in found if person is not None and person.userid is not None),
        key=lambda person: order.index(person.roles[0]),
    )


def serving_members(scope: Scope = EVERYBODY) -> "ModelSelect[Staff]":
    """Select the members here who serve customers, by their names."""
    query = Staff.select(Staff.userid, Staff.name).where(Staff.serves, Staff.left_at.is_null())
    return scope.of_members(query, Staff.userid).order_by(Staff.name, Staff.userid)


def listed(members: "ModelSelect[Staff]", most: int) -> list[Staff]:
    """Return these members, or none where they are too many to choose from in a list."""
    found = list(members.limit(most + 1))
    return found if len(found) <= most else []


def members_called(text: str) -> list[Staff]:
    """Return the member with this userid, however spelled, or else those with this name."""
    member = Staff.get_or_none(Staff.userid == Staff.spelled(text))
    if member is not None:
        return [member]
    return list(Staff.select().where(Staff.name == text).order_by(Staff.userid).limit(10))


def members_of_names(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return, of each text, whom ``members_called`` finds, asked for all at once."""
    spelled = Staff.spellings(texts)
    asked = Staff.userid.in_(list(spelled.values())) | Staff.name.in_(texts)
    rows = list(Staff.select(Staff.userid, Staff.name).where(asked).order_by(Staff.userid))
    accounts = {row.userid for row in rows}
    called = {text: [row.userid for row in rows if row.name == text] for text in texts}
    accounted = {text: [userid] for text, userid in spelled.items() if userid in accounts}
    return called | accounted


def local_users() -> list[LocalUser]:
    return list(LocalUser.select().order_by(LocalUser.name))
