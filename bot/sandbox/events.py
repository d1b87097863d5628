"""The events of the platform as plain XML nodes (paths 92130, 90970, 90240, 92005)."""

import time
from typing import Any
from xml.sax.saxutils import escape

from bot.sandbox.state import Delivery, Door, Fields, World

CUSTOMER, CONTACTS, ARCHIVE = "customer", "contacts", "archive"


def xml(fields: Fields) -> str:
    """Write nodes the way WeCom does: texts in CDATA, numbers bare, lists as Item nodes."""
    return "<xml>" + "".join(_node(name, value) for name, value in fields) + "</xml>"


def _node(name: str, value: Any) -> str:
    if isinstance(value, int):
        inner = str(value)
    elif isinstance(value, list):
        inner = "".join(f"<Item>{escape(str(one))}</Item>" for one in value)
    else:
        inner = "<![CDATA[" + str(value).replace("]]>", "]]]]><![CDATA[>") + "]]>"
    return f"<{name}>{inner}</{name}>"


def emit(
    world: World,
    door: str,
    event: str,
    nodes: Fields,
    delivery: Delivery | None = None,
    sender: str = "sys",
) -> None:
    """Send an event to a door; one without a configured door is only noted."""
    how = delivery or Delivery()
    moment = how.create_time
    if moment is None:
        moment = int(world.now() if world.switches.event_time == "sandbox" else time.time())
    fields: Fields = [
        ("ToUserName", world.corp_id),
        ("FromUserName", sender),
        ("CreateTime", moment),
        ("MsgType", "event"),
        ("Event", event),
        *nodes,
    ]
    fields = [(name, value) for name, value in fields if name not in how.without]
    is_configured = isinstance(world.doors.get(door), Door)
    event_seq = world.journal.write(
        "events",
        world.now(),
        door=door,
        event=event,
        change_type=str(dict(nodes).get("ChangeType", "")),
        fields=dict(fields),
        sent=is_configured and not how.drop,
    )
    if is_configured and not how.drop:
        world.send(door, fields, how, event_seq)


def customer_event(
    world: World,
    change_type: str,
    userid: str,
    external_userid: str,
    *,
    delivery: Delivery | None = None,
    door: str = CUSTOMER,
    **nodes: str,
) -> None:
    """Send change_external_contact; empty nodes are left out, as WeCom leaves them out."""
    fields: Fields = [("ChangeType", change_type)]
    if reason := nodes.pop("FailReason", ""):
        fields.append(("FailReason", reason))
    fields += [("UserID", userid), ("ExternalUserID", external_userid)]
    fields += [(name, value) for name, value in nodes.items() if value]
    emit(world, door, "change_external_contact", fields, delivery)


def group_event(
    world: World, change_type: str, chat_id: str, nodes: Fields, delivery: Delivery | None = None
) -> None:
    """Send change_external_chat."""
    fields: Fields = [("ChatId", chat_id), ("ChangeType", change_type), *nodes]
    emit(world, CUSTOMER, "change_external_chat", fields, delivery)


def contact_event(
    world: World, change_type: str, nodes: Fields, delivery: Delivery | None = None
) -> None:
    """Send change_contact, which reaches the contacts door only, in the form since 2022-08-15."""
    fields: Fields = [("ChangeType", change_type), *nodes]
    emit(world, CONTACTS, "change_contact", fields, delivery)


def app_event(
    world: World, event: str, userid: str, nodes: Fields, delivery: Delivery | None = None
) -> None:
    """Send an event of the app itself, whose sender is the member who acted."""
    fields: Fields = [*nodes, ("AgentID", world.app_agent_id())]
    emit(world, CUSTOMER, event, fields, delivery, sender=userid)
