"""Find who has left without anybody saying so, from WeCom's own lists."""

from collections.abc import Collection, Sequence
from datetime import timedelta

import structlog

from bot.db import released
from bot.handover import handovers, leavers
from bot.kegui import Kegui
from bot.models import GroupChat, Handover, HandoverItem, Lease, Ownership, Relation, Staff, SyncRun
from bot.models.customer import LIVE_RELATIONS
from bot.models.handover import OFFBOARDING
from bot.models.sync_run import UNASSIGNED
from bot.sync import renames
from bot.sync.reading import Reading, finish_run, resume_or_begin
from bot.sync.rules import (
    LEAVER_UNREPORTED,
    MEMBER_LEFT,
    MEMBER_MAYBE_RENAMED,
    MEMBER_NOT_SHOWN,
    MEMBER_WITHOUT_SERVICE,
    Difference,
)
from bot.sync.sync_customers import leave_unread
from bot.wecom import ABOUT_ONE, Refused, Unassigned
from bot.wecom.transfers import BAD_CURSOR

log = structlog.get_logger(__name__)

STEP = "unassigned"
LEASE_NAME = "sync unassigned"
# The list changes while it is read: an old cursor is worth little.
RESUME_WITHIN = timedelta(hours=2)


def read_unassigned(kegui: Kegui) -> SyncRun | None:
    """Read the list of customers whose member is gone, as a run of its own with a record.

    An interrupted run goes on with the next page. None: another process is reading it.
    """
    with Lease.held(LEASE_NAME) as held:
        if not held:
            return None
        reading = Reading(resume_or_begin(UNASSIGNED, RESUME_WITHIN), kegui)
        found = read_list(reading)
        return finish_run(reading, members=len(found))


def read_list(reading: Reading) -> list[str]:
    """Open a handover for each leaver in the list whose customers no handover knows.

    Page by page (path 92124); a cursor that WeCom does not know any more begins anew, once.
    Returns the leavers found.
    """
    cursor = reading.cursor(STEP)
    found: list[str] = []
    restarted = False
    while True:
        try:
            with released():
                page = reading.kegui.wecom.resigned.unassigned_page(cursor)
        except Refused as refused:
            if refused.errcode != BAD_CURSOR or not cursor or restarted:
                raise
            cursor, restarted = "", True
            continue
        found += _open_new(reading, page.items)
        with reading.writing():
            reading.go_on(STEP, cursor=page.next_cursor)
        cursor = page.next_cursor
        if not cursor:
            return sorted(set(found))


def _open_new(reading: Reading, rows: Sequence[Unassigned]) -> list[str]:
    """A pair that a handover has dealt with already opens nothing."""
    spelled = Staff.spellings({row.handover_userid for row in rows})
    by_leaver: dict[str, set[str]] = {}
    for row in rows:
        by_leaver.setdefault(spelled[row.handover_userid], set()).add(row.external_userid)
    found = []
    for userid, external_userids in sorted(by_leaver.items()):
        dealt_with = {
            item.subject
            for item in HandoverItem.select(HandoverItem.subject)
            .join(Handover)
            .where(Handover.userid == userid, HandoverItem.subject.in_(list(external_userids)))
        }
        if external_userids - dealt_with:
            _open(reading, userid, LEAVER_UNREPORTED, external_userids, source="unassigned_list")
            found.append(userid)
    return found


def _open(
    reading: Reading, userid: str, kind: str, customers: Collection[str] = (), *, source: str
) -> None:
    """Open the handover, or wake the open one, whose next plan finds what it does not know yet."""
    was_open = handovers.open_case(userid) is not None
    handovers.begin_for_leaver(userid, source=source, kegui=reading.kegui)
    if was_open:
        return
    wecom = f"left; {len(customers)} customers wait" if customers else "left"
    with reading.writing():
        reading.note([Difference(kind, userid, userid, here="no handover", wecom=wecom)])


def read_doubtful(reading: Reading) -> set[str]:
    """Ask about members who left something behind and serve no more, and open what is missing.

    Those who serve are here: WeCom itself lists them. Returns those who may be here under another
    userid: until a person has said so, nobody may lose a customer to them.
    """
    renamed = set()
    for member in list(Staff.select().where(_leaves_something(), Staff.left_at.is_null())):
        if member.serves:
            continue
        try:
            standing = leavers.find_out(member.userid, reading.kegui)
        except ABOUT_ONE as error:
            leave_unread(reading, member.userid, error)
            continue
        if standing == leavers.GONE:
            _open(reading, member.userid, MEMBER_LEFT, source="user_status")
        else:
            shown = standing == leavers.HERE
            present = [] if shown else renames.who_may_be(member.userid)
            if present:
                renamed.add(member.userid)
                renames.ask_whether(member.userid, present[0], reading.kegui)
            with reading.writing():
                reading.note([_for_a_person(member.userid, shown, present)])
    for userid in _left_without_case():
        _open(reading, userid, MEMBER_LEFT, source="reading")
    renames.end_questions(except_of=renamed)
    return renamed


def _for_a_person(userid: str, shown: bool, present: Sequence[str]) -> Difference:
    if present:
        wecom = f"not shown; {present[0]} has the same contacts"
        return Difference(
            MEMBER_MAYBE_RENAMED, userid, userid, here="has customers", wecom=wecom, healed=False
        )
    kind = MEMBER_WITHOUT_SERVICE if shown else MEMBER_NOT_SHOWN
    wecom = "has no 客户联系" if shown else "not shown: left, or out of the app's range"
    return Difference(kind, userid, userid, here="has customers", wecom=wecom, healed=False)


def _leaves_something() -> object:
    with_customers = Relation.select(Relation.userid).where(Relation.state.in_(LIVE_RELATIONS))
    owners = Ownership.select(Ownership.userid).where(Ownership.until.is_null())
    with_groups = GroupChat.select(GroupChat.owner).where(GroupChat.dismissed_at.is_null())
    return (
        Staff.userid.in_(with_customers) | Staff.userid.in_(owners) | Staff.userid.in_(with_groups)
    )


def _left_without_case() -> list[str]:
    """Members known to have left, with something left behind, for whom no handover was opened."""
    # Also a cancelled one is somebody's decision.
    cases = Handover.select(Handover.userid).where(Handover.kind == OFFBOARDING)
    query = Staff.select(Staff.userid).where(
        Staff.left_at.is_null(False), Staff.userid.not_in(cases), _leaves_something()
    )
    return [member.userid for member in query.order_by(Staff.userid)]
