"""Template cards: what they may hold, who clicks on them, how they change (paths 90236, 94888)."""

import re
import secrets
from typing import Any

from bot.sandbox import events, staff
from bot.sandbox.customers import NotPossible
from bot.sandbox.errors import Refusal
from bot.sandbox.parameters import Parameters
from bot.sandbox.state import Card, Delivery, Fields, Member, ResponseCode, World

Answer = dict[str, Any]
BUTTONS = "button_interaction"
INTERACTIVE = (BUTTONS, "vote_interaction", "multiple_interaction")
TYPES = ("text_notice", "news_notice", *INTERACTIVE)
TASK_ID = re.compile(r"[A-Za-z0-9_\-@]{1,128}")
BAD_TASK_ID, BAD_CARD, OTHER_APP, BAD_CODE = 42014, 42027, 42015, 60140
NO_TARGET, NO_RECIPIENT = 82101, 82102
MOST_BUTTONS, MOST_ROWS, KEY_BYTES = 6, 6, 1024
MOST_USERIDS = 1000
CODE_SECONDS = 72 * 3600


def check(world: World, agent_id: int, part: Parameters) -> None:
    """Refuse what WeCom would refuse of a card that is to be sent.

    Raises:
        Refusal: 42014 no task_id, a malformed one, or one that was used; 42027 anything else.
    """
    kind, task_id = part.text("card_type"), part.text("task_id", required=False)
    if kind not in TYPES:
        raise Refusal(BAD_CARD, "card_type")
    if not task_id and _is_changeable(part):
        raise Refusal(BAD_TASK_ID, "task_id is missing")
    if task_id and (not TASK_ID.fullmatch(task_id) or f"{agent_id}:{task_id}" in world.cards):
        raise Refusal(BAD_TASK_ID)
    _check_content(part, kind)


def _check_content(part: Parameters, kind: str) -> None:
    rows = part.items("horizontal_content_list") or []
    if len(rows) > MOST_ROWS or not all(_is_row(one) for one in rows):
        raise Refusal(BAD_CARD, "horizontal_content_list")
    if kind == BUTTONS:
        if not part.part("main_title").text("title", required=False):
            raise Refusal(BAD_CARD, "main_title.title")
        _check_buttons(part.items("button_list") or [])


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and bool(row.get("keyname"))


def _check_buttons(buttons: list[Any]) -> None:
    if not 1 <= len(buttons) <= MOST_BUTTONS:
        raise Refusal(BAD_CARD, "button_list")
    keys = []
    for one in buttons:
        if not isinstance(one, dict) or not one.get("text"):
            raise Refusal(BAD_CARD, "button_list.text")
        leads_to = "url" if one.get("type") == 1 else "key"
        if not isinstance(one.get(leads_to), str) or not one[leads_to]:
            raise Refusal(BAD_CARD, f"button_list.{leads_to}")
        keys += [one["key"]] if leads_to == "key" else []
    if len(set(keys)) < len(keys) or any(len(key.encode()) > KEY_BYTES for key in keys):
        raise Refusal(BAD_CARD, "button_list.key")


def keep(world: World, agent_id: int, part: Parameters, members: list[Member]) -> Answer:
    """Remember a card that was sent; gives a code to change it with, if it can be changed."""
    task_id = part.text("task_id", required=False)
    keys = [
        str(one["key"])
        for one in part.items("button_list") or []
        if isinstance(one, dict) and one.get("type") != 1 and one.get("key")
    ]
    card = Card(
        task_id, part.text("card_type"), agent_id, [one.userid for one in members], keys=keys
    )
    if task_id:
        world.cards[f"{agent_id}:{task_id}"] = card
    return {"response_code": _new_code(world, card)} if _is_changeable(part) else {}


def _is_changeable(part: Parameters) -> bool:
    return part.text("card_type") in INTERACTIVE or "action_menu" in part.values


def _new_code(world: World, card: Card) -> str:
    code = secrets.token_urlsafe(32)
    world.response_codes[code] = ResponseCode(card, world.now() + CODE_SECONDS)
    return code


def update(world: World, agent_id: int, parameters: Parameters) -> Answer:
    """Put a text in the place of a card's buttons, or another card in its place.

    Raises:
        Refusal: 60140 a code that is unknown, used or older than 72 hours; 42015 another app's;
            82101 nobody named, 82102 nobody named has the card; 42027 for the content.
    """
    if parameters.number("agentid", required=True) != agent_id:
        raise Refusal(OTHER_APP)
    code = parameters.text("response_code")
    given = world.response_codes.get(code)
    if given is None or given.ends_at <= world.now():
        raise Refusal(BAD_CODE)
    if given.card.agent_id != agent_id:
        raise Refusal(OTHER_APP)
    text = _new_text(given.card, parameters)
    targets, invalid = _targets(given.card, parameters)
    del world.response_codes[code]
    for userid in targets:
        given.card.answers[userid] = text
        world.record(
            "card_updated",
            agent_id=agent_id,
            recipient=userid,
            task_id=given.card.task_id,
            replace_name=text,
        )
    return {"invaliduser": invalid}


def _new_text(card: Card, parameters: Parameters) -> str:
    """Return what stands in the place of the buttons; of another card, its grey text or title."""
    if "template_card" in parameters.values:
        new = parameters.part("template_card")
        kind = new.text("card_type")
        if kind not in TYPES:
            raise Refusal(BAD_CARD, "card_type")
        _check_content(new, kind)
        title = new.part("main_title").text("title", required=False)
        return new.text("replace_text", required=False) or title
    if card.card_type not in INTERACTIVE:
        raise Refusal(BAD_CARD, "button")
    return parameters.part("button", required=True).text("replace_name")


def _targets(card: Card, parameters: Parameters) -> tuple[list[str], list[str]]:
    """Return the recipients who are named, and who is named and is none."""
    named = parameters.texts("userids", most=MOST_USERIDS, required=False)
    if parameters.number("atall", most=1):
        return card.recipients, []
    if not named:
        raise Refusal(NO_TARGET)
    recipients = {staff.key(one): one for one in card.recipients}
    found = [recipients[staff.key(one)] for one in named if staff.key(one) in recipients]
    if not found:
        raise Refusal(NO_RECIPIENT)
    # Returned in lower case, as a list (path 94888).
    return found, [one.lower() for one in named if staff.key(one) not in recipients]


def click(world: World, userid: str, task_id: str, key: str, delivery: Delivery) -> Answer:
    """Let a member press a button of a card (path 90240).

    Args:
        task_id: which card; empty: the member's latest with such a button.
        key: which button; empty: the first one that calls back.

    Raises:
        NotPossible: there is no such card or button, or a text stands in the buttons' place.
    """
    who = staff.key(userid)
    had = [card for card in world.cards.values() if who in map(staff.key, card.recipients)]
    named = [card for card in had if not task_id or card.task_id == task_id]
    if not named:
        raise NotPossible(f"{userid} has no card {task_id}")
    card = named[-1]
    if who in map(staff.key, card.answers):
        raise NotPossible(f"the buttons of {card.task_id} are gone for {userid}")
    if not card.keys or (key and key not in card.keys):
        raise NotPossible(f"no button of {card.task_id} calls back with {key or 'a key'}")
    nodes: Fields = [
        ("EventKey", key or card.keys[0]),
        ("TaskId", card.task_id),
        ("CardType", card.card_type),
        ("ResponseCode", _new_code(world, card)),
    ]
    events.app_event(world, "template_card_event", userid, nodes, delivery)
    return {"task_id": card.task_id, "key": key or card.keys[0]}
