"""Departments and members: what HR and the contacts APIs see of them."""

from typing import Any

from bot.sandbox import events
from bot.sandbox.errors import Refusal
from bot.sandbox.state import Delivery, Department, Fields, Member, World

DAY_SECONDS = 86_400
YEAR_DAYS = 365
ACTIVE, DISABLED, LEFT = 1, 2, 5


def key(userid: str) -> str:
    """userids differ not in case (path 90196)."""
    return userid.lower()


def find(world: World, userid: str) -> Member | None:
    """Return a member, here or gone, by a userid in any case."""
    return world.members.get(key(userid))


def in_range(world: World, userid: str, errcode: int = 60111) -> Member:
    """Return a member whom the app may see and who is in service.

    Raises:
        Refusal: with ``errcode``.
    """
    member = find(world, userid)
    if member is not None and member.errcode:
        raise Refusal(member.errcode, userid)
    if member is None or not member.visible or not member.in_service:
        raise Refusal(errcode, userid)
    return member


def has_contacts(member: Member) -> bool:
    """Tell whether a member stands in the list of those with 客户联系."""
    return member.follow and member.visible and member.in_service


def visible(world: World) -> list[Member]:
    """Return who stands in the app's visible range and is in service."""
    return [one for one in world.members.values() if one.visible and one.in_service]


def range_is_empty(world: World) -> bool:
    """Tell whether there are members, and the app may see none of them."""
    return bool(world.members) and not visible(world)


def logged_in_within_a_year(world: World, member: Member) -> bool:
    """Measure from now, or from the leave (path 94081)."""
    until = member.left_at if member.left_at is not None else world.now()
    return until - member.last_login <= YEAR_DAYS * DAY_SECONDS


def check_takeover(world: World, userid: str) -> Member:
    """Return the member who is to take over customers or groups.

    Raises:
        Refusal: 40003 unknown or gone, 40143 banned, 40098 not activated, not verified or
            without 客户联系, 40205 not logged in for a year.
    """
    member = in_range(world, userid, 40003)
    if member.banned:
        raise Refusal(40143)
    if member.status != ACTIVE or not member.verified or not member.follow:
        raise Refusal(40098)
    if not logged_in_within_a_year(world, member):
        raise Refusal(40205, userid)
    return member


def customers_of(world: World, member: Member) -> int:
    """Count the relations that fill a member's customer limit."""
    relations = world.by_member.get(key(member.userid), {}).values()
    return sum(relation.is_usable for relation in relations)


def put(world: World, row: dict[str, Any], announce: bool = False) -> Member:
    """Hire a member, or change the fields given of one who is there."""
    userid = str(row["userid"])
    member = find(world, userid)
    is_new = member is None
    if member is None:
        departments = [int(one) for one in row.get("departments", [1])]
        member = Member(
            userid,
            str(row.get("name", userid)),
            departments,
            departments[0],
            [0] * len(departments),
            [],
            world.now(),
        )
        world.members[key(userid)] = member
    moved = "departments" in row and list(row["departments"]) != member.departments
    _change(world, member, row)
    if announce and (is_new or moved):
        joined = ",".join(map(str, member.departments))
        change = "create_user" if is_new else "update_user"
        nodes: Fields = [("UserID", member.userid), ("Department", joined)]
        events.contact_event(world, change, nodes)
    return member


def _change(world: World, member: Member, row: dict[str, Any]) -> None:
    for name in ("name", "position", "follow", "verified", "banned", "visible", "customer_limit"):
        if name in row:
            setattr(member, name, row[name])
    if "departments" in row:
        member.departments = [int(one) for one in row["departments"]]
        member.main_department = member.departments[0] if member.departments else 0
        member.is_leader_in_dept = [0] * len(member.departments)
    for name in ("main_department", "is_leader_in_dept", "status", "errcode"):
        if name in row:
            setattr(member, name, row[name])
    if "direct_leader" in row:
        leader = row["direct_leader"]
        member.direct_leader = [leader] if isinstance(leader, str) else list(leader)
    if "last_login_days_ago" in row:
        member.last_login = world.now() - float(row["last_login_days_ago"]) * DAY_SECONDS


