"""Compare departments and members with what WeCom shows, and heal what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot import clock
from bot.db import released
from bot.models import Department, Staff
from bot.models.staff import ACTIVE
from bot.staff import staff
from bot.sync.reading import Reading
from bot.sync.rules import (
    DEPARTMENT_GONE,
    DEPARTMENT_LEADERS,
    DEPARTMENT_MOVED,
    DEPARTMENT_RENAMED,
    DEPARTMENT_UNKNOWN,
    LEADER_CHANGED,
    MEMBER_JOINED,
    MEMBER_MOVED,
    MEMBER_RENAMED,
    MEMBER_RETURNED,
    MEMBER_SERVES,
    MEMBER_SERVES_NO_MORE,
    MEMBER_STATUS,
    Difference,
)
from bot.sync.sync_customers import leave_unread
from bot.wecom import ABOUT_ONE, Member, OperatorNeeded, Paused, Refused, User
from bot.wecom import Department as ListedDepartment

log = structlog.get_logger(__name__)

STEP = "department"


@dataclass(frozen=True)
class DepartmentsRead:
    """What WeCom lists; ``names_leaders`` False: it gave no leaders, the members know them."""

    ids: frozenset[int]
    names_leaders: bool


def read_departments(reading: Reading) -> DepartmentsRead | None:
    """Read all departments and their members; None where the app may not.

    Members are useful even then.
    """
    try:
        with released():
            listed = reading.kegui.wecom.contacts.departments()
    except (Refused, OperatorNeeded, Paused) as error:
        if isinstance(error, Paused) and not error.needs_operator:
            raise
        log.warning("departments_not_readable", errcode=error.errcode)
        return None
    spelled = Staff.spellings({one for department in listed for one in department.leaders or ()})
    listed = [_with_leaders(department, spelled) for department in listed]
    known = {department.id: department for department in Department.select()}
    with reading.writing():
        # In one order, as whoever else changes several.
        for department in sorted(listed, key=lambda one: one.id):
            reading.note(_heal_department(known.get(department.id), department))
    reading.each(
        [str(one.id) for one in listed if not reading.is_finished(STEP, str(one.id))],
        lambda number: _read_members_of(reading, int(number)),
    )
    return DepartmentsRead(
        frozenset(department.id for department in listed),
        any(department.leaders is not None for department in listed),
    )


def _with_leaders(listed: ListedDepartment, spelled: Mapping[str, str]) -> ListedDepartment:
    if listed.leaders is None:
        return listed
    return replace(listed, leaders=tuple(spelled[leader] for leader in listed.leaders))


def _heal_department(known: Department | None, listed: ListedDepartment) -> list[Difference]:
    subject = str(listed.id)
    if known is None:
        Department.insert(
            id=listed.id,
            name=listed.name,
            parent_id=listed.parent_id,
            leaders=list(listed.leaders or ()),
        ).on_conflict_ignore().execute()
        return [Difference(DEPARTMENT_UNKNOWN, subject, wecom=listed.name)]
    changes: dict[str, object] = {}
    found = []
    # The bare tree has neither names nor leaders (path 95350): it says nothing of them.
    if listed.name and listed.name != known.name:
        changes["name"] = listed.name
        found.append(Difference(DEPARTMENT_RENAMED, subject, here=known.name, wecom=listed.name))
    if listed.parent_id != known.parent_id:
        changes["parent_id"] = listed.parent_id
        here, wecom = str(known.parent_id), str(listed.parent_id)
        found.append(Difference(DEPARTMENT_MOVED, subject, here=here, wecom=wecom))
    if listed.leaders is not None and set(listed.leaders) != set(known.leaders):
        changes["leaders"] = list(listed.leaders)
        here, wecom = ",".join(known.leaders), ",".join(listed.leaders)
        found.append(Difference(DEPARTMENT_LEADERS, subject, here=here, wecom=wecom))
    if changes:
        Department.update(**changes).where(Department.id == listed.id).execute()
    return found


def forget_departments(reading: Reading, read: DepartmentsRead) -> None:
    """Forget departments that WeCom lists no more and in which nobody is.

    One with members in it may only be outside the app's range.
    """
    used = {
        number
        for member in Staff.select(Staff.departments).where(Staff.left_at.is_null())
        for number in member.departments
    }
    with reading.writing():
        for department in list(Department.select()):
            if department.id not in read.ids | used:
                department.delete_instance()
                subject, here = str(department.id), department.name
                reading.note([Difference(DEPARTMENT_GONE, subject, here=here, wecom="not listed")])


def _read_members_of(reading: Reading, number: int) -> None:
    """Read the direct members of one department; a member met for the first time is kept."""
    try:
        with released():
            members = reading.kegui.wecom.contacts.members_of(number)
    except ABOUT_ONE as error:
        log.info("department_without_members", errcode=error.errcode)
        members = []
    spelled = staff.as_listed([member.userid for member in members], reading.kegui)
    known = _known(list(spelled.values()))
    with reading.writing():
        for member in members:
            userid = spelled[member.userid]
            reading.note(_heal_member(known.get(userid), replace(member, userid=userid)))
        reading.finish(STEP, str(number))


def _known(userids: list[str]) -> dict[str, Staff]:
    return {row.userid: row for row in Staff.select().where(Staff.userid.in_(userids))}


def _heal_member(known: Staff | None, listed: Member) -> list[Difference]:
    listed_facts: dict[str, object] = {
        "name": listed.name,
        "departments": list(listed.departments),
    }
    # What the list lacks says nothing against what is known.
    seen = {name: value for name, value in listed_facts.items() if value}
    if known is None:
        return _join(listed.userid, seen)
    return _heal(known, seen) if known.left_at is None else []


def read_member(reading: Reading, userid: str, departments: DepartmentsRead | None) -> None:
    """Read one serving member; who is not shown is left as they stand."""
    known = Staff.get_or_none(Staff.userid == userid)
    try:
        with released():
            user = reading.kegui.wecom.contacts.user(userid)
    except Refused as refused:
        if refused.errcode not in staff.NOT_FOUND:
            leave_unread(reading, userid, refused)
        return
    user = replace(staff.as_spelled(user), userid=userid)
    seen = user.facts
    found = {} if names_leaders(departments) else staff.led_otherwise(user)
    serves = known is not None and known.serves and known.left_at is None
    if serves and not found and not _changes(known, seen):
        return
    with reading.writing():
        differences = [] if known else _join(userid, seen)
        if known is not None:
            differences += _return(known, user) + _heal(known, seen)
        Staff.update(serves=True).where(Staff.userid == userid, ~Staff.serves).execute()
        for number, leads in found.items():
            differences.append(_note_leader(number, userid, leads))
        reading.note(differences)


def names_leaders(departments: DepartmentsRead | None) -> bool:
    """Whether WeCom's list of departments said who leads them."""
    return departments is not None and departments.names_leaders


