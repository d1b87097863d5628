"""The doors stand in the open: whatever comes is refused at once, told in one line, forgotten."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import POSTGRES_URL, missing_service
from tests.doors import attacks
from tests.doors.attacks import MARK, MIB
from tests.doors.knocking import (
    NONCE,
    TIMESTAMP,
    Door,
    Knock,
    connect,
    envelope,
    exchange,
    remark_changed,
)
from tests.stack import Stack, free_port, running_stack, until

# WeCom gives up after five seconds; refusing takes milliseconds, on a busy machine more.
QUICKLY = 2.0
NUMBERS = count(1)
SLACK_MIB = 24


def lines(stack: Stack) -> list[str]:
    return stack.log_file("web").read_text("utf-8").splitlines()


def stored(stack: Stack) -> int:
    """How many events the inbox holds, read beside the process."""
    with closing(sqlite3.connect(stack.folder / "kegui.db")) as database:
        return int(database.execute("SELECT count(*) FROM inbox_event").fetchone()[0])


def good(door: Door) -> Knock:
    return door.sealed(remark_changed(door.corp_id, next(NUMBERS)))


def is_taken(door: Door, knock: Knock) -> bool:
    return door.knock(knock).status == 200


def memory_mib(stack: Stack) -> float:
    """Resident memory of the web process and its children together."""
    leader = stack.processes["web"].pid
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    pages = sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in [leader, *children]
    )
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def assert_nothing_told(told: list[str], *secrets: str) -> None:
    for secret in (MARK, NONCE, TIMESTAMP, "msg_signature", "<xml", *secrets):
        assert not [line for line in told if secret in line]


@pytest.mark.parametrize("name", attacks.ALL)
def test_an_attack_is_refused_at_once_told_in_one_line_and_not_stored(
    stack: Stack, door: Door, name: str
) -> None:
    status, reasons = attacks.EXPECTED[name]
    knock = attacks.ALL[name](door)
    before, events = len(lines(stack)), stored(stack)

    answer = door.knock(knock)

    assert (answer.status, answer.body) == (status, b"")
    assert answer.seconds < QUICKLY
    [line] = lines(stack)[before:]
    said: dict[str, Any] = json.loads(line)
    assert (said["event"], said["door"]) == ("callback_rejected", door.name)
    assert said["reason"] in reasons
    assert set(said) == {"event", "door", "reason", "request_id", "level", "logger", "timestamp"}
    assert_nothing_told([line])
    assert stored(stack) == events


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"]
)
def test_other_methods_are_refused(stack: Stack, door: Door, method: str) -> None:
    before, events = len(lines(stack)), stored(stack)
    body = envelope(door.seal().encrypt(remark_changed(door.corp_id, 0)))

    answer = door.knock(Knock(door.query(MARK), body, method=method))

    assert 400 <= answer.status < 500
    assert answer.seconds < QUICKLY
    assert_nothing_told(lines(stack)[before:])
    assert stored(stack) == events


@pytest.mark.parametrize(
    "query",
    [
        "",
        "echostr=",
        "echostr=" + MARK,
        "echostr=%ff%fe%00%zz",
        "echostr=" + "a" * 3900,
        f"msg_signature=a&msg_signature=b&nonce={NONCE}&nonce=2&timestamp={TIMESTAMP}&echostr=c",
        f"msg_signature[]={MARK}&echostr[]=b",
        "&".join(f"p{number}={MARK}" for number in range(150)),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_verification_without_the_token_is_refused(
    stack: Stack, door: Door, method: str, query: str
) -> None:
    before = len(lines(stack))

    answer = door.knock(Knock(query, method=method))

    assert answer.status == 403
    assert answer.seconds < QUICKLY
    told = lines(stack)[before:]
    assert [json.loads(line)["reason"] for line in told] == ["signature"]
    assert_nothing_told(told)


def test_a_signed_verification_of_garbage_is_refused(door: Door) -> None:
    for encrypted in (MARK, "", "QUFB", "k9Xh" * 24, door.seal("wwother").encrypt(b"123")):
        answer = door.knock(Knock(door.query(encrypted, echostr=encrypted), method="GET"))

        assert answer.status in (400, 403)
        assert answer.body == b""


def test_a_verification_is_answered_in_bare_text(door: Door) -> None:
    encrypted = door.seal().encrypt("4177820873 回声".encode())

    answer = door.knock(Knock(door.query(encrypted, echostr=encrypted), method="GET"))

    assert (answer.status, answer.body) == (200, "4177820873 回声".encode())
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.seconds < 1


def verification(door: Door, content: bytes, at: str = TIMESTAMP) -> str:
    """The query of a verification, its values encoded as WeCom encodes them."""
    encrypted = door.seal().encrypt(content)
    return door.query(encrypted, at, echostr=encrypted)


def test_an_echo_whose_plus_signs_became_blanks_on_the_way_is_answered(door: Door) -> None:
    queries = (verification(door, str(number).encode()) for number in count(10**12))
    query = next(one for one in queries if one.partition("echostr=")[2].count("%2B") > 1)

    for plus in ("+", "%20"):
        answer = door.knock(Knock(query.replace("%2B", plus), method="GET"))

        assert (answer.status, len(answer.body)) == (200, 13)


def test_an_address_that_ends_with_a_slash_is_the_same_door(stack: Stack, door: Door) -> None:
    events = stored(stack)
    knock = good(door)
    door.path += "/"

    echoed = door.knock(Knock(verification(door, b"4177820873"), method="GET"))
    taken = door.knock(knock)

    assert (echoed.status, echoed.body) == (200, b"4177820873")
    assert (taken.status, taken.body) == (200, b"")
    assert stored(stack) == events + 1


def captured(door: Door) -> bytes:
    return remark_changed(door.corp_id, 0)


@pytest.mark.parametrize(
    "before", [b"", b" \n", b"\xef\xbb\xbf", b"\0", b'<?xml version="1.0" encoding="UTF-8"?>']
)
def test_an_event_that_somebody_captured_does_not_come_back_in_clear(
    stack: Stack, door: Door, before: bytes
) -> None:
    told_before, events = len(lines(stack)), stored(stack)

    answer = door.knock(Knock(verification(door, before + captured(door)), method="GET"))

    assert (answer.status, answer.body) == (403, b"")
    told = lines(stack)[told_before:]
    assert [json.loads(line)["reason"] for line in told] == ["no_echo"]
    assert_nothing_told(told)
    assert stored(stack) == events


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_nor_does_one_in_another_encoding_or_in_json(door: Door, encoding: str) -> None:
    for text in (captured(door).decode(), '{"Event": "enter_agent"}', '[{"Event": "a"}]'):
        query = verification(door, text.encode(encoding))

        assert door.knock(Knock(query, method="GET")).status == 403


@pytest.mark.parametrize("hours", [-11, -2, 2, 11, 90 * 24])
def test_a_clock_that_is_hours_wrong_closes_no_door(stack: Stack, door: Door, hours: int) -> None:
    events = stored(stack)
    at = str(int(time.time()) + hours * 3600)

    echoed = door.knock(Knock(verification(door, b"4177820873", at), method="GET"))
    taken = door.knock(door.sealed(remark_changed(door.corp_id, next(NUMBERS)), at=at))

    assert (echoed.status, echoed.body) == (200, b"4177820873")
    assert taken.status == 200
    assert stored(stack) == events + 1


@pytest.mark.parametrize("days", [-3650, -200, 200])
def test_a_verification_of_another_year_is_refused(stack: Stack, door: Door, days: int) -> None:
    before = len(lines(stack))
    at = str(int(time.time()) + days * 86_400)

    answer = door.knock(Knock(verification(door, b"4177820873", at), method="GET"))

    assert (answer.status, answer.body) == (403, b"")
    assert [json.loads(line)["reason"] for line in lines(stack)[before:]] == ["stale"]


@pytest.mark.parametrize(
    "name",
    [
        b"<![CDATA[\xe9\x99\x88\x10]]>",
        b"<![CDATA[\xe9\x99\x88\x1d\x00]]>",
        b"<![CDATA[\xe9\x99\x88\xf0\x9f\x98]]>",
        b"<![CDATA[\xe9\x99\x88\xef\xbf\xbf\xed\xa0\xbd]]>",
        b"\xe9\x99\x88&#16;&#x1D;&#0;&#xD83D;",
    ],
)
def test_a_genuine_event_with_characters_that_xml_forbids_is_kept_and_read_without_them(
    stack: Stack, door: Door, name: bytes
) -> None:
    before, events = len(lines(stack)), stored(stack)
    number = next(NUMBERS)
    event = remark_changed(door.corp_id, number)
    event = event.replace(b"</xml>", b"<Name>" + name + b"</Name></xml>")

    answer = door.knock(door.sealed(event))

    assert (answer.status, answer.body) == (200, b"")
    assert stored(stack) == events + 1
    told = [json.loads(line) for line in lines(stack)[before:]]
    assert [one["event"] for one in told] == ["event_received", "event_mended"]
    shown = stack.api.get(f"/events/{told[1]['event_id']}")
    assert shown["fields"]["ExternalUserID"] == f"wm_{number}"
    assert shown["fields"]["Name"].rstrip("\ufffd") == "陈"
    # The same again is the same event.
    assert door.knock(door.sealed(event)).status == 200
    assert stored(stack) == events + 1


def test_a_query_beyond_all_measure_is_refused(stack: Stack, door: Door) -> None:
    before = len(lines(stack))

    answer = door.knock(Knock(f"echostr={MARK * 10_000}", method="GET"))

    assert answer.status == 414
    assert_nothing_told(lines(stack)[before:])


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: -3\r\n\r\n",
        f"Content-Length: {MARK}\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: unknown\r\n\r\n",
        f"Transfer-Encoding: chunked\r\n\r\n{MARK}\r\n",
        f"Transfer-Encoding: chunked\r\n\r\n-5\r\n{MARK}\r\n0\r\n\r\n",
        f"X-Long: {MARK * 1000}\r\n\r\n",
        "".join(f"X-{number}: a\r\n" for number in range(100)) + "\r\n",
    ],
)
def test_broken_http_is_refused_and_told_in_one_line(
    stack: Stack, door: Door, headers: str
) -> None:
    before, events = len(lines(stack)), stored(stack)
    request = f"POST {door.path}?{door.query(MARK)} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n"

    answer = exchange(door.url, [(request + headers).encode()])

    assert 400 <= answer.status < 500 or answer.status == 501
    assert answer.seconds < QUICKLY
    told = lines(stack)[before:]
    assert len(told) == 1
    assert_nothing_told(told)
    assert stored(stack) == events


def test_a_body_above_a_mib_is_refused_before_it_came(door: Door) -> None:
    [head, *_] = door.request(Knock(door.query(MARK), b"x" * (10 * MIB)))

    # Not one byte of what was announced is sent.
    answer = exchange(door.url, [head])

    assert answer.status == 413
    assert answer.seconds < QUICKLY


def test_a_body_without_an_end_is_refused_after_a_mib(door: Door) -> None:
    *parts, _end = door.request(Knock(door.query(MARK), b"x" * (MIB + 70_000), chunked=True))

    answer = exchange(door.url, parts)

    assert answer.status == 413
    assert answer.seconds < QUICKLY


def test_a_body_that_breaks_off_is_refused(stack: Stack, door: Door) -> None:
    [head, body] = door.request(good(door))
    before, events = len(lines(stack)), stored(stack)

    with connect(door.url) as connection:
        connection.sendall(head + body[:-10])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [json.loads(line)["reason"] for line in lines(stack)[before:]] == ["body"]
    assert stored(stack) == events


def test_many_who_send_half_an_event_and_wait_do_not_close_the_door(
    stack: Stack, door: Door
) -> None:
    [head, body] = door.request(good(door))
    events = stored(stack)

    with ExitStack() as waiting:
        # More than the web process has threads.
        for _ in range(40):
            connection = waiting.enter_context(connect(door.url))
            connection.sendall(head + body[:10])
        answer = door.knock(good(door))

    assert (answer.status, answer.body) == (200, b"")
    # Each of them is given three seconds; a good event waits for two rows of them at most.
    assert answer.seconds < 10
    assert stored(stack) == events + 1


def test_many_who_send_half_a_head_do_not_close_the_door_for_good(stack: Stack, door: Door) -> None:
    with ExitStack() as waiting:
        dripping = [waiting.enter_context(connect(door.url)) for _ in range(40)]
        for connection in dripping:
            connection.sendall(f"POST {door.path} HTTP/1.1\r\nX-A: ".encode())
        drip = threading.Thread(target=drip_into, args=(dripping,))
        drip.start()
        answer = door.knock(good(door))
        drip.join()

    assert (answer.status, answer.body) == (200, b"")
    # Each of them is given three seconds, however often a byte comes; there are rows of them.
    assert answer.seconds < 15


def drip_into(connections: list[socket.socket]) -> None:
    """Send a byte to each, again and again, until all are hung up on."""
    for _ in range(60):
        for connection in list(connections):
            try:
                connection.sendall(b"a")
            except OSError:
                connections.remove(connection)
        if not connections:
            return
        time.sleep(0.25)


def test_no_header_moves_the_address_or_claims_tls(stack: Stack, door: Door) -> None:
    """The web process believes a proxy named in KEGUI_TRUSTED_PROXIES, and here is none."""
    head = "GET /healthz HTTP/1.1\r\nHost: k\r\nConnection: close\r\n"
    for claim in (
        "SCRIPT_NAME: /wecom",
        "PATH_INFO: /wecom/callback",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Ssl: on",
        "X-Forwarded-Prefix: /wecom",
    ):
        answer = exchange(door.url, [f"{head}{claim}\r\n\r\n".encode()])

        assert answer.status == 200, claim
        assert "strict-transport-security" not in answer.headers, claim


def test_a_web_process_open_to_other_machines_asks_for_a_proxy(
    stack: Stack, tmp_path: Path
) -> None:
    told = tmp_path / "log"
    bind = f"0.0.0.0:{free_port()}"
    command = [sys.executable, "-m", "bot", "web"]
    environment = {**os.environ, **stack.place.environment, "KEGUI_BIND": bind}
    environment["KEGUI_METRICS_BIND"] = ""
    with told.open("w") as log:
        web = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: "no_reverse_proxy" in told.read_text())
        assert f'"bind": "{bind}"' in told.read_text()
    finally:
        web.terminate()
        web.wait(30)
    assert "no_reverse_proxy" not in "".join(lines(stack))


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/json", "application/x-www-form-urlencoded", "*/*;q=1", "中文"],
)
def test_a_good_event_is_taken_whatever_its_content_type_says(
    stack: Stack, door: Door, content_type: str
) -> None:
    events = stored(stack)
    knock = good(door)
    odd = content_type.encode().decode("latin-1")

    answer = door.knock(Knock(knock.query, knock.body, content_type=odd))

    assert (answer.status, answer.body) == (200, b"")
    assert stored(stack) == events + 1


def test_a_good_event_is_taken_in_chunks(stack: Stack, door: Door) -> None:
    events = stored(stack)
    knock = good(door)

    answer = door.knock(Knock(knock.query, knock.body, chunked=True))

    assert (answer.status, answer.body) == (200, b"")
    assert stored(stack) == events + 1


RANDOM = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@RANDOM
@given(body=st.binary(max_size=2000))
def test_random_bytes_as_a_body_are_refused(stack: Stack, door: Door, body: bytes) -> None:
    events = stored(stack)

    answer = door.knock(Knock(door.query(""), body))

    assert (answer.status, answer.body) == (400, b"")
    assert stored(stack) == events


@RANDOM
@given(noise=st.binary(max_size=2000))
def test_random_bytes_under_the_right_key_are_refused(
    stack: Stack, door: Door, noise: bytes
) -> None:
    events = stored(stack)
    padded = noise + b"\0" * (-len(noise) % 32)

    for knock in (door.sealed(noise), door.enciphered(padded)):
        answer = door.knock(knock)

        assert 400 <= answer.status < 500
        assert answer.body == b""
    assert stored(stack) == events


@RANDOM
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<&]")))
def test_random_signed_text_is_refused(stack: Stack, door: Door, text: str) -> None:
    events = stored(stack)

    answer = door.knock(door.signed(text))

    assert 400 <= answer.status < 500
    assert stored(stack) == events


def test_after_hundreds_of_attacks_memory_is_flat_and_a_good_event_is_taken(stack: Stack) -> None:
    """The allocator keeps what the largest requests of each thread once needed, so first come
    rounds that warm it up. A leak of even a tenth of what is sent would be above the slack."""
    doors = [Door(stack.place, name) for name in ("customer", "contacts", "archive")]

    def attack_all(rounds: int) -> None:
        for _ in range(rounds):
            for door in doors:
                for attack in attacks.ALL.values():
                    door.knock(attack(door))

    attack_all(3)
    before = memory_mib(stack)
    attack_all(5)
    grown = memory_mib(stack) - before

    assert grown < SLACK_MIB
    for door in doors:
        answer = door.knock(good(door))
        assert (answer.status, answer.body) == (200, b"")


@pytest.fixture
def own_postgres() -> Iterator[tuple[psycopg.Connection, str]]:
    """A server connection and the name of a database that a test may take away."""
    try:
        server = psycopg.connect(f"{POSTGRES_URL}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        missing_service("PostgreSQL")
    name = f"kegui_doors_{uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {name}".encode())
    yield server, name
    server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    server.close()


@pytest.mark.postgres
def test_without_its_database_the_door_says_so_and_goes_on_when_it_is_back(
    own_postgres: tuple[psycopg.Connection, str], tmp_path: Path
) -> None:
    server, name = own_postgres
    url = f"{POSTGRES_URL}/{name}"
    with running_stack(tmp_path, url, url, "web") as stack:
        door = Door(stack.place, "customer")
        assert door.knock(good(door)).status == 200
        assert door.knock(attacks.EVENTS["laughs in an event"](door)).status == 400

        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        knocks = [good(door) for _ in range(8)]
        before = len(lines(stack))
        refused = [door.knock(knock) for knock in knocks]
        # The wake-ups of the events before have nowhere to go either, sooner or later.
        told = [line for line in lines(stack)[before:] if "queue_wake_failed" not in line]
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        again = [until(partial(is_taken, door, knock), 10) for knock in knocks]

        assert [answer.status for answer in refused] == [503] * len(knocks)
        assert [json.loads(line)["event"] for line in told] == ["callback_not_stored"] * len(knocks)
        assert_nothing_told(told)
        assert again == [True] * len(knocks)
        with psycopg.connect(url) as database:
            row = database.execute("SELECT count(*) FROM inbox_event").fetchone()
            assert row == (1 + len(knocks),)
