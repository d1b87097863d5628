"""What the people of a story can do, by name, for the control API."""

from collections.abc import Callable
from typing import Any

from bot.sandbox import archive, cards, customers, events, groups, staff, transfers
from bot.sandbox.customers import NotPossible
from bot.sandbox.state import Delivery, Group, Member, Relation, World

Row = dict[str, Any]
Act = Callable[[World, str, Row, Delivery], Row]


def _relation(world: World, external_userid: str, row: Row) -> Relation:
    return customers.relation_of(world, external_userid, str(row.get("userid", "")))


def agree(world: World, who: str, row: Row, delivery: Delivery) -> Row:
    relation = _relation(world, who, row)
    code = customers.agree(world, relation, delivery)
    archive.say(world, _answer("agree", who, [relation.userid], int(world.now())))
    return {"welcome_code": code}


def refuse_archive(world: World, who: str, row: Row, _delivery: Delivery) -> Row:
    relation = _relation(world, who, row)
    customers.refuse_archive(world, relation)
    archive.say(world, _answer("disagree", who, [relation.userid], int(world.now())))
    return {}


def _answer(kind: str, who: str, to: list[str], at: int, room: str = "") -> Row:
    """The archive's own word of an answer, in milliseconds (path 91774)."""
    said = {"userid": who, f"{kind}_time": at * 1000}
    return {"from": who, "tolist": to, "roomid": room, "msgtype": kind, kind: said}


def refuse_transfer(world: World, who: str, _row: Row, _delivery: Delivery) -> Row:
    transfers.refuse(world, who)
    return {}


def delete_member(world: World, who: str, row: Row, delivery: Delivery) -> Row:
    customers.delete_member(world, _relation(world, who, row), delivery)
    return {}


def chat(world: World, who: str, row: Row, _delivery: Delivery) -> Row:
    _relation(world, who, row).is_chatting = True
    return {}


def accept_half(world: World, who: str, row: Row, delivery: Delivery) -> Row:
    return {"welcome_code": customers.accept_half(world, _relation(world, who, row), delivery)}


CUSTOMER_ACTS: dict[str, Act] = {
    "agree": agree,
    "refuse_archive": refuse_archive,
    "refuse_transfer": refuse_transfer,
    "delete_member": delete_member,
    "chat": chat,
    "accept_half": accept_half,
}


def _member(world: World, userid: str) -> Member:
    member = staff.find(world, userid)
    if member is None:
        raise NotPossible(f"no member {userid}")
    return member


def _go(world: World, userid: str, row: Row, delivery: Delivery, deleted: bool) -> Row:
    announce = bool(row.get("announce", True))
    unsubscribe = bool(row.get("unsubscribe", announce and world.switches.unsubscribe_on_leave))
    staff.leave(
        world,
        _member(world, userid),
        deleted=deleted,
        announce=announce,
        unsubscribe=unsubscribe,
        delivery=delivery,
    )
    return {}


def leave(world: World, userid: str, row: Row, delivery: Delivery) -> Row:
    return _go(world, userid, row, delivery, deleted=True)


def disable(world: World, userid: str, row: Row, delivery: Delivery) -> Row:
    """Status 5 is gone without being deleted; status 2 is barred but employed."""
    if row.get("status", staff.LEFT) == staff.LEFT:
        return _go(world, userid, row, delivery, deleted=False)
    _member(world, userid).status = int(row["status"])
    if row.get("unsubscribe", world.switches.unsubscribe_on_leave):
        events.app_event(world, "unsubscribe", userid, [], delivery)
    return {}


def rename(world: World, userid: str, row: Row, delivery: Delivery) -> Row:
    member, new = _member(world, userid), str(row.get("new_userid", ""))
    announce = bool(row.get("announce", True))
    staff.rename(world, member, new, announce=announce, delivery=delivery)
    return {}


def delete_customer(world: World, userid: str, row: Row, delivery: Delivery) -> Row:
    relation = customers.relation_of(world, str(row.get("external_userid", "")), userid)
    customers.delete_customer(world, relation, delivery)
    return {}


def edit_customer(world: World, userid: str, row: Row, delivery: Delivery) -> Row:
    relation = customers.relation_of(world, str(row.get("external_userid", "")), userid)
    customers.edit_customer(world, relation, str(row.get("remark", "")), delivery)
    return {}


def click_card(world: World, userid: str, row: Row, delivery: Delivery) -> Row:
    """Press a button of a template card (path 90240)."""
    task_id, key = str(row.get("task_id", "")), str(row.get("key", ""))
    return cards.click(world, _member(world, userid).userid, task_id, key, delivery)


STAFF_ACTS: dict[str, Act] = {
    "leave": leave,
    "disable": disable,
    "rename": rename,
    "delete_customer": delete_customer,
    "edit_customer": edit_customer,
    "click_card": click_card,
}


def _group(world: World, chat_id: str) -> Group:
    group = world.groups.get(chat_id)
    if group is None:
        raise NotPossible(f"no group {chat_id}")
    return group


def dismiss(world: World, chat_id: str, _row: Row, delivery: Delivery) -> Row:
    groups.dismiss(world, _group(world, chat_id), delivery)
    return {}


def change_owner(world: World, chat_id: str, row: Row, delivery: Delivery) -> Row:
    owner = _member(world, str(row.get("owner", "")))
    groups.change_owner(world, _group(world, chat_id), owner.userid, delivery)
    return {}


def _answer_in_group(world: World, chat_id: str, row: Row, kind: str, state: str) -> Row:
    group, who, at = _group(world, chat_id), str(row.get("external_userid", "")), int(world.now())
    if who not in group.members:
        raise NotPossible(f"{who} is not in the group")
    group.consents[who] = state, at
    others = [one for one in group.members if one != who]
    archive.say(world, _answer(kind, who, others, at, chat_id))
    return {}


def agree_in_group(world: World, chat_id: str, row: Row, _delivery: Delivery) -> Row:
    return _answer_in_group(world, chat_id, row, "agree", archive.AGREE)


def refuse_in_group(world: World, chat_id: str, row: Row, _delivery: Delivery) -> Row:
    return _answer_in_group(world, chat_id, row, "disagree", archive.DISAGREE)


GROUP_ACTS: dict[str, Act] = {
    "dismiss": dismiss,
    "change_owner": change_owner,
    "agree": agree_in_group,
    "refuse_archive": refuse_in_group,
}
