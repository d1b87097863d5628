"""App messages to members: who gets them, who does not, what is dropped (path 90236)."""

import hashlib
import secrets
from typing import Any

from bot.sandbox import cards, staff
from bot.sandbox.errors import Refusal
from bot.sandbox.parameters import Parameters
from bot.sandbox.state import Member, World

TEXT_BYTES = 2048
MOST = {"touser": 1000, "toparty": 100, "totag": 100}
TOO_MANY = {"touser": 40035, "toparty": 82002, "totag": 82003}
MINUTE_SECONDS, HOUR_SECONDS = 60, 3600
LONGEST_DUPLICATE_CHECK = 4 * HOUR_SECONDS
BAD_MSGTYPE, SPAM = 40008, 40201


def send(world: World, agent_id: int, parameters: Parameters, raw: bytes) -> dict[str, Any]:
    """Deliver a message; above the limits of a member it is dropped without a word.

    Raises:
        Refusal: 81012 nobody, 81013 nobody known, 301002 another app's agentid, and for content.
    """
    if parameters.number("agentid", required=True) != agent_id:
        raise Refusal(301002)
    kind, content = _content(parameters)
    if any(word in str(content) for word in world.switches.spam_words):
        raise Refusal(SPAM)
    members, invalid, bad_parties = _recipients(world, parameters)
    is_card = kind == "template_card"
    if is_card:
        # Before it looks for repetitions: which of the two WeCom does first is not said.
        cards.check(world, agent_id, parameters.part(kind))
    if not _is_repeated(world, agent_id, parameters, raw):
        for member in members:
            _deliver(world, agent_id, member, kind, content)
    answer = {
        "invaliduser": "|".join(invalid),
        "invalidparty": "|".join(bad_parties),
        "invalidtag": "",
        "unlicenseduser": "",
        "msgid": secrets.token_urlsafe(36),
    }
    if is_card:
        answer |= cards.keep(world, agent_id, parameters.part(kind), members)
    return answer


def _content(parameters: Parameters) -> tuple[str, Any]:
    kind = parameters.text("msgtype")
    if kind not in ("text", "markdown", "template_card"):
        raise Refusal(BAD_MSGTYPE, kind)
    part = parameters.part(kind, required=True)
    if kind == "template_card":
        return kind, dict(part.values)
    content = part.text("content", required=False)
    if not content:
        raise Refusal(44004)
    encoded = content.encode()
    if kind == "markdown" and len(encoded) > TEXT_BYTES:
        raise Refusal(45002)
    return kind, encoded[:TEXT_BYTES].decode(errors="ignore")


def _recipients(world: World, parameters: Parameters) -> tuple[list[Member], list[str], list[str]]:
    named = {name: _split(parameters, name) for name in MOST}
    if not any(named.values()):
        raise Refusal(81012)
    found: dict[str, Member] = {}
    invalid, bad_parties = [], []
    for userid in named["touser"]:
        member = staff.find(world, userid)
        if userid == "@all":
            found |= {key: one for key, one in world.members.items() if _is_reachable(one)}
        elif member is None or not _is_reachable(member):
            # Returned in lower case (path 90236).
            invalid.append(userid.lower())
        else:
            found[staff.key(userid)] = member
    for party in named["toparty"]:
        if not party.isdigit() or int(party) not in world.departments:
            bad_parties.append(party)
            continue
        inside = {one.id for one in staff.subtree(world, int(party))}
        for key, one in world.members.items():
            if inside & set(one.departments) and _is_reachable(one):
                found[key] = one
    if not found:
        raise Refusal(81013)
    return list(found.values()), invalid, bad_parties


def _split(parameters: Parameters, name: str) -> list[str]:
    text = parameters.text(name, required=False)
    named = [one for one in text.split("|") if one]
    if len(named) > MOST[name]:
        raise Refusal(TOO_MANY[name])
    return named


def _is_reachable(member: Member) -> bool:
    return member.visible and member.in_service and member.status == staff.ACTIVE


def _is_repeated(world: World, agent_id: int, parameters: Parameters, raw: bytes) -> bool:
    checks = parameters.number("enable_duplicate_check", most=1)
    interval = parameters.number(
        "duplicate_check_interval", default=1800, most=LONGEST_DUPLICATE_CHECK
    )
    identity = f"{agent_id}:{hashlib.sha256(raw).hexdigest()}"
    seen = world.messages_seen.get(identity)
    if checks and seen is not None and world.now() - seen < interval:
        return True
    world.messages_seen[identity] = world.now()
    return False


def _deliver(world: World, agent_id: int, member: Member, kind: str, content: Any) -> None:
    now, switches = world.now(), world.switches
    times = world.messages_to.setdefault((agent_id, staff.key(member.userid)), [])
    times[:] = [one for one in times if now - one < HOUR_SECONDS]
    last_minute = sum(now - one < MINUTE_SECONDS for one in times)
    if last_minute >= switches.messages_per_minute or len(times) >= switches.messages_per_hour:
        return
    times.append(now)
    world.record(
        "app_message",
        agent_id=agent_id,
        recipient=member.userid,
        msgtype=kind,
        content=content,
    )
