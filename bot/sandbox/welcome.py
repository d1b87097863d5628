"""Welcome codes: one use, twenty seconds, and the reasons why not (path 92137)."""

import secrets
from typing import Any

from bot.sandbox import staff
from bot.sandbox.errors import Refusal
from bot.sandbox.state import HALF, Relation, WelcomeCode, World

TEXT_BYTES = 4000
ATTACHMENTS = 9
ATTACHMENT_TYPES = ("image", "link", "miniprogram", "video", "file")


def issue(world: World, relation: Relation) -> str:
    """Make a code that lives from now, whenever its event arrives."""
    code = WelcomeCode(
        secrets.token_urlsafe(32),
        relation.userid,
        relation.external_userid,
        world.app_agent_id(),
        world.now(),
        is_half=relation.status == HALF,
    )
    world.codes[code.code] = code
    return code.code


def check_content(text: str, attachments: list[Any] | None) -> None:
    """Refuse what no code could send.

    Raises:
        Refusal: 40063 nothing to say, 40058 too long, 41088, 41064, 41065 attachments.
    """
    if not text and attachments is None:
        raise Refusal(40063, "text or attachments")
    if len(text.encode()) > TEXT_BYTES:
        raise Refusal(40058, "text.content is longer than 4000 bytes")
    if attachments is None:
        return
    if not attachments:
        raise Refusal(41088)
    if len(attachments) > ATTACHMENTS:
        raise Refusal(41064)
    for attachment in attachments:
        kind = attachment.get("msgtype") if isinstance(attachment, dict) else None
        if kind not in ATTACHMENT_TYPES or not isinstance(attachment.get(kind), dict):
            raise Refusal(41065)


def send(world: World, value: str, agent_id: int, content: str, attachments: int) -> None:
    """Spend a code.

    Raises:
        Refusal: 41050, 41051, 41053, 41096 or 84061.
    """
    code = world.codes.get(value)
    if code is None or world.now() - code.born_at > world.switches.code_seconds:
        raise Refusal(41050)
    if code.agent_id != agent_id and world.switches.foreign_code == "refuse":
        raise Refusal(41050)
    if code.busy_until > world.now():
        raise Refusal(41096)
    relation = world.customers[code.external_userid].relations[staff.key(code.userid)]
    _check_relation(world, code, relation)
    _spend(code, relation)
    world.record(
        "welcome_sent",
        userid=code.userid,
        external_userid=code.external_userid,
        welcome_code=value,
        content=content,
        attachments=attachments,
        agent_id=agent_id,
    )


def _check_relation(world: World, code: WelcomeCode, relation: Relation) -> None:
    if code.is_spent:
        raise Refusal(world.switches.second_use_code)
    if relation.is_chatting or relation.is_welcomed:
        raise Refusal(41051)
    if not relation.is_usable and relation.status != HALF:
        raise Refusal(84061)
    if relation.must_agree and relation.consent != "Agree":
        code.is_spent = not world.switches.code_survives_41053
        raise Refusal(41053)


def _spend(code: WelcomeCode, relation: Relation) -> None:
    code.is_spent = True
    relation.is_welcomed = True
    relation.half_code_used = relation.half_code_used or code.is_half


def send_by_other_app(world: World, value: str, busy_seconds: float, succeeds: bool) -> None:
    """Let another app take the code: 41096 meanwhile, 41051 afterwards if it succeeds."""
    code = world.codes[value]
    code.busy_until = world.now() + busy_seconds
    if succeeds:
        relation = world.customers[code.external_userid].relations[staff.key(code.userid)]
        _spend(code, relation)
