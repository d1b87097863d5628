"""Customers, their relations with members, and what both sides do to each other."""

import secrets
import string
from dataclasses import dataclass
from typing import Any

from bot.sandbox import events, staff, welcome
from bot.sandbox.errors import Refusal
from bot.sandbox.state import (
    DELETED_BY_CUSTOMER,
    DELETED_BY_MEMBER,
    FULL,
    HALF,
    Customer,
    Delivery,
    Member,
    Relation,
    World,
)

WECHAT, WECOM = 1, 2
ALPHABET = string.ascii_letters + string.digits


class NotPossible(Exception):
    """A person in the story cannot do this now; the text says why."""


@dataclass
class Arrival:
    """A customer who adds a member; empty values are filled in."""

    userid: str
    external_userid: str = ""
    name: str = ""
    state: str = ""
    type: int = WECHAT
    half: bool = False
    silent: bool = False
    with_code: bool = True
    must_agree: bool = False
    add_way: int = 1
    create_time: int | None = None


def new_id(type_: int = WECHAT) -> str:
    """Make an external_userid in WeCom's form."""
    prefix = "wo" if type_ == WECOM else "wm"
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(30))


def arrive(world: World, arrival: Arrival, delivery: Delivery | None = None) -> tuple[str, str]:
    """Let a customer add a member; return (external_userid, welcome code or empty)."""
    member = staff.find(world, arrival.userid)
    if member is None or not member.in_service:
        raise NotPossible(f"no member in service: {arrival.userid}")
    external_userid = arrival.external_userid or new_id(arrival.type)
    customer = world.customers.get(external_userid)
    if customer is None:
        name = arrival.name or f"客户{len(world.customers) + 1}"
        customer = Customer(external_userid, name, arrival.type)
        world.customers[external_userid] = customer
    present = customer.relations.get(staff.key(member.userid))
    if present is not None and present.status in (FULL, HALF):
        raise NotPossible(f"{external_userid} and {member.userid} know each other already")
    relation = _meet(world, customer, member, arrival)
    code = "" if arrival.silent or not arrival.with_code else welcome.issue(world, relation)
    if not arrival.silent:
        change = "add_half_external_contact" if arrival.half else "add_external_contact"
        events.customer_event(
            world,
            change,
            member.userid,
            external_userid,
            delivery=delivery,
            State=arrival.state,
            WelcomeCode=code,
        )
    return external_userid, code


def _meet(world: World, customer: Customer, member: Member, arrival: Arrival) -> Relation:
    moment = arrival.create_time if arrival.create_time is not None else int(world.now())
    relation = Relation(
        member.userid,
        customer.external_userid,
        moment,
        status=HALF if arrival.half else FULL,
        state=arrival.state,
        add_way=arrival.add_way,
        oper_userid=customer.external_userid,
        must_agree=arrival.must_agree or world.switches.must_agree,
    )
    put_relation(world, customer, relation)
    return relation


def put_relation(world: World, customer: Customer, relation: Relation) -> None:
    """Remember a relation in both of its indexes."""
    customer.relations[staff.key(relation.userid)] = relation
    of_member = world.by_member.setdefault(staff.key(relation.userid), {})
    of_member[customer.external_userid] = relation


def relation_of(world: World, external_userid: str, userid: str) -> Relation:
    """Return the relation of a story's two persons."""
    customer = world.customers.get(external_userid)
    relation = customer.relations.get(staff.key(userid)) if customer else None
    if relation is None:
        raise NotPossible(f"{external_userid} and {userid} do not know each other")
    return relation


def agree(world: World, relation: Relation, delivery: Delivery | None = None) -> str:
    """The customer agrees to archiving; return the welcome code that the event carries."""
    relation.consent, relation.consent_at = "Agree", int(world.now())
    code = ""
    if not (relation.is_chatting or relation.half_code_used or relation.is_welcomed):
        code = welcome.issue(world, relation)
    for door in _audit_doors(world):
        events.customer_event(
            world,
            "msg_audit_approved",
            relation.userid,
            relation.external_userid,
            delivery=delivery,
            door=door,
            WelcomeCode=code,
        )
    return code


