"""The control API, /sandbox/...: set the stage, let people act, look at what happened."""

from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, Response, jsonify, request

from bot.sandbox import acts, callbacks, customers, events, groups, staff, tokens
from bot.sandbox import welcome as welcome_codes
from bot.sandbox.acts import Act, Row
from bot.sandbox.callbacks import Courier
from bot.sandbox.crypto import CryptoError, Seal
from bot.sandbox.customers import Arrival, NotPossible
from bot.sandbox.gate import Gate
from bot.sandbox.parameters import parse
from bot.sandbox.state import App, ContactWay, Delivery, Department, Door, World

KINDS = ("app", "contacts", "archive")
DOORS = ("customer", "contacts", "archive")
APP_FIELDS = {"secret", "agent_id", "enabled", "trusted_ips", "forbidden", "trusted_domain"}


def blueprint(world: World, gate: Gate, courier: Courier) -> Blueprint:
    """Return the routes; a mistake of the caller is answered with 400 and a sentence."""
    control = Blueprint("control", __name__, url_prefix="/sandbox")
    _stage(control, world, gate, courier)
    _people(control, world)
    _books(control, world)
    _platform(control, world, gate, courier)

    @control.errorhandler(NotPossible)
    @control.errorhandler(ValueError)
    @control.errorhandler(TypeError)
    @control.errorhandler(KeyError)
    def mistake(error: Exception) -> tuple[Response, int]:
        return jsonify(error=f"{type(error).__name__}: {error}"), 400

    return control


def _body() -> Row:
    raw = request.get_data()
    row = parse(raw) if raw else {}
    if row is None:
        raise ValueError("the body is no JSON object")
    return row


def _delivery(row: Row) -> Delivery:
    return Delivery(**row.pop("deliver", {}))


def _rows(row: Row, name: str) -> list[Row]:
    """Return the many of a bulk form, or the one."""
    return cast(list[Row], row[name]) if name in row else [row]


def _app(row: Mapping[str, Any]) -> App:
    if row.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}")
    return App(**row)


def _door(name: str, row: Mapping[str, Any]) -> Door:
    if name not in DOORS:
        raise ValueError(f"a door must be one of {DOORS}")
    door = Door(**row)
    if not door.url.startswith(("http://", "https://")):
        raise ValueError(f"the url of {name} is not http or https")
    try:
        Seal(door.token, door.aes_key, "")
    except CryptoError:
        raise ValueError(f"the aes_key of {name} is not 43 characters of base64") from None
    return door


def _stage(control: Blueprint, world: World, gate: Gate, courier: Courier) -> None:
    @control.post("/reset")
    def reset() -> Response:
        row = _body()
        apps = [_app(one) for one in row.get("apps", [])]
        doors = {name: _door(name, one) for name, one in row.get("callbacks", {}).items()}
        with world.lock:
            world.reset(str(row["corp_id"]), apps, doors, row.get("switches", {}))
            world.departments[1] = Department(1, "总部", 0, 100_000_000)
            gate.clear()
            courier.clear()
        return jsonify(ok=True)

    @control.get("/state")
    def state() -> Response:
        return jsonify(world.dump())

    @control.route("/switches", methods=["GET", "PATCH"])
    def switches() -> Response:
        if request.method == "PATCH":
            with world.lock:
                world.switches.turn(_body())
        return jsonify(vars(world.switches))

    @control.patch("/apps/<kind>")
    def change_app(kind: str) -> Response:
        """Let an administrator change what apps of a kind may do, or their secret."""
        row = _body()
        if unknown := sorted(set(row) - APP_FIELDS):
            raise ValueError(f"no such field: {', '.join(unknown)}")
        with world.lock:
            changed = [app for app in world.apps if app.kind == kind]
            if not changed:
                raise NotPossible(f"no app of the kind {kind}")
            for app in changed:
                for name, value in row.items():
                    setattr(app, name, value)
        return jsonify(ok=True)

    @control.post("/departments")
    def departments() -> Response:
        with world.lock:
            for one in _rows(_body(), "departments"):
                world.departments[int(one["id"])] = Department(**{"parentid": 1, **one})
        return jsonify(ok=True)

    @control.route("/staff", methods=["POST", "PATCH"])
    def hire() -> Response:
        with world.lock:
            for one in _rows(_body(), "staff"):
                staff.put(world, one, bool(one.get("announce", False)))
        return jsonify(ok=True)

    @control.patch("/staff/<userid>")
    def change(userid: str) -> Response:
        row = _body()
        with world.lock:
            if staff.find(world, userid) is None:
                raise NotPossible(f"no member {userid}")
            staff.put(world, {**row, "userid": userid}, bool(row.get("announce", False)))
        return jsonify(ok=True)


def _arrive(world: World, row: Row, silent: bool) -> Row:
    delivery = _delivery(row)
    arrival = Arrival(**{"silent": silent, **row})
    external_userid, code = customers.arrive(world, arrival, delivery)
    return {"external_userid": external_userid, "welcome_code": code}


