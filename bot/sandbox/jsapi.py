"""Tickets for the JS-SDK (path 90506), and a stand-in of the script that checks signatures."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, jsonify, request

from bot.sandbox.parameters import parse
from bot.sandbox.state import App, Ticket, World

CORPORATION = 0
TICKET_SECONDS = 7200
OK, NOT_GIVEN = "ok", "not given"
WRONG_CORP, WRONG_AGENT = "wrong corpId", "wrong agentId"
WRONG_DOMAIN, WRONG_SIGNATURE = "url is not in the trusted domain", "invalid signature"


def give_ticket(world: World, agent_id: int) -> dict[str, Any]:
    """Return the corporation's ticket, or an app's; a living one again where a switch says so."""
    if world.switches.same_ticket:
        for value, ticket in _living(world, agent_id).items():
            return {"ticket": value, "expires_in": max(1, int(ticket.expires_at - world.now()))}
    value = secrets.token_urlsafe(64)
    world.tickets[value] = Ticket(agent_id, world.now() + TICKET_SECONDS)
    return {"ticket": value, "expires_in": TICKET_SECONDS}


def _living(world: World, agent_id: int) -> dict[str, Ticket]:
    return {
        value: ticket
        for value, ticket in world.tickets.items()
        if ticket.agent_id == agent_id and ticket.expires_at > world.now()
    }


def judge(world: World, given: Mapping[str, Any]) -> dict[str, str]:
    """Say of both signatures of a page whether the client would take them, and if not, why.

    Args:
        given: ``url``, ``corpId``, ``agentId``, and ``config`` and ``agentConfig`` as the page
            returned them: ``{timestamp, nonceStr, signature}`` or null.
    """
    agent_id = str(given.get("agentId") or "")
    apps = [one for one in world.apps if one.agent_id and str(one.agent_id) == agent_id]
    app = apps[0] if apps else None
    answer = {
        "config": _verdict(world, given, "config", CORPORATION, app),
        "agentConfig": _verdict(world, given, "agentConfig", app.agent_id if app else None, app),
    }
    page = str(given.get("url", "")).split("?")[0]
    world.record("jssdk_checked", url=page, agent_id=agent_id, **answer)
    return answer


def _verdict(
    world: World, given: Mapping[str, Any], name: str, owner: int | None, app: App | None
) -> str:
    """Judge one signature; ``owner`` is whose ticket it needs, None: of no app that is known."""
    signed, url = given.get(name), str(given.get("url", ""))
    if not signed:
        return NOT_GIVEN
    if given.get("corpId") != world.corp_id:
        return WRONG_CORP
    if owner is None:
        return WRONG_AGENT
    if app is not None and not _is_inside(url, app.trusted_domain):
        return WRONG_DOMAIN
    is_right = any(_is_signed(signed, ticket, url) for ticket in _living(world, owner))
    return OK if is_right else WRONG_SIGNATURE


def _is_inside(url: str, domain: str) -> bool:
    """Whether a page stands in the trusted domain or below it (path 90514)."""
    host = urlsplit(url).netloc.lower()
    return not domain or host == domain.lower() or host.endswith(f".{domain.lower()}")


def _is_signed(signed: Any, ticket: str, url: str) -> bool:
    if not isinstance(signed, dict):
        return False
    text = (
        f"jsapi_ticket={ticket}&noncestr={signed.get('nonceStr')}"
        f"&timestamp={signed.get('timestamp')}&url={url}"
    )
    right = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - WeCom's algorithm
    return hmac.compare_digest(right.encode(), str(signed.get("signature")).encode())


def blueprint(world: World) -> Blueprint:
    """Return the script, and the place where it asks what the client would say."""
    pages = Blueprint("jsapi", __name__)

    @pages.get("/jssdk.js")
    def script() -> Response:
        return current_app.send_static_file("jssdk.js")

    @pages.post("/sandbox/jssdk/check")
    def check() -> Response:
        given = parse(request.get_data()) or {}
        with world.lock:
            response = jsonify(judge(world, given))
        # The page that asks is of another origin.
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return pages
