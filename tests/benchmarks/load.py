"""A load generator that takes little of the machine: ready-made requests, one epoll, no library.

It runs as a process of its own, so that its share of the machine can be told apart.
"""

import multiprocessing
import select
import socket
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bot.sandbox.crypto import Seal, sign
from bot.sandbox.place import CALLBACKS, Place

CONNECTIONS = 32
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Run:
    """What came of one series of requests; ``load`` is the generator's share of one core.

    Half of the requests waited ``median`` seconds at most for their answer, 99 % of them ``late``.
    """

    accepted: int
    refused: int
    seconds: float
    load: float
    median: float
    late: float

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds


def customer_added(corp_id: str, number: int) -> bytes:
    """Return the event that comes when somebody adds a member."""
    return (
        f"<xml><ToUserName><![CDATA[{corp_id}]]></ToUserName>"
        f"<FromUserName><![CDATA[sys]]></FromUserName><CreateTime>{int(time.time())}</CreateTime>"
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"
        "<ChangeType><![CDATA[add_external_contact]]></ChangeType>"
        f"<UserID><![CDATA[member{number % 50}]]></UserID>"
        f"<ExternalUserID><![CDATA[wmBENCHMARKAAAAAAAAAAAAAA{number:08}]]></ExternalUserID>"
        f"<State><![CDATA[channel]]></State><WelcomeCode><![CDATA[code{number:040}]]></WelcomeCode>"
        "</xml>"
    ).encode()


def tag_changed(corp_id: str, number: int) -> bytes:
    """Return an event that Kegui keeps and ignores, because no handler wants it."""
    return (
        f"<xml><ToUserName><![CDATA[{corp_id}]]></ToUserName>"
        "<FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1790000000</CreateTime>"
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_tag]]></Event>"
        "<ChangeType><![CDATA[update]]></ChangeType><TagType><![CDATA[tag]]></TagType>"
        f"<Id><![CDATA[etBENCHMARKAAAAAAAAAAAAAA{number:08}]]></Id></xml>"
    ).encode()


def events(
    place: Place, first: int, amount: int, what: Callable[[str, int], bytes] = customer_added
) -> list[bytes]:
    """Return requests that each carry another event, encrypted and signed, ready to send."""
    prefix, path = CALLBACKS["customer"]
    corp_id = place.environment["KEGUI_CORP_ID"]
    token = place.environment[f"KEGUI_{prefix}_TOKEN"]
    seal = Seal(token, place.environment[f"KEGUI_{prefix}_AES_KEY"], corp_id)
    timestamp = str(int(time.time()))
    requests = []
    for number in range(first, first + amount):
        encrypted = seal.encrypt(what(corp_id, number))
        query = urlencode(
            {
                "msg_signature": sign(token, timestamp, str(number), encrypted),
                "timestamp": timestamp,
                "nonce": str(number),
            }
        )
        body = f"<xml><ToUserName>{corp_id}</ToUserName><Encrypt>{encrypted}</Encrypt></xml>"
        head = (
            f"POST {path}?{query} HTTP/1.1\r\nHost: kegui\r\nContent-Type: text/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append((head + body).encode())
    return requests


def drive(
    url: str,
    requests: Sequence[bytes],
    connections: int = CONNECTIONS,
    per_second: float | None = None,
) -> Run:
    """Send all requests from another process, one at a time on each of some connections.

    Args:
        per_second: how many shall be sent; as many as are answered, if it is not given. A request
            that finds no connection free waits for one, and that counts.
    """
    with SPAWN.Pool(1) as pool:
        return pool.apply(_drive, (url, requests, connections, per_second))


def _drive(url: str, requests: Sequence[bytes], connections: int, per_second: float | None) -> Run:
    address = (urlsplit(url).hostname, urlsplit(url).port)
    poll = select.epoll()
    open_now: dict[int, socket.socket] = {}
    due: dict[int, float] = {}
    waits: list[float] = []

    def connect() -> int:
        connection = socket.create_connection(address, 30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_now[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
        return connection.fileno()

    free = deque(connect() for _ in range(min(connections, len(requests))))
    sent = accepted = refused = 0
    pause = 1 / per_second if per_second else 0.0
    began, used = time.perf_counter(), time.process_time()
    while accepted + refused < len(requests):
        patience = 30.0
        while free and sent < len(requests):
            at = began + sent * pause if per_second else time.perf_counter()
            patience = at - time.perf_counter()
            if patience > 0:
                break
            patience = 30.0
            number = free.popleft()
            due[number] = at
            open_now[number].sendall(requests[sent])
            sent += 1
        ready = poll.poll(patience)
        if not ready and patience == 30:
            raise TimeoutError(f"no answer for 30 s after {accepted + refused}")
        for number, _ in ready:
            answer = open_now[number].recv(65536)
            if not answer and number in free:
                # Nobody had asked anything for a while.
                free.remove(number)
                open_now.pop(number).close()
                free.append(connect())
                continue
            if not answer:
                raise ConnectionError("the server hung up")
            waits.append(time.perf_counter() - due[number])
            free.append(number)
            if answer.startswith(b"HTTP/1.1 200 "):
                accepted += 1
            else:
                refused += 1
    seconds, used = time.perf_counter() - began, time.process_time() - used
    for connection in open_now.values():
        connection.close()
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return Run(accepted, refused, seconds, used / seconds, cuts[49], cuts[98])