def _perform(world: World, table: Mapping[str, Act], act: str, who: str) -> Response:
    if act not in table:
        raise ValueError(f"an act must be one of {sorted(table)}")
    row = _body()
    with world.lock:
        world.settle()
        return jsonify(ok=True, **table[act](world, who, row, _delivery(row)))


def _people(control: Blueprint, world: World) -> None:
    @control.post("/customers")
    def arrive() -> Response:
        row = _body()
        with world.lock:
            if "customers" not in row:
                return jsonify(_arrive(world, row, silent=False))
            made = [_arrive(world, one, silent=True) for one in row["customers"]]
        return jsonify(customers=made)

    @control.post("/customers/<external_userid>/<act>")
    def customer_act(external_userid: str, act: str) -> Response:
        return _perform(world, acts.CUSTOMER_ACTS, act, external_userid)

    @control.post("/staff/<userid>/<act>")
    def staff_act(userid: str, act: str) -> Response:
        return _perform(world, acts.STAFF_ACTS, act, userid)

    @control.post("/groups")
    def found() -> Response:
        row = _body()
        delivery = _delivery(row)
        with world.lock:
            name, members = row.pop("name", "客户群"), row.pop("members", [])
            group = groups.create(
                world, str(row.pop("owner")), members, name, delivery=delivery, **row
            )
        return jsonify(chat_id=group.chat_id)

    @control.post("/groups/<chat_id>/<act>")
    def group_act(chat_id: str, act: str) -> Response:
        return _perform(world, acts.GROUP_ACTS, act, chat_id)

    @control.post("/contact_ways")
    def foreign_way() -> Response:
        """Add a way that somebody else made: no API of the app shows it, unless it is ``listed``
        as one that another tool made in the app's name."""
        row = _body()
        agent_id = world.app_agent_id() if row.pop("listed", False) else 0
        made_at = int(world.now() - float(row.pop("days_ago", 0)) * staff.DAY_SECONDS)
        settings = {"type": 1, "scene": 2, "remark": "", "skip_verify": True, "state": ""}
        settings |= {"user": [], "party": [], "is_temp": False, "mark_source": True, **row}
        way = ContactWay(customers.new_id(), agent_id, made_at, "", settings)
        with world.lock:
            world.ways[way.config_id] = way
        return jsonify(config_id=way.config_id)

    @control.post("/welcome_codes/<code>/other_app")
    def other_app(code: str) -> Response:
        row = _body()
        with world.lock:
            welcome_codes.send_by_other_app(
                world, code, float(row.get("busy_seconds", 0)), bool(row.get("succeeds", True))
            )
        return jsonify(ok=True)


def _books(control: Blueprint, world: World) -> None:
    @control.get("/<any(calls,executed,events,deliveries):book>")
    def book(book: str) -> Response:
        equal = request.args.to_dict()
        after = int(equal.pop("after", 0))
        return jsonify({book: world.journal.read(book, after, **equal)})

    @control.get("/counts")
    def counts() -> Response:
        return jsonify(world.journal.count())


def _platform(control: Blueprint, world: World, gate: Gate, courier: Courier) -> None:
    @control.post("/clock")
    def clock() -> Response:
        with world.lock:
            world.clock.advance(float(_body()["advance_seconds"]))
            settled = world.settle()
        return jsonify(now=world.now(), settled=settled)

    @control.get("/clock")
    def time_now() -> Response:
        return jsonify(now=world.now())

    @control.route("/faults", methods=["POST", "DELETE"])
    def faults() -> Response:
        if request.method == "POST":
            gate.faults.add(_body())
        else:
            gate.faults.clear(request.args.get("endpoint", ""))
        return jsonify(ok=True)

    @control.post("/tokens/revoke")
    def revoke() -> Response:
        with world.lock:
            return jsonify(revoked=tokens.revoke(world, str(_body().get("kind", ""))))

    @control.post("/callbacks")
    def doors() -> Response:
        found = {name: _door(name, one) for name, one in _body().items()}
        with world.lock:
            world.doors.update(found)
        return jsonify(ok=True)

    @control.post("/callbacks/verify")
    def verify() -> Response:
        door = world.doors.get(str(_body().get("door", "")))
        if door is None:
            raise NotPossible("no such door is configured")
        return jsonify(callbacks.verify(world, door))

    @control.post("/callbacks/send")
    def send() -> Response:
        row = _body()
        nodes = list(row.get("nodes", {}).items())
        with world.lock:
            events.emit(
                world,
                str(row.get("door", "customer")),
                str(row["event"]),
                nodes,
                _delivery(row),
                str(row.get("sender", "sys")),
            )
        return jsonify(ok=True)

    @control.post("/callbacks/keep-back")
    def keep_back() -> Response:
        courier.keep_back()
        return jsonify(ok=True)

    @control.post("/callbacks/release")
    def release() -> Response:
        row = _body()
        sent = courier.release(str(row.get("order", "fifo")), int(row.get("seed", 0)))
        return jsonify(released=sent)

    @control.post("/callbacks/wait")
    def wait() -> Response:
        return jsonify(idle=courier.wait_until_idle(float(_body().get("timeout_seconds", 30))))
