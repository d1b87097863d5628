"""Read what WeCom knows: departments, members, customers, groups, the unassigned."""

from datetime import datetime, timedelta

import structlog

from bot import clock
from bot.actions import handovers, leavers, staff
from bot.db import released, transaction
from bot.kegui import Kegui
from bot.models import (
    Customer,
    GroupChat,
    Handover,
    HandoverItem,
    Lease,
    Ownership,
    Relation,
    Staff,
    SyncProgress,
    SyncRun,
)
from bot.models.customer import LIVE_RELATIONS, RELATION_ACTIVE, SEVERAL_FOLLOWERS
from bot.wecom import CustomerOfMember, OperatorNeeded, Refused

log = structlog.get_logger(__name__)

LEASE_NAME = "sync"
IMPORT = "import"
REPAIR = "repair"
# A run that was interrupted longer ago begins anew: what it read is old by now.
RESUME_WITHIN = timedelta(hours=20)


class AlreadyRunning(Exception):
    """Another process is reading."""


def first_import_is_due() -> bool:
    """Whether this firm's customers were never read to the end."""
    return not SyncRun.select().where(SyncRun.finished_at.is_null(False)).exists()


def read_everything(kegui: Kegui) -> SyncRun:
    """Read departments, members, their customers and groups; go on where a run broke off.

    The first complete reading imports: its relations get no notice, and a customer with several
    members becomes a review, not a conflict. Later readings repair what callbacks missed.

    Raises:
        AlreadyRunning: another process is reading.
        WeComError: WeCom could not be asked; the next call goes on from there.
    """
    with Lease.held(LEASE_NAME) as held:
        if not held:
            raise AlreadyRunning
        run = _resume_or_begin()
        _read_departments(kegui)
        members = staff.read_serving_members(kegui)
        SyncRun.update(members=len(members)).where(SyncRun.run == run.run).execute()
        for number, userid in enumerate(members, 1):
            _read_member(run, userid, kegui)
            log.info("sync_member", run=run.run, member=number, of=len(members))
        groups = _read_groups(members, kegui)
        settle_owners()
        SyncRun.update(
            finished_at=clock.now(), groups=groups, customers=Customer.select().count()
        ).where(SyncRun.run == run.run).execute()
        SyncProgress.delete().where(SyncProgress.run == run.run).execute()
        return SyncRun.get_by_id(run.run)


def _resume_or_begin() -> SyncRun:
    now = clock.now()
    open_run = (
        SyncRun.select()
        .where(SyncRun.finished_at.is_null(), SyncRun.started_at > now - RESUME_WITHIN)
        .order_by(SyncRun.started_at.desc())
        .first()
    )
    if open_run is not None:
        return open_run
    kind = IMPORT if first_import_is_due() else REPAIR
    return SyncRun.create(run=now.strftime("%Y%m%dT%H%M%S.%f"), kind=kind, started_at=now)


def _read_departments(kegui: Kegui) -> None:
    """Members are useful even where the app may not read departments."""
    try:
        staff.read_department_tree(kegui)
    except (Refused, OperatorNeeded) as error:
        log.warning("departments_not_readable", errcode=error.errcode)


def _read_member(run: SyncRun, userid: str, kegui: Kegui) -> None:
    """Read one member's customers, page by page; each page and its cursor are one commit."""
    progress, _ = SyncProgress.get_or_create(run=run.run, userid=userid)
    if progress.finished_at is not None:
        return
    seen: set[str] = set()
    whole = progress.cursor == ""
    began = clock.now()
    while True:
        try:
            with released():
                page = kegui.wecom.customers_by_user(userid, progress.cursor)
        except Refused as refused:
            log.info("member_without_customers", errcode=refused.errcode)
            break
        with transaction():
            for entry in page.items:
                _store(entry, userid, run)
                seen.add(entry.external_userid)
            progress.cursor = page.next_cursor
            progress.customers += len(page.items)
            progress.save()
        if not page.next_cursor:
            break
    if whole:
        _end_missing(userid, seen, began)
    progress.finished_at = clock.now()
    progress.save()


