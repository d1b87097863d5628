"""What every API call passes through: faults, limits, token, body; then it is answered."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from flask import Request, Response, json

from bot.sandbox import tokens
from bot.sandbox.errors import Refusal, error_answer
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.journal import compact
from bot.sandbox.limits import Limits
from bot.sandbox.parameters import UNICODE_ESCAPE, Parameters, parse
from bot.sandbox.state import App, World
from bot.sandbox.switches import Switches

APP, CONTACTS, ARCHIVE = "app", "contacts", "archive"
FORBIDDEN, NO_DETAILS, UNTRUSTED = 48002, 48009, 60020
NO_ARCHIVE = {"expired": 301052, "off": 301053}
WRONG_JSON = "ok, Warning: wrong json format. "
# As JSON writes them; a written backslash is none.
ESCAPED_CONTROL = re.compile(r"(?<!\\)((?:\\\\)*)\\u(00[01][0-9a-f])")
ESCAPED_SURROGATE = re.compile(rb"(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}")
# An emoji that was cut, as field reports show it.
HALF_A_CHARACTER = b"\xf0\x9f\x98"
SECRET_PARAMETERS = ("access_token", "corpsecret", "code")
LOST = 599


@dataclass(frozen=True)
class Call:
    """One call that has passed: who asks, and for what."""

    world: World
    app: App
    parameters: Parameters
    raw: bytes
    address: str


Handle = Callable[[Call], dict[str, Any]]


@dataclass(frozen=True)
class Endpoint:
    """``kinds`` may call it; ``detail_kinds`` too, where a switch allows; ``alone`` names a
    parameter whose value is worked on by one call at a time; ``gives_ticket``: counted by the
    hour as well."""

    method: str
    kinds: frozenset[str]
    handle: Handle
    needs_token: bool = True
    detail_kinds: frozenset[str] = frozenset()
    alone: str = ""
    gives_ticket: bool = False


def endpoint(method: str, handle: Handle, kinds: Iterable[str] = (APP,), **more: Any) -> Endpoint:
    """Describe an endpoint."""
    return Endpoint(method, frozenset(kinds), handle, **more)


class Gate:
    """Answers /cgi-bin/<path>."""

    def __init__(self, world: World, endpoints: dict[str, Endpoint]) -> None:
        self.world = world
        self.endpoints = endpoints
        self.limits = Limits()
        self.faults = Faults()

    def clear(self) -> None:
        """Forget counts and faults."""
        self.limits.clear()
        self.faults.clear()

    def answer(self, path: str, request: Request) -> Response:
        """Answer one HTTP request; the status is 200 also for refusals, as WeCom's is."""
        began = time.monotonic()
        known = self.endpoints.get(path)
        if known is None:
            return _json({"errcode": 404, "errmsg": f"the sandbox has no {path}"}, 404)
        raw = request.get_data()
        values = dict(request.args) if request.method == "GET" else parse(raw) or {}
        kind = ""
        fault = self.faults.take(path, values)
        try:
            with self._places(path, known, values):
                time.sleep(self.world.switches.latency_seconds)
                if fault is not None:
                    time.sleep(fault.latency_seconds)
                if fault is None or not fault.spoils_the_answer or fault.after_execute:
                    kind, body = self._execute(path, known, request, raw, values)
                else:
                    body = {"errcode": 0}
        except Refusal as refusal:
            address = request.remote_addr or ""
            kind = kind or self._kind_of(request)
            body = error_answer(refusal.errcode, self.world.now(), address, refusal.note)
        if fault is not None and fault.spoils_the_answer:
            body["errcode"] = body["errcode"] or fault.errcode or 0
        if fault is not None:
            fault.leave_out(body)
        self._note(path, kind, body, values, fault, time.monotonic() - began)
        if fault is not None and fault.spoils_the_answer:
            return self._spoilt(fault, request)
        return _json(body, switches=self.world.switches)

    @contextmanager
    def _places(self, path: str, known: Endpoint, values: dict[str, Any]) -> Iterator[None]:
        switches = self.world.switches
        self.limits.count(path, self.world.now(), switches)
        record = f"{path}:{str(values[known.alone]).lower()}" if known.alone in values else ""
        with self.limits.running(path, switches), self.limits.alone(record):
            yield

    def _execute(
        self, path: str, known: Endpoint, request: Request, raw: bytes, values: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        with self.world.lock:
            self.world.settle()
            app = App("", "")
            if known.needs_token:
                app = tokens.check(self.world, request.args.get("access_token", "")).app
                self._check_address(app, request.remote_addr or "")
                self._check_kind(known, app)
                self._check_permission(path, app)
                if known.gives_ticket:
                    now, switches = self.world.now(), self.world.switches
                    self.limits.count_ticket(path, app.agent_id, now, switches)
            is_odd = self._check_form(known, request, raw)
            parameters = Parameters(values, is_query=request.method == "GET")
            call = Call(self.world, app, parameters, raw, request.remote_addr or "")
            words = WRONG_JSON if is_odd else "ok"
            return app.kind, {"errcode": 0, "errmsg": words, **known.handle(call)}

    @staticmethod
    def _check_address(app: App, address: str) -> None:
        if app.trusted_ips and address not in app.trusted_ips:
            raise Refusal(UNTRUSTED)

    def _check_permission(self, path: str, app: App) -> None:
        if any(fnmatchcase(path, pattern) for pattern in app.forbidden):
            raise Refusal(FORBIDDEN)
        service = self.world.switches.archive_service
        if path.startswith("msgaudit/") and service in NO_ARCHIVE:
            raise Refusal(NO_ARCHIVE[service])

    def _check_kind(self, known: Endpoint, app: App) -> None:
        if app.kind in known.kinds:
            return
        if app.kind in known.detail_kinds:
            if self.world.switches.contacts_reads_details:
                return
            raise Refusal(NO_DETAILS)
        raise Refusal(FORBIDDEN)

    def _check_form(self, known: Endpoint, request: Request, raw: bytes) -> bool:
        """Refuse a wrong method, an escaped body or a broken one; tell whether it was let pass."""
        if request.method != known.method:
            raise Refusal(40058, f"use {known.method}")
        if request.method == "GET":
            return False
        if self.world.switches.refuse_unicode_escapes and UNICODE_ESCAPE.search(raw):
            raise Refusal(40033)
        is_broken = parse(raw) is None
        if is_broken and self.world.switches.malformed_json == "refuse":
            raise Refusal(40058, "no JSON object")
        return is_broken

    def _kind_of(self, request: Request) -> str:
        grant = self.world.grants.get(request.args.get("access_token", ""))
        return grant.app.kind if grant else ""

    def _note(
        self,
        path: str,
        kind: str,
        body: dict[str, Any],
        values: dict[str, Any],
        fault: Fault | None,
        seconds: float,
    ) -> None:
        shown = {name: one for name, one in values.items() if name not in SECRET_PARAMETERS}
        self.world.journal.write(
            "calls",
            self.world.now(),
            endpoint=path,
            kind=kind,
            errcode=body["errcode"],
            parameters=compact(shown),
            fault=fault is not None,
            seconds=round(seconds, 4),
        )

    def _spoilt(self, fault: Fault, request: Request) -> Response:
        if fault.hang:
            time.sleep(fault.hang_seconds)
        has_answer = fault.errcode is not None or fault.http_status or fault.body is not None
        if fault.hang or fault.drop or not has_answer:
            return _lost(request)
        if fault.body is not None:
            return Response(fault.body, fault.http_status or 200, mimetype="application/json")
        address = request.remote_addr or ""
        body = error_answer(fault.errcode or -1, self.world.now(), address, "set fault")
        return _json(body, fault.http_status or 200)


def _json(body: dict[str, Any], status: int = 200, switches: Switches | None = None) -> Response:
    switches = switches or Switches()
    if switches.empty_lists == "null":
        body = _with_null(body)
    text = json.dumps(body, ensure_ascii=False, sort_keys=False)
    written = _raw(text) if switches.odd_characters == "raw" else text
    return Response(written, status, mimetype="application/json")


def _with_null(value: Any) -> Any:
    """Put null in the place of each empty list."""
    if isinstance(value, dict):
        return {name: _with_null(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_null(one) for one in value] or None
    return value


def _raw(text: str) -> bytes:
    """Write control characters as they are, and half a character of a lone surrogate."""
    text = ESCAPED_CONTROL.sub(lambda found: found[1] + chr(int(found[2], 16)), text)
    return ESCAPED_SURROGATE.sub(lambda found: found[1] + HALF_A_CHARACTER, text.encode())


def _lost(request: Request) -> Response:
    """Close the connection without a word; a test client, which has none, sees status 599."""
    socket = request.environ.get("gunicorn.socket")
    if socket is not None:
        socket.shutdown(2)
    return Response(b"", LOST)