def rename(
    world: World,
    member: Member,
    userid: str,
    *,
    announce: bool,
    delivery: Delivery | None = None,
) -> None:
    """Give a member another userid; wherever the old one stood, the new one stands (path 90970).

    Raises:
        ValueError: somebody has it, or it is no userid.
    """
    former = member.userid
    if (
        not userid
        or len(userid) > 64
        or (key(userid) in world.members and key(userid) != key(former))
    ):
        raise ValueError(f"no new userid: {userid!r}")

    def new(one: str) -> str:
        return userid if key(one) == key(former) else one

    world.members = {key(new(one.userid)): one for one in world.members.values()}
    member.userid = userid
    relations = world.by_member.pop(key(former), {})
    world.by_member[key(userid)] = relations
    for relation in relations.values():
        relation.userid = userid
        customer = world.customers[relation.external_userid]
        customer.relations.pop(key(former), None)
        customer.relations[key(userid)] = relation
    for one in world.members.values():
        one.direct_leader = [new(leader) for leader in one.direct_leader]
    for department in world.departments.values():
        department.department_leader = [new(leader) for leader in department.department_leader]
    for group in world.groups.values():
        group.owner = new(group.owner)
        group.members = [new(one) for one in group.members]
        group.admins = [new(one) for one in group.admins]
    for way in world.ways.values():
        way.settings["user"] = [new(one) for one in way.settings.get("user") or ()]
    for transfer in (*world.transfers, *world.waiting.values()):
        transfer.handover, transfer.takeover = new(transfer.handover), new(transfer.takeover)
    for code in world.codes.values():
        code.userid = new(code.userid)
    if announce:
        joined = ",".join(map(str, member.departments))
        nodes: Fields = [("UserID", former), ("NewUserID", userid), ("Department", joined)]
        events.contact_event(world, "update_user", nodes, delivery)


def leave(
    world: World,
    member: Member,
    *,
    deleted: bool,
    announce: bool,
    unsubscribe: bool,
    delivery: Delivery | None = None,
) -> None:
    """Let a member go: deleted from the contacts, or only with status 5."""
    if member.left_at is None:
        member.left_at = world.now()
    member.status = LEFT
    member.deleted = member.deleted or deleted
    for group in world.groups.values():
        if key(group.owner) == key(member.userid) and not group.is_dismissed:
            group.status = 1
    if world.switches.pending_on_leave == "drop":
        _drop_waiting(world, member)
    if announce and deleted:
        events.contact_event(world, "delete_user", [("UserID", member.userid)], delivery)
    if unsubscribe:
        events.app_event(world, "unsubscribe", member.userid, [], delivery)


def _drop_waiting(world: World, member: Member) -> None:
    dropped = {
        external_userid
        for external_userid, one in world.waiting.items()
        if key(one.handover) == key(member.userid) and not one.is_resigned
    }
    for external_userid in dropped:
        transfer = world.waiting.pop(external_userid)
        kept = [one for one in world.transfers_of[external_userid] if one is not transfer]
        world.transfers_of[external_userid] = kept
    world.transfers = [
        one for one in world.transfers if not (one.status == 2 and one.external_userid in dropped)
    ]


def subtree(world: World, department_id: int | None) -> list[Department]:
    """Return a department with all below it, or the whole tree.

    Raises:
        Refusal: 40066 for an unknown department.
    """
    if department_id is None:
        return list(world.departments.values())
    if department_id not in world.departments:
        raise Refusal(40066, str(department_id))
    found = [world.departments[department_id]]
    for department in found:
        found += [one for one in world.departments.values() if one.parentid == department.id]
    return found


def user_row(member: Member) -> dict[str, Any]:
    """Return the answer of user/get for an app created since 2022-06-20 (path 90196)."""
    return {
        "userid": member.userid,
        "name": member.name,
        "department": member.departments,
        "order": [0] * len(member.departments),
        "position": member.position,
        "is_leader_in_dept": member.is_leader_in_dept,
        "direct_leader": member.direct_leader,
        "telephone": "",
        "alias": "",
        "main_department": member.main_department,
        "extattr": {"attrs": []},
        "status": member.status,
        "external_position": member.position,
        "external_profile": {
            "external_corp_name": "",
            "wechat_channels": {"nickname": "", "status": 0},
            "external_attr": [],
        },
    }