def read_leaders(reading: Reading, serving: Sequence[str]) -> None:
    """Read those who lead without serving customers themselves, where no list of departments says
    who leads: each member's own facts do."""
    known = {one for department in Department.select() for one in department.leaders}
    here = Staff.left_at.is_null() & Staff.direct_leader.is_null(False)
    known |= {one.direct_leader for one in Staff.select(Staff.direct_leader).where(here)}
    reading.each(sorted(known - set(serving)), lambda userid: _read_leader(reading, userid))


def _read_leader(reading: Reading, userid: str) -> None:
    try:
        with released():
            user = reading.kegui.wecom.contacts.user(userid)
    except Refused as refused:
        if refused.errcode not in staff.NOT_FOUND:
            raise
        return
    user = replace(staff.as_spelled(user), userid=userid)
    known = Staff.get_or_none(Staff.userid == userid)
    found = staff.led_otherwise(user)
    if known is not None and not found and not _changes(known, user.facts):
        return
    with reading.writing():
        differences = _join(userid, user.facts) if known is None else _heal(known, user.facts)
        differences += [_note_leader(number, userid, leads) for number, leads in found.items()]
        reading.note(differences)


def _join(userid: str, seen: Mapping[str, object]) -> list[Difference]:
    added = (
        Staff.insert(userid=userid, seen_at=clock.now(), **seen)
        .on_conflict_ignore()
        .returning(Staff.userid)
    ).execute()
    wecom = str(seen.get("name", ""))
    return [Difference(MEMBER_JOINED, userid, userid, wecom=wecom)] if list(added) else []


