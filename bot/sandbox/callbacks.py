"""Callbacks to the doors: sealed, posted, repeated after network failures (path 90930)."""

import heapq
import http.client
import random
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from bot.sandbox.crypto import Seal, sign
from bot.sandbox.events import CUSTOMER, xml
from bot.sandbox.state import Delivery, Door, Fields, World

WORKERS = 64
VERIFY_SECONDS = 1.0
NODES_KEPT_FIRST = 5
# A name as somebody typed it, with what XML forbids.
ODD_NAMES = {
    "control": b"<Name><![CDATA[\xe9\x99\x88\x10\x1d]]></Name>",
    "reference": b"<Name>\xe9\x99\x88&#16;&#x1d;</Name>",
    "nul": b"<Name><![CDATA[\xe9\x99\x88\x00]]></Name>",
    "broken": b"<Name><![CDATA[\xe9\x99\x88\xf0\x9f\x98]]></Name>",
}


@dataclass
class Letter:
    """One event on its way to one door; ``event_seq`` is its row in the book of events."""

    door: str
    fields: Fields
    generation: int
    event_seq: int
    attempt: int = 1


@dataclass(order=True)
class Job:
    """A letter and when it is due (monotonic seconds)."""

    due: float
    number: int
    letter: Letter = field(compare=False)


class Courier:
    """Sends callbacks with threads of its own; without ``start`` it only collects them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._wake = threading.Condition()
        self._jobs: list[Job] = []
        self._number = 0
        self._under_way = 0
        self._kept_back: list[Letter] | None = None
        self._running = False

    def start(self) -> None:
        """Begin to deliver."""
        self._running = True
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"courier-{number}", daemon=True).start()

    def stop(self) -> None:
        """Stop delivering; letters under way still arrive."""
        with self._wake:
            self._running = False
            self._wake.notify_all()

    def clear(self) -> None:
        """Throw away what has not been sent."""
        with self._wake:
            self._jobs.clear()
            self._kept_back = None

    def send(self, door: str, fields: Fields, delivery: Delivery, event_seq: int) -> None:
        """Queue an event as often, and as late, as ``delivery`` says."""
        for _ in range(delivery.times):
            letter = Letter(door, fields, self.world.generation, event_seq)
            with self._wake:
                if self._kept_back is not None:
                    self._kept_back.append(letter)
                    continue
                self._push(letter, delivery.delay_seconds)

    def keep_back(self) -> None:
        """Keep back all events from now on."""
        with self._wake:
            self._kept_back = self._kept_back or []

    def release(self, order: str, seed: int) -> int:
        """Send what was kept back: in order (fifo), reverse or shuffled, one after the other.

        Raises:
            ValueError: for another order.
        """
        if order not in ("fifo", "reverse", "shuffled"):
            raise ValueError("order must be fifo, reverse or shuffled")
        with self._wake:
            letters, self._kept_back = self._kept_back or [], None
            if order == "reverse":
                letters.reverse()
            if order == "shuffled":
                random.Random(seed).shuffle(letters)  # noqa: S311 - a repeatable disorder
            self._under_way += 1
        threading.Thread(target=self._send_in_turn, args=(letters,), daemon=True).start()
        return len(letters)

    def _send_in_turn(self, letters: list[Letter]) -> None:
        try:
            for letter in letters:
                self._deliver(letter)
        finally:
            self._end()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is queued or under way; False when that took too long."""
        with self._wake:
            return self._wake.wait_for(
                lambda: not self._jobs and not self._under_way, timeout_seconds
            )

    def _push(self, letter: Letter, delay_seconds: float) -> None:
        self._number += 1
        heapq.heappush(self._jobs, Job(time.monotonic() + delay_seconds, self._number, letter))
        self._wake.notify_all()

    def _work(self) -> None:
        while (letter := self._take()) is not None:
            try:
                self._deliver(letter)
            finally:
                self._end()

    def _end(self) -> None:
        with self._wake:
            self._under_way -= 1
            self._wake.notify_all()

    def _take(self) -> Letter | None:
        with self._wake:
            while self._running:
                wait = self._jobs[0].due - time.monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    self._under_way += 1
                    return heapq.heappop(self._jobs).letter
                self._wake.wait(wait)
        return None

    def _deliver(self, letter: Letter) -> None:
        door = self.world.doors.get(letter.door)
        if door is None or letter.generation != self.world.generation:
            return
        switches = self.world.switches
        began = time.monotonic()
        status, problem = 0, ""
        try:
            body, query = self._seal(door, letter)
            status, _ = request(door.url, "POST", query, body, switches.delivery_timeout_seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = type(error).__name__
        self._note(letter, status, problem, time.monotonic() - began)
        failed = bool(problem) or (status != 200 and switches.retry_non_200)
        if failed and letter.attempt < switches.delivery_attempts:
            repeat = replace(letter, attempt=letter.attempt + 1)
            if switches.retry_plaintext == "reordered":
                head, tail = letter.fields[:NODES_KEPT_FIRST], letter.fields[NODES_KEPT_FIRST:]
                repeat.fields = head + tail[::-1]
            with self._wake:
                self._push(repeat, switches.retry_interval_seconds)

    def _seal(self, door: Door, letter: Letter) -> tuple[bytes, dict[str, str]]:
        """Encrypt anew for every attempt; return the envelope and the signed query."""
        corp_id = self.world.corp_id
        plaintext = xml(letter.fields).encode().removesuffix(b"</xml>")
        plaintext += ODD_NAMES.get(self.world.switches.event_characters, b"") + b"</xml>"
        encrypted = Seal(door.token, door.aes_key, corp_id).encrypt(plaintext)
        envelope: Fields = [("ToUserName", corp_id), ("Encrypt", encrypted)]
        is_app_event = any(name == "AgentID" for name, _ in letter.fields)
        if is_app_event or (self.world.switches.envelope_agent_id and letter.door == CUSTOMER):
            envelope.append(("AgentID", str(self.world.app_agent_id())))
        return xml(envelope).encode(), signed_query(door, encrypted, signed_at(self.world))

    def _note(self, letter: Letter, status: int, problem: str, seconds: float) -> None:
        fields = dict(letter.fields)
        self.world.journal.write(
            "deliveries",
            self.world.now(),
            door=letter.door,
            event=fields.get("Event", ""),
            change_type=fields.get("ChangeType", ""),
            userid=fields.get("UserID", ""),
            external_userid=fields.get("ExternalUserID", ""),
            event_seq=letter.event_seq,
            attempt=letter.attempt,
            status=status,
            problem=problem,
            seconds=round(seconds, 4),
        )


def signed_at(world: World) -> float:
    """Return when a callback is signed: in real time, because the house that hears it does not
    jump with the sandbox's clock."""
    return time.time() + world.switches.timestamp_offset_seconds


def signed_query(door: Door, encrypted: str, now: float) -> dict[str, str]:
    """Return msg_signature, timestamp and nonce."""
    timestamp, nonce = str(int(now)), str(secrets.randbelow(10**10))
    signature = sign(door.token, timestamp, nonce, encrypted)
    return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}


