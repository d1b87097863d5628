"""Handing customers over: accepted at once, done after 24 hours (paths 92125, 94081)."""

from functools import partial
from typing import Any

from bot.sandbox import events, staff, welcome
from bot.sandbox.customers import NotPossible, put_relation
from bot.sandbox.errors import Refusal
from bot.sandbox.state import TRANSFERRED, Customer, Member, Relation, Transfer, World

DONE, WAITING, REFUSED, FULL_UP = 1, 2, 3, 4
ASSIGNED = 202
CAP_TIMES, CAP_DAYS = 2, 90
# Natural days end at midnight in Beijing.
BEIJING_SECONDS = 8 * 3600


def natural_day(moment: float) -> int:
    """Number the day of a moment in Beijing."""
    return int((moment + BEIJING_SECONDS) // staff.DAY_SECONDS)


def start(
    world: World, handover: str, takeover: str, external_userids: list[str], is_resigned: bool
) -> list[dict[str, Any]]:
    """Begin transfers; return a row with a code for each customer.

    Raises:
        Refusal: for what is wrong with one of the two members.
    """
    try:
        giving, taking = _check_members(world, handover, takeover, is_resigned)
    except Refusal as refusal:
        if world.switches.member_errors == "call":
            raise
        return [{"external_userid": one, "errcode": refusal.errcode} for one in external_userids]
    rows = []
    for external_userid in external_userids:
        try:
            _check_customer(world, giving, taking, external_userid, is_resigned)
        except Refusal as refusal:
            rows.append({"external_userid": external_userid, "errcode": refusal.errcode})
            continue
        _begin(world, giving, taking, external_userid, is_resigned)
        rows.append({"external_userid": external_userid, "errcode": 0})
    return rows


def _check_members(
    world: World, handover: str, takeover: str, is_resigned: bool
) -> tuple[Member, Member]:
    giving = staff.find(world, handover)
    if giving is None or not giving.visible:
        raise Refusal(40003, handover)
    if is_resigned:
        _check_leaver(world, giving)
    elif not giving.in_service:
        raise Refusal(40003, handover)
    if giving.banned:
        raise Refusal(40143)
    if not staff.logged_in_within_a_year(world, giving):
        raise Refusal(40205, handover)
    if staff.key(handover) == staff.key(takeover):
        raise Refusal(40130)
    return giving, staff.check_takeover(world, takeover)


def _check_leaver(world: World, giving: Member) -> None:
    if giving.left_at is None:
        raise Refusal(40097)
    if world.now() - giving.left_at > staff.YEAR_DAYS * staff.DAY_SECONDS:
        raise Refusal(40003, "left more than a year ago")


def _check_customer(
    world: World, giving: Member, taking: Member, external_userid: str, is_resigned: bool
) -> None:
    customer = world.customers.get(external_userid)
    if customer is None:
        raise Refusal(40096)
    relation = customer.relations.get(staff.key(giving.userid))
    if external_userid in world.waiting:
        raise Refusal(world.switches.in_transfer_code)
    if relation is None or relation.status == TRANSFERRED:
        raise Refusal(40131)
    if not relation.is_usable:
        raise Refusal(84061)
    if (not is_resigned or world.switches.resigned_counts) and _is_used_up(world, external_userid):
        raise Refusal(40128)
    if world.switches.takeover_full == "at_once" and not _has_room(world, customer, taking):
        raise Refusal(40099)


def _is_used_up(world: World, external_userid: str) -> bool:
    today = natural_day(world.now())
    counted = 0
    for transfer in world.transfers_of.get(external_userid, []):
        is_counted = transfer.status == DONE or world.switches.transfers_counted == "started"
        if transfer.is_resigned and not world.switches.resigned_counts:
            is_counted = False
        moment = transfer.ended_at if transfer.status == DONE else transfer.started_at
        counted += is_counted and today - natural_day(moment) < CAP_DAYS
    return counted >= CAP_TIMES


def _is_friend(customer: Customer, member: Member) -> bool:
    relation = customer.relations.get(staff.key(member.userid))
    return relation is not None and relation.is_usable


def _has_room(world: World, customer: Customer, taking: Member, waiting: bool = True) -> bool:
    if taking.customer_limit is None or _is_friend(customer, taking):
        return True
    coming = 0
    if waiting:
        who = staff.key(taking.userid)
        coming = sum(staff.key(one.takeover) == who for one in world.waiting.values())
    return staff.customers_of(world, taking) + coming < taking.customer_limit


def _begin(
    world: World, giving: Member, taking: Member, external_userid: str, is_resigned: bool
) -> None:
    now = world.now()
    due = now + world.switches.takeover_seconds
    transfer = Transfer(giving.userid, taking.userid, external_userid, is_resigned, now, due)
    world.transfers.append(transfer)
    world.transfers_of.setdefault(external_userid, []).append(transfer)
    world.waiting[external_userid] = transfer
    world.later(due, partial(_finish, world, transfer))
    _record(world, "transfer_started", transfer)


def _record(world: World, effect: str, transfer: Transfer) -> None:
    world.record(
        effect,
        handover=transfer.handover,
        takeover=transfer.takeover,
        external_userid=transfer.external_userid,
        resigned=transfer.is_resigned,
    )


def _finish(world: World, transfer: Transfer) -> None:
    """Take over, unless it was refused or dropped meanwhile, or the takeover member is full."""
    if world.waiting.get(transfer.external_userid) is not transfer:
        return
    customer = world.customers[transfer.external_userid]
    taking = world.members[staff.key(transfer.takeover)]
    if not _has_room(world, customer, taking, waiting=False):
        _fail(world, transfer, FULL_UP, "customer_limit_exceed")
        return
    del world.waiting[transfer.external_userid]
    transfer.status, transfer.ended_at = DONE, transfer.due_at
    is_silent = _is_friend(customer, taking) or staff.key(transfer.takeover) in (
        customer.handed_over_by
    )
    code = _move(world, transfer, customer, is_silent)
    _record(world, "transfer_completed", transfer)
    if transfer.is_resigned and not world.switches.resigned_events:
        return
    for change in world.switches.transfer_events:
        if change == "del" and world.members[staff.key(transfer.handover)].in_service:
            events.customer_event(
                world,
                "del_external_contact",
                transfer.handover,
                transfer.external_userid,
                Source="DELETE_BY_TRANSFER",
            )
        if change == "add" and not is_silent:
            events.customer_event(
                world,
                "add_external_contact",
                transfer.takeover,
                transfer.external_userid,
                WelcomeCode=code,
            )


def _move(world: World, transfer: Transfer, customer: Customer, is_silent: bool) -> str:
    customer.relations[staff.key(transfer.handover)].status = TRANSFERRED
    customer.handed_over_by.add(staff.key(transfer.handover))
    taking = world.members[staff.key(transfer.takeover)]
    if _is_friend(customer, taking):
        return ""
    relation = Relation(
        taking.userid,
        customer.external_userid,
        int(transfer.due_at),
        add_way=ASSIGNED,
        oper_userid=taking.userid,
        must_agree=world.switches.must_agree,
    )
    put_relation(world, customer, relation)
    has_code = world.switches.code_after_transfer and not is_silent
    return welcome.issue(world, relation) if has_code else ""


def refuse(world: World, external_userid: str) -> None:
    """The customer refuses the transfer that runs."""
    transfer = world.waiting.get(external_userid)
    if transfer is None:
        raise NotPossible(f"{external_userid} is in no transfer")
    _fail(world, transfer, REFUSED, "customer_refused")


def _fail(world: World, transfer: Transfer, status: int, reason: str) -> None:
    del world.waiting[transfer.external_userid]
    transfer.status, transfer.ended_at = status, world.now()
    _record(world, "transfer_failed", transfer)
    if transfer.is_resigned and not world.switches.resigned_events:
        return
    wants_takeover = world.switches.transfer_fail_userid == "takeover"
    userid = transfer.takeover if wants_takeover else transfer.handover
    events.customer_event(
        world, "transfer_fail", userid, transfer.external_userid, FailReason=reason
    )


def results(world: World, handover: str, takeover: str, is_resigned: bool) -> list[dict[str, Any]]:
    """Return the rows of a pair: status and takeover_time (paths 94088, 94082)."""
    pair = (staff.key(handover), staff.key(takeover))
    keep = world.switches.result_keep_days * staff.DAY_SECONDS
    found = [
        one
        for one in world.transfers
        if (staff.key(one.handover), staff.key(one.takeover)) == pair
        and one.is_resigned == is_resigned
        and not (keep and one.ended_at and world.now() - one.ended_at > keep)
    ]
    if world.switches.result_rows == "last":
        found = list({one.external_userid: one for one in found}.values())
    return [
        {
            "external_userid": one.external_userid,
            "status": one.status,
            "takeover_time": int(one.due_at) if one.status in (DONE, WAITING) else 0,
        }
        for one in found
    ]


def unassigned(world: World) -> list[dict[str, Any]]:
    """Return the leavers' customers that are in no transfer (path 92124)."""
    rows = []
    for userid, member in world.members.items():
        if member.left_at is None:
            continue
        for relation in world.by_member.get(userid, {}).values():
            if not relation.is_usable or relation.external_userid in world.waiting:
                continue
            if _was_refused(world, relation) and not world.switches.refused_is_unassigned:
                continue
            rows.append(
                {
                    "handover_userid": member.userid,
                    "external_userid": relation.external_userid,
                    "dimission_time": int(member.left_at),
                }
            )
    return rows


def _was_refused(world: World, relation: Relation) -> bool:
    return any(
        one.is_resigned
        and one.status == REFUSED
        and staff.key(one.handover) == staff.key(relation.userid)
        for one in world.transfers_of.get(relation.external_userid, [])
    )
