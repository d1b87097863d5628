"""Customer groups and their owners (paths 92120, 92122, 92127, 95703)."""

import hashlib
import secrets
from functools import partial
from typing import Any

from bot.sandbox import events, staff
from bot.sandbox.customers import NotPossible
from bot.sandbox.errors import Refusal, words_for
from bot.sandbox.state import Delivery, Fields, Group, Member, World
from bot.sandbox.transfers import CAP_DAYS, CAP_TIMES, natural_day

NORMAL, OWNER_LEFT, INHERITING, INHERITED = 0, 1, 2, 3
GROUPS_A_DAY = 300
VISIBLE_PEOPLE = 1000


def create(
    world: World,
    owner: str,
    members: list[str],
    name: str,
    *,
    chat_id: str = "",
    is_internal: bool = False,
    silent: bool = False,
    delivery: Delivery | None = None,
) -> Group:
    """Found a group."""
    member = staff.find(world, owner)
    if member is None or not member.in_service:
        raise NotPossible(f"no member in service: {owner}")
    group = Group(
        chat_id or "wr" + secrets.token_hex(15),
        name,
        member.userid,
        int(world.now()),
        [member.userid, *[one for one in members if one != member.userid]],
        is_internal=is_internal,
    )
    world.groups[group.chat_id] = group
    if not silent:
        events.group_event(world, "create", group.chat_id, [], delivery)
    return group


def dismiss(world: World, group: Group, delivery: Delivery | None = None) -> None:
    """End a group."""
    _keep_shown(world, group)
    group.is_dismissed = True
    events.group_event(world, "dismiss", group.chat_id, [], delivery)


def change_owner(world: World, group: Group, owner: str, delivery: Delivery | None = None) -> None:
    """The owner gives the group away in the client, which calls back."""
    _keep_shown(world, group)
    _give(group, owner)
    _owner_event(world, group, delivery)


def _owner_event(world: World, group: Group, delivery: Delivery | None = None) -> None:
    nodes: Fields = [("UpdateDetail", "change_owner")]
    events.group_event(world, "update", group.chat_id, nodes, delivery)


def _give(group: Group, owner: str) -> None:
    group.owner = owner
    if owner not in group.members:
        group.members.append(owner)


def _keep_shown(world: World, group: Group) -> None:
    """Part of a group is written later than its event is sent (path 92130)."""
    group.shown_before = {"owner": group.owner}
    group.shown_until = world.now() + world.switches.group_lag_seconds


def listed(world: World, status: int, owners: list[str]) -> list[dict[str, Any]]:
    """Return chat_id and status; leavers' groups only when asked for by owner (path 92120).

    Raises:
        Refusal: 81017 without owners when the app sees more than 1000 people.
    """
    visible = sum(one.visible and one.in_service for one in world.members.values())
    if not owners and visible > VISIBLE_PEOPLE:
        raise Refusal(81017)
    wanted = {staff.key(one) for one in owners}
    rows = []
    for group in world.groups.values():
        owner = world.members[staff.key(group.owner)]
        shows_leaver = owner.in_service or world.switches.resigned_groups_without_filter
        is_wanted = staff.key(group.owner) in wanted if wanted else shows_leaver
        fits = status == 0 or group.status == status
        if is_wanted and fits and owner.visible and not (group.is_dismissed or group.is_internal):
            rows.append({"chat_id": group.chat_id, "status": group.status})
    return rows


def find(world: World, chat_id: str) -> Group:
    """Return a group.

    Raises:
        Refusal: 40050 unknown, 49008 dismissed, 90501 not a customer group.
    """
    group = world.groups.get(chat_id)
    if group is None:
        raise Refusal(40050)
    if group.is_dismissed and world.now() >= group.shown_until:
        raise Refusal(49008)
    if group.is_internal:
        raise Refusal(90501)
    return group


def row(world: World, group: Group, need_name: bool) -> dict[str, Any]:
    """Return group_chat of path 92122."""
    members = []
    for one in group.members:
        member, customer = staff.find(world, one), world.customers.get(one)
        entry: dict[str, Any] = {
            "userid": one,
            "type": 1 if member else 2,
            "join_time": group.create_time,
            "join_scene": 1,
            "invitor": {"userid": group.owner},
            "group_nickname": "",
        }
        if need_name:
            known = member or customer
            entry["name"] = known.name if known else ""
        members.append(entry)
    return {
        "chat_id": group.chat_id,
        "name": group.name,
        "owner": group.owner,
        "create_time": group.create_time,
        "notice": group.notice,
        "member_list": members,
        "admin_list": [{"userid": one} for one in group.admins],
        "member_version": member_version(group),
        **(group.shown_before if world.now() < group.shown_until else {}),
    }


def member_version(group: Group) -> str:
    """Return the opaque version of a member list."""
    return hashlib.sha256("|".join(group.members).encode()).hexdigest()[:32]


def transfer(
    world: World, chat_ids: list[str], new_owner: str, is_resigned: bool
) -> list[dict[str, Any]]:
    """Move groups at once; return those that were not moved (failed_chat_list).

    Raises:
        Refusal: for what is wrong with the new owner.
    """
    member = staff.check_takeover(world, new_owner)
    failed = []
    for chat_id in chat_ids:
        try:
            _transfer_one(world, chat_id, member, is_resigned)
        except Refusal as refusal:
            words = words_for(refusal.errcode)
            failed.append({"chat_id": chat_id, "errcode": refusal.errcode, "errmsg": words})
    return failed


def _transfer_one(world: World, chat_id: str, new_owner: Member, is_resigned: bool) -> None:
    group = find(world, chat_id)
    owner = world.members[staff.key(group.owner)]
    if is_resigned:
        _check_resigned(world, group, owner)
    else:
        _check_onjob(world, group, owner)
    if staff.key(owner.userid) == staff.key(new_owner.userid):
        raise Refusal(90504)
    today = (staff.key(new_owner.userid), natural_day(world.now()))
    taken = world.groups_taken.get(today, 0)
    if taken >= GROUPS_A_DAY:
        raise Refusal(45009)
    world.groups_taken[today] = taken + 1
    if not is_resigned:
        group.onjob_transfers.append(world.now())
    seconds = world.switches.group_transfer_seconds
    finish = partial(_finish, world, group, new_owner.userid, is_resigned)
    if seconds > 0 and is_resigned:
        group.status = INHERITING
        world.later(world.now() + seconds, finish)
    else:
        finish()


def _check_resigned(world: World, group: Group, owner: Member) -> None:
    if group.status == INHERITING:
        raise Refusal(90507)
    if group.status == INHERITED:
        raise Refusal(90508)
    if owner.left_at is None:
        raise Refusal(90500)
    if not staff.logged_in_within_a_year(world, owner):
        raise Refusal(40205)


def _check_onjob(world: World, group: Group, owner: Member) -> None:
    if owner.left_at is not None:
        raise Refusal(90502)
    if not staff.logged_in_within_a_year(world, owner):
        raise Refusal(40205)
    today = natural_day(world.now())
    recent = [one for one in group.onjob_transfers if today - natural_day(one) < CAP_DAYS]
    if len(recent) >= CAP_TIMES:
        raise Refusal(40128)


def _finish(world: World, group: Group, owner: str, is_resigned: bool) -> None:
    previous = group.owner
    _give(group, owner)
    group.status = INHERITED if is_resigned else NORMAL
    world.record(
        "group_transferred",
        chat_id=group.chat_id,
        handover=previous,
        takeover=owner,
        resigned=is_resigned,
    )
    if world.switches.group_transfer_events:
        _owner_event(world, group)