def _store(entry: CustomerOfMember, userid: str, run: SyncRun) -> None:
    follow = entry.follow_user
    customer = Customer.meet(entry.external_userid, channel=follow.state, met_at=follow.createtime)
    if (customer.name, customer.type) != (entry.name, entry.type):
        customer.name, customer.type = entry.name, entry.type
        customer.save()
    Relation.begin(
        entry.external_userid,
        userid,
        state=RELATION_ACTIVE,
        source=run.kind,
        at=follow.createtime,
        noted_at=clock.now(),
        channel=follow.state,
    )


def _end_missing(userid: str, seen: set[str], began: datetime) -> None:
    """A contact that WeCom lists no more is over, unless it began while we were reading.

    A half contact is not listed, and stands.
    """
    for relation in Relation.select().where(
        Relation.userid == userid,
        Relation.state == RELATION_ACTIVE,
        Relation.noted_at < began,
        Relation.added_at < began,
    ):
        if relation.external_userid not in seen:
            Relation.finish(relation.external_userid, userid, at=clock.now(), end="not_listed")


def _read_groups(members: list[str], kegui: Kegui) -> int:
    read = 0
    for userid in members:
        try:
            with released():
                groups = kegui.wecom.groups_of(userid)
        except Refused as refused:
            log.info("member_without_groups", errcode=refused.errcode)
            continue
        now = clock.now()
        with transaction():
            for group in groups:
                GroupChat.insert(
                    chat_id=group.chat_id, owner=userid, seen_at=now
                ).on_conflict_ignore().execute()
                GroupChat.update(owner=userid, seen_at=now).where(
                    GroupChat.chat_id == group.chat_id
                ).execute()
        read += len(groups)
    return read


def settle_owners() -> None:
    """Give every customer without an owner to the only member in contact; several: a review."""
    owned = Ownership.select(Ownership.external_userid).where(Ownership.until.is_null())
    followers: dict[str, list[str]] = {}
    for relation in Relation.select(Relation.external_userid, Relation.userid).where(
        Relation.state == RELATION_ACTIVE, Relation.external_userid.not_in(owned)
    ):
        followers.setdefault(relation.external_userid, []).append(relation.userid)
    for external_userid, userids in followers.items():
        if len(userids) == 1:
            Ownership.claim(
                external_userid, userids[0], at=clock.now(), reason="imported: the only contact"
            )
        else:
            Customer.update(review=SEVERAL_FOLLOWERS).where(
                Customer.external_userid == external_userid
            ).execute()


def read_unassigned(kegui: Kegui) -> list[str]:
    """Read the list of customers whose member is gone, and open a handover for each leaver.

    A pair that a handover has dealt with already opens nothing. Returns the leavers found.
    """
    with released():
        rows = list(kegui.wecom.unassigned())
    by_leaver: dict[str, set[str]] = {}
    for row in rows:
        by_leaver.setdefault(row.handover_userid, set()).add(row.external_userid)
    found = []
    for userid, external_userids in sorted(by_leaver.items()):
        dealt_with = {
            item.subject
            for item in HandoverItem.select(HandoverItem.subject)
            .join(Handover)
            .where(Handover.userid == userid)
        }
        if external_userids - dealt_with:
            handovers.report_leave(userid, source="unassigned_list", kegui=kegui)
            found.append(userid)
    return found


def read_leavers(kegui: Kegui) -> list[str]:
    """Ask about members with customers or groups who serve no more; returns those who have left.

    Those who serve are here: WeCom itself lists them.
    """
    with_customers = Relation.select(Relation.userid).where(Relation.state.in_(LIVE_RELATIONS))
    owners = Ownership.select(Ownership.userid).where(Ownership.until.is_null())
    with_groups = GroupChat.select(GroupChat.owner).where(GroupChat.dismissed_at.is_null())
    doubtful = Staff.select().where(
        Staff.left_at.is_null(),
        ~Staff.serves,
        Staff.userid.in_(with_customers) | Staff.userid.in_(owners) | Staff.userid.in_(with_groups),
    )
    return [
        member.userid
        for member in list(doubtful)
        if leavers.confirm(member.userid, source="user_status", kegui=kegui)
    ]
