"""Read what WeCom knows: departments, members, customers, groups, the unassigned."""

from collections.abc import Callable, Sequence

import structlog

from bot import clock
from bot.effects import Busy
from bot.handover import run
from bot.kegui import Kegui
from bot.models import Customer, GroupChat, Handover, HandoverItem, Lease, SyncRun
from bot.models.handover import DONE, ITEM_IN_FLIGHT
from bot.models.sync_run import IMPORT, REPAIR, WHOLE
from bot.sync import (
    renames,
    sync_contact_ways,
    sync_customers,
    sync_groups,
    sync_leavers,
    sync_owners,
    sync_staff,
)
from bot.sync.reading import Reading, finish_run, open_run, resume_or_begin
from bot.sync.rules import HANDOVER_FINISHED, Difference
from bot.wecom import Unreadable, WeComError

log = structlog.get_logger(__name__)

LEASE_NAME = "sync"


class AlreadyRunning(Exception):
    """Another process is reading."""


def first_import_is_due() -> bool:
    """Whether this firm's customers were never read to the end."""
    whole = SyncRun.kind.in_(WHOLE) & SyncRun.finished_at.is_null(False)
    return not SyncRun.select().where(whole).exists()


def was_interrupted() -> bool:
    """Whether a later reading was begun that can still go on."""
    return open_run(REPAIR) is not None


def read_everything(kegui: Kegui) -> SyncRun:
    """Read departments, members, their customers and groups; go on where a run broke off.

    The first complete reading imports: its relations get no notice, and a customer with several
    members becomes a review, not a conflict. Later readings repair what callbacks missed, and
    record each difference.

    Raises:
        AlreadyRunning: another process is reading.
        WeComError: WeCom could not be asked; the next call goes on from there.
    """
    with Lease.held(LEASE_NAME) as held:
        if not held:
            raise AlreadyRunning
        kind = IMPORT if first_import_is_due() else REPAIR
        reading = Reading(resume_or_begin(kind), kegui)
        if not reading.is_import:
            # First: a customer who was transferred is then not found missing.
            _look_at_handovers(reading)
        departments = sync_staff.read_departments(reading)
        members = sync_staff.read_serving(reading)
        SyncRun.update(members=len(members)).where(SyncRun.run == reading.run.run).execute()
        _read_members(reading, members, departments)
        if not sync_staff.names_leaders(departments):
            sync_staff.read_leaders(reading, members)
        sync_groups.read_outside(reading, sync_groups.owners_outside(members))
        if departments is not None:
            sync_staff.forget_departments(reading, departments)
        sync_contact_ways.read_all(reading)
        if not reading.is_import:
            sync_leavers.read_list(reading)
        renames.look_after_latest(kegui)
        sync_owners.settle(reading)
        renamed = sync_leavers.read_doubtful(reading)
        if not reading.is_import:
            sync_owners.look_after_strays(reading, renamed)
        groups = GroupChat.select().where(GroupChat.dismissed_at.is_null()).count()
        return finish_run(reading, groups=groups, customers=Customer.select().count())


def _read_members(
    reading: Reading, members: Sequence[str], departments: sync_staff.DepartmentsRead | None
) -> None:
    numbers = {userid: number for number, userid in enumerate(members, 1)}

    put_off: list[str] = []
    steps: Sequence[Callable[[str], None]] = (
        lambda userid: sync_staff.read_member(reading, userid, departments),
        lambda userid: sync_groups.read_of(reading, userid),
        # Last, because its last page is what finishes the member.
        lambda userid: sync_customers.read_of(reading, userid),
    )

    def read(userid: str) -> None:
        try:
            for step in steps:
                step(userid)
        except Unreadable as error:
            log.warning("member_put_off", why=str(error))
            put_off.append(userid)
            return
        log.info("sync_member", run=reading.run.run, member=numbers[userid], of=len(members))

    def read_what_can_be(userid: str) -> None:
        for step in steps:
            try:
                step(userid)
            except Unreadable as error:
                sync_customers.leave_unread(reading, userid, error)

    finishing = sync_customers.STEP
    reading.each([one for one in members if not reading.is_finished(finishing, one)], read)
    # One odd answer keeps nobody else waiting, nor the rest of what is known of its member.
    reading.each(put_off, read_what_can_be)


def _look_at_handovers(reading: Reading) -> None:
    """Ask once more how running transfers stand, and record those that had ended unnoticed."""
    for first in run.first_of_each():
        # Whoever advances one handover does the member's others with it.
        mine = run.pending(Handover.get_by_id(first).userid)
        in_flight = HandoverItem.select(HandoverItem.id).where(
            HandoverItem.handover.in_(mine), HandoverItem.state.in_(ITEM_IN_FLIGHT)
        )
        waited = {item.id for item in in_flight}
        if not waited:
            continue
        began = clock.now()
        try:
            run.advance(first, reading.kegui)
        except (WeComError, Busy) as error:
            log.warning("handover_waits", handover=first, why=str(error))
        query = (
            HandoverItem.select(HandoverItem, Handover)
            .join(Handover)
            .where(
                HandoverItem.handover.in_(mine),
                HandoverItem.state == DONE,
                HandoverItem.updated_at >= began,
            )
        )
        done = [item for item in query if item.id in waited]
        with reading.writing():
            reading.note(
                [
                    Difference(
                        HANDOVER_FINISHED,
                        item.subject,
                        item.takeover_userid,
                        here=f"handover {item.handover.id} was waiting",
                        wecom="done",
                    )
                    for item in done
                ]
            )
