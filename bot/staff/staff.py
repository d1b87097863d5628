"""Staff as WeCom shows them now: who is here, who may own a customer, who has left."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any, cast

import structlog
from peewee import JOIN, fn

from bot import clock
from bot.alarms import raise_alarm_for
from bot.audit.log import Who
from bot.db import locked, released, transaction
from bot.events import SETTLING, Event
from bot.kegui import Kegui
from bot.models import Department, FormerUserid, Handover, Ownership, Staff
from bot.models.handover import CANCELLED, HANDOVER_OPEN, OFFBOARDING
from bot.models.staff import ACTIVE, LEFT
from bot.staff import duty
from bot.staff.candidate import (
    LEAVE,
    LEAVING,
    NOT_ACTIVE,
    NOT_SERVING,
    OFF_DUTY,
    Candidate,
)
from bot.wecom import ABOUT_ONE, OUT_OF_RANGE, Refused, User, WeComError

log = structlog.get_logger(__name__)

# Unknown, left, or outside the app's visible range (path 90313): only a hint of a leave.
NOT_FOUND = (60111, 40003, *OUT_OF_RANGE)


def find(userid: str, kegui: Kegui) -> Staff | None:
    """Return a member, however the userid is spelled; one whom no reading has met yet is asked of
    WeCom now."""
    member = Staff.get_or_none(Staff.userid == Staff.spelled(userid))
    if member is not None:
        return member
    user = refresh(userid, kegui)
    if user is None:
        return None
    look_again([user.userid], kegui)
    return Staff.get_by_id(user.userid)


def look_again(userids: Iterable[str], kegui: Kegui) -> None:
    """Read these members, and who has 客户联系, before an old reading decides against them."""
    for userid in userids:
        refresh(userid, kegui)
    _mark_serving(serving(kegui))


def serving(kegui: Kegui) -> list[str]:
    """Ask WeCom who has 客户联系 within the app's range; the userids as they are written here."""
    with released():
        listed = kegui.wecom.customers.follow_users()
    return list(dict.fromkeys(as_listed(listed, kegui).values()))


def as_listed(userids: Collection[str], kegui: Kegui) -> dict[str, str]:
    """Return how each userid of a list of WeCom's is written here.

    A list that names a former userid may name somebody else by now: WeCom is asked.
    """
    for one in FormerUserid.among(userids):
        try:
            refresh(one.former, kegui)
        except ABOUT_ONE as error:
            log.warning("member_not_readable", errcode=error.errcode)
    return Staff.spellings(userids)


def has_met_a_customer(userid: str, kegui: Kegui) -> None:
    """An add event proves that the member serves customers, whatever the last reading said."""
    if Staff.get_or_none(Staff.userid == userid) is None:
        try:
            refresh(userid, kegui)
        except ABOUT_ONE as error:
            # The customer has an owner all the same; the reading asks again.
            log.warning("member_not_readable", errcode=error.errcode)
    Staff.update(serves=True).where(Staff.userid == userid, Staff.left_at.is_null()).execute()


def _mark_serving(userids: Sequence[str]) -> None:
    Staff.update(serves=True).where(Staff.userid.in_(userids)).execute()
    Staff.update(serves=False).where(Staff.userid.not_in(userids), Staff.serves).execute()


def refresh(userid: str, kegui: Kegui) -> User | None:
    """Read one member from WeCom; None when WeCom does not show the member (any more).

    That alone is no proof of a leave: the member may be outside the app's visible range.
    """
    try:
        with released():
            user = kegui.wecom.contacts.user(userid)
    except Refused as refused:
        if refused.errcode in NOT_FOUND:
            return None
        raise
    _end_former(user.userid, kegui)
    user = as_spelled(user)
    if user.status == ACTIVE and "status" not in user.unsaid:
        # An account that was gone was made anew.
        Staff.update(left_at=None, returned_at=clock.now()).where(
            Staff.userid == user.userid, Staff.left_at.is_null(False)
        ).execute()
    _upsert(user.userid, clock.now(), **user.facts)
    for department_id, leads in led_otherwise(user).items():
        with transaction():
            note_leader(department_id, user.userid, leads)
    return user


def ask_for_unknown(event: Event, kegui: Kegui) -> None:
    """Read the member of a customer's event whom no reading has met, and how WeCom spells
    them; where it cannot be asked, or does not show them, the event's spelling stays.

    A former userid is asked about in every event: WeCom may have given it to somebody else.
    """
    if not event.userid or Staff.is_known(event.userid):
        return
    if not event.external_userid and not FormerUserid.among([event.userid]):
        return
    try:
        refresh(event.userid, kegui)
    except WeComError as error:
        raise_alarm_for(error, kegui)
        log.info("member_not_readable", errcode=error.errcode)


def _end_former(userid: str, kegui: Kegui) -> None:
    """A former userid by which WeCom itself shows a member belongs to somebody else now."""
    for one in FormerUserid.among([userid]):
        # For a while WeCom may answer as it stood before.
        if clock.now() - one.renamed_at < SETTLING:
            continue
        with transaction():
            if one.delete_instance():
                kegui.audit.record(
                    Who("wecom"),
                    "staff.former_userid_ends",
                    f"staff {one.userid}",
                    former=one.former,
                )


def as_spelled(user: User) -> User:
    """Return what WeCom says of a member with the userids in it as they are written here."""
    leader = user.direct_leader
    return replace(
        user, userid=Staff.spelled(user.userid), direct_leader=leader and Staff.spelled(leader)
    )