def _return(known: Staff, user: User) -> list[Difference]:
    """An account that was gone was made anew."""
    if known.left_at is None or user.status != ACTIVE or "status" in user.unsaid:
        return []
    Staff.update(left_at=None, returned_at=clock.now()).where(
        Staff.userid == known.userid, Staff.left_at == known.left_at
    ).execute()
    here = f"left {known.left_at:%Y-%m-%d}"
    return [Difference(MEMBER_RETURNED, known.userid, known.userid, here=here, wecom="active")]


def _changes(known: Any, seen: Mapping[str, object]) -> dict[str, object]:
    """Return what WeCom shows otherwise; the order of departments means nothing."""
    return {
        name: value
        for name, value in seen.items()
        if _comparable(getattr(known, name)) != _comparable(value)
    }


def _comparable(value: Any) -> object:
    return set(value) if isinstance(value, list) else value


KINDS = {
    "name": MEMBER_RENAMED,
    "departments": MEMBER_MOVED,
    "main_department": MEMBER_MOVED,
    "direct_leader": LEADER_CHANGED,
    "status": MEMBER_STATUS,
}


def _heal(known: Staff, seen: Mapping[str, object]) -> list[Difference]:
    """Write what differs, unless somebody has read the member since ``known`` was read."""
    changes = _changes(known, seen)
    if not changes:
        return []
    written = (
        Staff.update(seen_at=clock.now(), **changes)
        .where(Staff.userid == known.userid, Staff.seen_at == known.seen_at)
        .execute()
    )
    if not written:
        return []
    by_kind = {KINDS[name]: name for name in reversed(changes)}
    return [
        Difference(
            kind,
            known.userid,
            known.userid,
            here=_text(getattr(known, name)),
            wecom=_text(changes[name]),
        )
        for kind, name in by_kind.items()
        # The department's list has no details: the first reading of them changes nothing.
        if name not in ("main_department", "direct_leader") or known.main_department is not None
    ]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _note_leader(number: int, userid: str, leads: bool) -> Difference:
    before, after = staff.note_leader(number, userid, leads)
    here, wecom = ",".join(before), ",".join(after)
    return Difference(DEPARTMENT_LEADERS, str(number), userid, here=here, wecom=wecom)


def read_serving(reading: Reading) -> list[str]:
    """Read who has 客户联系 within the visible range; returns the userids."""
    served = {one.userid: one.serves for one in Staff.select(Staff.userid, Staff.serves)}
    serving = staff.serving(reading.kegui)
    begins = [userid for userid in serving if served.get(userid) is False]
    ends = sorted({userid for userid, serves in served.items() if serves} - set(serving))
    with reading.writing():
        for userids, serves, kind in (
            (begins, True, MEMBER_SERVES),
            (ends, False, MEMBER_SERVES_NO_MORE),
        ):
            if userids:
                Staff.update(serves=serves).where(Staff.userid.in_(userids)).execute()
            words = ("serves no customers", "serves customers")
            here, wecom = words[not serves], words[serves]
            reading.note([Difference(kind, one, one, here=here, wecom=wecom) for one in userids])
    return serving