def request(
    url: str, method: str, query: dict[str, str], body: bytes | None, timeout_seconds: float
) -> tuple[int, bytes]:
    """Send one request on a connection of its own; return status and body.

    A connection kept open may be closed by the other side just when it is used again, and that
    would look like a failed delivery.

    Raises:
        OSError, http.client.HTTPException: no answer.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    began = time.monotonic()
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_seconds)
    try:
        connection.connect()
        remaining = max(0.001, timeout_seconds - (time.monotonic() - began))
        connection.sock.settimeout(remaining)
        headers = {"Connection": "close", "User-Agent": "Mozilla/4.0"}
        if body is not None:
            headers["Content-Type"] = "text/xml"
        target = f"{parts.path or '/'}?{urlencode(query)}"
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def verify(world: World, door: Door) -> dict[str, Any]:
    """Do WeCom's GET verification: the bare decrypted text within one second."""
    echo = str(secrets.randbelow(10**19)).encode()
    encrypted = Seal(door.token, door.aes_key, world.corp_id).encrypt(echo)
    query = signed_query(door, encrypted, signed_at(world)) | {"echostr": encrypted}
    began = time.monotonic()
    status, body, problem = 0, b"", ""
    try:
        status, body = request(door.url, "GET", query, None, 5 * VERIFY_SECONDS)
    except (OSError, http.client.HTTPException) as error:
        problem = type(error).__name__
    seconds = time.monotonic() - began
    if not problem and status != 200:
        problem = f"status {status}"
    elif not problem and body != echo:
        problem = "the answer is not the decrypted text"
    elif not problem and seconds > VERIFY_SECONDS:
        problem = "slower than one second"
    return {"ok": not problem, "status": status, "seconds": round(seconds, 4), "problem": problem}