def _audit_doors(world: World) -> list[str]:
    wanted = world.switches.audit_door
    if wanted == "both":
        return [events.CUSTOMER, events.ARCHIVE]
    if wanted == "archive" and "archive" not in world.doors:
        return [events.CUSTOMER]
    return [wanted]


def refuse_archive(world: World, relation: Relation) -> None:
    """The customer refuses or withdraws; the platform has no event for it (path 92005)."""
    relation.consent, relation.consent_at = "Disagree", int(world.now())


def delete_member(world: World, relation: Relation, delivery: Delivery | None = None) -> None:
    """The customer deletes the member: del_follow_user, a one-way relation remains."""
    relation.status = DELETED_BY_CUSTOMER
    events.customer_event(
        world, "del_follow_user", relation.userid, relation.external_userid, delivery=delivery
    )


def accept_half(world: World, relation: Relation, delivery: Delivery | None = None) -> str:
    """The member adds the customer back; a second code comes only when the first lies unused."""
    if relation.status != HALF:
        raise NotPossible("the relation is not a half one")
    relation.status = FULL
    code = ""
    if not (relation.is_chatting or relation.half_code_used or relation.is_welcomed):
        code = welcome.issue(world, relation)
    events.customer_event(
        world,
        "add_external_contact",
        relation.userid,
        relation.external_userid,
        delivery=delivery,
        State=relation.state,
        WelcomeCode=code,
    )
    return code


def delete_customer(world: World, relation: Relation, delivery: Delivery | None = None) -> None:
    """The member deletes the customer: del_external_contact without Source."""
    relation.status = DELETED_BY_MEMBER
    events.customer_event(
        world, "del_external_contact", relation.userid, relation.external_userid, delivery=delivery
    )


def edit_customer(
    world: World, relation: Relation, remark: str, delivery: Delivery | None = None
) -> None:
    """The member edits the customer in the client, which calls back; the API does not."""
    relation.remark = remark
    events.customer_event(
        world, "edit_external_contact", relation.userid, relation.external_userid, delivery=delivery
    )


def usable_relation(world: World, userid: str, external_userid: str) -> Relation:
    """Return a relation that the customer APIs serve.

    Raises:
        Refusal: 40096 unknown customer, 84061 no relation, only half of one, or deleted by the
            member.
    """
    customer = world.customers.get(external_userid)
    if customer is None:
        raise Refusal(40096, external_userid)
    relation = customer.relations.get(staff.key(userid))
    if relation is None or not relation.is_usable:
        raise Refusal(84061)
    return relation


def followers(world: World, customer: Customer) -> list[Relation]:
    """Return the relations an app may see: of members in its range who are in service."""
    found = []
    for userid, relation in customer.relations.items():
        member = world.members.get(userid)
        if relation.is_usable and member is not None and staff.has_contacts(member):
            found.append(relation)
    return found


def contact_row(customer: Customer) -> dict[str, Any]:
    """Return external_contact of paths 92114 and 92994."""
    row: dict[str, Any] = {
        "external_userid": customer.external_userid,
        "name": customer.name,
        "avatar": "",
        "type": customer.type,
        "gender": 0,
    }
    if customer.type == WECOM:
        profile = {"external_attr": list[Any]()}
        row |= {"position": "", "corp_name": "另一企业", "corp_full_name": "另一企业有限公司"}
        row["external_profile"] = profile
    return row


def follow_row(relation: Relation) -> dict[str, Any]:
    """Return the fields that follow_user and follow_info share."""
    row: dict[str, Any] = {
        "userid": relation.userid,
        "remark": relation.remark,
        "description": relation.description,
        "createtime": relation.createtime,
        "remark_mobiles": relation.remark_mobiles,
        "oper_userid": relation.oper_userid,
        "add_way": relation.add_way,
    }
    if relation.remark_corp_name:
        row["remark_corp_name"] = relation.remark_corp_name
    if relation.state:
        row["state"] = relation.state
    return row
