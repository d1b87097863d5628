"""A load generator that takes little of the machine: ready-made requests, one epoll, no library.

It runs as a process of its own, so that its share of the machine can be told apart.
"""

import multiprocessing
import select
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bot.sandbox.crypto import Seal, sign
from bot.sandbox.place import CALLBACKS, Place

CONNECTIONS = 32
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Run:
    """What came of one series of requests; ``load`` is the generator's share of one core."""

    accepted: int
    refused: int
    seconds: float
    load: float
    median: float
    late: float

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds


def events(place: Place, first: int, amount: int) -> list[bytes]:
    """Return requests that each carry another event, encrypted and signed, ready to send."""
    prefix, path = CALLBACKS["customer"]
    corp_id = place.environment["KEGUI_CORP_ID"]
    token = place.environment[f"KEGUI_{prefix}_TOKEN"]
    seal = Seal(token, place.environment[f"KEGUI_{prefix}_AES_KEY"], corp_id)
    timestamp = str(int(time.time()))
    requests = []
    for number in range(first, first + amount):
        encrypted = seal.encrypt(customer_added(corp_id, number))
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


def drive(url: str, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Run:
    """Send all requests from another process, one at a time on each of some connections."""
    with SPAWN.Pool(1) as pool:
        return pool.apply(_drive, (url, requests, connections))


def _drive(url: str, requests: Sequence[bytes], connections: int) -> Run:
    address = (urlsplit(url).hostname, urlsplit(url).port)
    waiting = list(reversed(requests))
    poll = select.epoll()
    open_now: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    waits: list[float] = []
    for _ in range(min(connections, len(requests))):
        connection = socket.create_connection(address, 30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_now[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    accepted = refused = 0
    began, used = time.perf_counter(), time.process_time()
    for number, connection in open_now.items():
        sent[number] = time.perf_counter()
        connection.sendall(waiting.pop())
    while accepted + refused < len(requests):
        ready = poll.poll(30)
        if not ready:
            raise TimeoutError(f"no answer for 30 s after {accepted + refused}")
        for number, _ in ready:
            answer = open_now[number].recv(65536)
            if not answer:
                raise ConnectionError("the server hung up")
            waits.append(time.perf_counter() - sent[number])
            if answer.startswith(b"HTTP/1.1 200 "):
                accepted += 1
            else:
                refused += 1
            if waiting:
                sent[number] = time.perf_counter()
                open_now[number].sendall(waiting.pop())
    seconds, used = time.perf_counter() - began, time.process_time() - used
    for connection in open_now.values():
        connection.close()
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return Run(accepted, refused, seconds, used / seconds, cuts[49], cuts[98])
