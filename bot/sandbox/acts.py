"""What the people of a story can do, by name, for the control API."""

from collections.abc import Callable
from typing import Any

from bot.sandbox import cards, customers, events, groups, staff, transfers
from bot.sandbox.customers import NotPossible
from bot.sandbox.state import Delivery, Group, Member, Relation, World

Row = dict[str, Any]
Act = Callable[[World, str, Row, Delivery], Row]


def _relation(world: World, external_userid: str, row: Row) -> Relation:
    return customers.relation_of(world, external_userid, str(row.get("userid", "")))


def agree(world: World, who: str, row: Row, delivery: Delivery) -> Row:
    return {"welcome_code": customers.agree(world, _relation(world, who, row), delivery)}


def refuse_archive(world: World, who: str, row: Row, _delivery: Delivery) -> Row:
    customers.refuse_archive(world, _relation(world, who, row))
    return {}


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


GROUP_ACTS: dict[str, Act] = {"dismiss": dismiss, "change_owner": change_owner}
