"""「联系我」: contact ways made by the API (path 92228)."""

import io
import secrets
from typing import Any

import segno
from flask import Blueprint, Response, abort, request

from bot.sandbox import staff
from bot.sandbox.errors import Refusal
from bot.sandbox.parameters import Parameters
from bot.sandbox.state import ContactWay, World

SINGLE, MULTIPLE = 1, 2
MINI_PROGRAM, QR_CODE = 1, 2
USERS = 100
TEXT_CHARACTERS = 30
# 2021-07-10 in China: no way that was made before is listed.
EARLIEST = 1_625_846_400
BAD_TYPE, BAD_SCENE, TOO_MANY_USERS, BAD_USERS = 41037, 41038, 41041, 41042
NOT_ACTIVE, UNKNOWN_WAY, TOO_MANY_WAYS = 41054, 41044, 41045


def blueprint(world: World) -> Blueprint:
    """Return the route of the images to which ``qr_code`` links."""
    images = Blueprint("contact_ways", __name__)

    @images.get("/qr/<config_id>")
    def image(config_id: str) -> Response:
        if config_id not in world.ways:
            abort(404)
        file = io.BytesIO()
        code = segno.make(f"https://work.weixin.qq.com/ca/{config_id}", error="m")
        code.save(file, kind="png", scale=8)
        return Response(file.getvalue(), mimetype="image/png")

    return images


def add(world: World, agent_id: int, parameters: Parameters) -> ContactWay:
    """Make a way.

    Raises:
        Refusal: 41037 to 41042 for its form, 41054 for a member who cannot have customers.
    """
    kind = parameters.number("type", required=True)
    scene = parameters.number("scene", required=True)
    if kind not in (SINGLE, MULTIPLE):
        raise Refusal(BAD_TYPE)
    if scene not in (MINI_PROGRAM, QR_CODE):
        raise Refusal(BAD_SCENE)
    if len(world.ways) >= world.switches.contact_way_cap:
        raise Refusal(TOO_MANY_WAYS)
    settings = {"type": kind, "scene": scene, "remark": "", "skip_verify": True, "state": ""}
    settings |= {"user": [], "party": [], "is_temp": False, "mark_source": True}
    settings |= _given(parameters)
    _check_people(world, settings)
    config_id = secrets.token_hex(16)
    qr_code = f"{request.host_url}qr/{config_id}" if scene == QR_CODE else ""
    way = ContactWay(config_id, agent_id, int(world.now()), qr_code, settings)
    world.ways[config_id] = way
    world.record("contact_way_added", config_id=config_id, **settings)
    return way


def update(world: World, way: ContactWay, parameters: Parameters) -> None:
    """Overwrite what is given; type and scene stay."""
    settings = way.settings | _given(parameters)
    _check_people(world, settings)
    way.settings = settings
    world.record("contact_way_changed", config_id=way.config_id, **settings)


def delete(world: World, way: ContactWay) -> None:
    """Remove a way for good."""
    del world.ways[way.config_id]
    world.record("contact_way_deleted", config_id=way.config_id)


def find(world: World, agent_id: int, config_id: str) -> ContactWay:
    """Return a way that this app made.

    Raises:
        Refusal: 41044.
    """
    way = world.ways.get(config_id)
    if way is None or way.agent_id != agent_id:
        raise Refusal(UNKNOWN_WAY)
    return way


def row(way: ContactWay) -> dict[str, Any]:
    """Return contact_way as get_contact_way answers it."""
    settings = dict(way.settings)
    people = {"user": settings.pop("user"), "party": settings.pop("party")}
    temporary = {"is_temp": settings.pop("is_temp"), "mark_source": settings.pop("mark_source")}
    return {
        "config_id": way.config_id,
        **settings,
        "qr_code": way.qr_code,
        **people,
        **temporary,
    }


def between(world: World, agent_id: int, start: int, end: int) -> list[dict[str, str]]:
    """Return the ids of the ways this app made from ``start`` to ``end``, temporary ones not."""
    return [
        {"config_id": way.config_id}
        for way in world.ways.values()
        if way.agent_id == agent_id
        and max(start, EARLIEST) <= way.created_at <= end
        and not way.settings["is_temp"]
    ]


def _given(parameters: Parameters) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in ("remark", "state"):
        if name in parameters.values:
            given[name] = parameters.text(name, required=False, most=TEXT_CHARACTERS)
    for name in ("skip_verify", "is_temp", "mark_source"):
        if name in parameters.values:
            given[name] = parameters.flag(name)
    if "user" in parameters.values:
        given["user"] = parameters.texts("user", most=10_000, required=False)
    if "party" in parameters.values:
        given["party"] = parameters.numbers("party")
    return given


def _check_people(world: World, settings: dict[str, Any]) -> None:
    users, parties = settings["user"], settings["party"]
    if settings["type"] == SINGLE and (len(users) != 1 or parties):
        raise Refusal(BAD_USERS)
    if not users and not parties:
        raise Refusal(BAD_USERS)
    everyone = {staff.key(one) for one in users}
    for party in parties:
        departments = {one.id for one in staff.subtree(world, party)}
        everyone |= {
            key for key, one in world.members.items() if departments & set(one.departments)
        }
    if len(everyone) > USERS:
        raise Refusal(TOO_MANY_USERS)
    for userid in users:
        member = staff.in_range(world, userid, 40003)
        if member.status != staff.ACTIVE or not member.verified or not member.follow:
            raise Refusal(NOT_ACTIVE)