def led_otherwise(user: User) -> dict[int, bool]:
    """Name the departments that know this member as a leader and should not any more, or do not
    and should, by what WeCom says of the member; also one that the member has left.

    Who leads a department stands with the member too: not every app may read departments.
    """
    if "is_leader_in" in user.unsaid:
        return {}
    leads = set(user.is_leader_in)
    # The text narrows it down; a userid may be a part of another.
    about = Department.leaders.cast("TEXT").contains(json.dumps(user.userid))
    known = {one.id for one in Department.select().where(about) if user.userid in one.leaders}
    return {number: number in leads for number in sorted(known ^ leads)}


def note_leader(department_id: int, userid: str, leads: bool) -> tuple[list[str], list[str]]:
    """Write that a member leads a department, or does not any more, in the caller's transaction;
    returns the leaders before and after."""
    Department.insert(id=department_id).on_conflict_ignore().execute()
    department = locked(Department.select().where(Department.id == department_id)).get()
    before = list(department.leaders)
    rest = [one for one in before if one != userid]
    after = [*rest, userid] if leads else rest
    Department.update(leaders=after).where(Department.id == department_id).execute()
    return before, after


def mark_left(userid: str, at: datetime, *, is_proven: bool = True) -> None:
    """Remember that the member's account is gone.

    Args:
        is_proven: not only that WeCom does not show the member: then the next reading may find
            them again, and they have all that they had.
    """
    _upsert(userid, clock.now())
    known: dict[str, int] = {"status": LEFT} if is_proven else {}
    Staff.update(serves=False, left_at=at, **known).where(
        Staff.userid == userid, Staff.left_at.is_null() | (Staff.status != LEFT)
    ).execute()


def set_terms(userid: str, by: Who, kegui: Kegui, **terms: object) -> None:
    """Keep what managers set: ``licences``, ``capacity``, ``daily_quota``, ``skills``,
    ``availability``, ``on_duty``, ``on_leave``.

    Who was offboarded but stays after all is put on duty again.
    """
    if not terms:
        return
    returned = {"returned_at": clock.now()} if terms.get("on_duty") else {}
    with transaction():
        Staff.update(**terms, **returned).where(Staff.userid == userid).execute()
        written = {name: _in_the_log(term) for name, term in terms.items()}
        kegui.audit.record(by, "staff.set_terms", f"staff {userid}", **written)


def _in_the_log(term: object) -> object:
    """A term as the audit log writes it: of rows each in a line."""
    if term is None:
        return "-"
    if isinstance(term, list) and any(isinstance(one, dict) for one in term):
        return "; ".join("/".join(str(part) for part in one.values() if part) for one in term)
    return term


def candidates(kegui: Kegui, userids: Sequence[str] | None = None) -> list[Candidate]:
    """Return every member as the rules see them, with the number of customers they own."""
    query = Staff.select() if userids is None else Staff.select().where(Staff.userid.in_(userids))
    loads = customers_owned(userids)
    gone, now = leaving(), clock.now()
    return [
        Candidate(
            userid=member.userid,
            departments=tuple(member.departments),
            customers=loads.get(member.userid, 0),
            capacity=(
                kegui.settings.default_capacity if member.capacity is None else member.capacity
            ),
            unfit=_unfit(member, gone, now, kegui.settings.zone),
        )
        for member in query.order_by(Staff.userid)
    ]


def customers_owned(userids: Sequence[str] | None = None) -> dict[str, int]:
    """Count the customers of each of these owners, or of all: that reads every ownership."""
    owned = Ownership.until.is_null()
    query = Ownership.select(Ownership.userid, fn.COUNT(Ownership.id)).where(
        owned if userids is None else owned & Ownership.userid.in_(userids)
    )
    return dict(cast(Any, query.group_by(Ownership.userid).tuples()))


def manager_of(userid: str) -> str | None:
    """Return the direct leader, or else a leader of the member's main department."""
    member = Staff.get_or_none(Staff.userid == userid)
    if member is None:
        return None
    if member.direct_leader and member.direct_leader != userid:
        return member.direct_leader
    department_id = member.main_department
    if department_id not in member.departments and member.departments:
        # WeCom does not always say which one is the main one (path 90196).
        department_id = member.departments[0]
    seen: set[int] = set()
    while department_id and department_id not in seen:
        seen.add(department_id)
        department = Department.get_or_none(Department.id == department_id)
        if department is None:
            return None
        leader = next((leader for leader in department.leaders if leader != userid), None)
        if leader:
            return leader
        department_id = department.parent_id
    return None


def _unfit(member: Staff, gone: Collection[str], at: datetime, zone: tzinfo) -> str:
    if not member.is_here:
        return NOT_ACTIVE
    if not member.serves:
        return NOT_SERVING
    if member.userid in gone:
        return LEAVING
    if member.on_leave:
        return LEAVE
    if not member.on_duty or duty.away(duty.periods_of(member.availability, zone), at):
        return OFF_DUTY
    return ""


def leaving() -> set[str]:
    """Name the members with an offboarding, also a finished one: the account may live on."""
    query = (
        Handover.select(Handover.userid)
        .join(Staff, JOIN.LEFT_OUTER, on=(Staff.userid == Handover.userid))
        .where(
            Handover.kind == OFFBOARDING,
            Handover.state != CANCELLED,
            Handover.state.in_(HANDOVER_OPEN)
            | Staff.returned_at.is_null()
            | (Staff.returned_at < Handover.created_at),
        )
    )
    return {row.userid for row in query}


def _upsert(userid: str, now: datetime, **values: object) -> None:
    Staff.insert(userid=userid, seen_at=now, **values).on_conflict_ignore().execute()
    Staff.update(seen_at=now, **values).where(Staff.userid == userid).execute()
