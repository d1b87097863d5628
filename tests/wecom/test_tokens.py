"""One access token for each secret, renewed early, by one process at a time."""

import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from bot import clock, db
from bot.models import AccessToken, Lease
from bot.reason import Reason
from bot.vault import Vault
from bot.wecom import OperatorNeeded, Paused, Token, TokenStore, Transient, stores
from bot.wecom.stores import DatabaseTokenStore
from bot.wecom.tokens import EARLY, MemoryTokenStore
from bot.wecom.transport import GETTOKEN_TIMEOUT_SECONDS
from tests.wecom.speaking import CORP_ID, answer, asked, give_token, refuse, speak, url

THREADS = 20
FOLLOWERS = "externalcontact/get_follow_user_list"
NOBODY: dict[str, Any] = {"errcode": 0, "errmsg": "ok", "follow_user": []}


def lives(value: str, lifetime: timedelta) -> Token:
    return Token(value, datetime.now(UTC) + lifetime)


@pytest.fixture
def vault() -> Vault:
    return Vault(base64.urlsafe_b64encode(os.urandom(32)).decode())


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_store(request: pytest.FixtureRequest, vault: Vault) -> Iterator[Callable[[], TokenStore]]:
    """Makes stores that share their tokens, as the processes of one installation do."""
    if request.param == "memory":
        shared = MemoryTokenStore()
        yield lambda: shared
        return
    db.connect(request.getfixturevalue(f"{request.param}_url"))
    yield lambda: DatabaseTokenStore(vault)
    db.database.close_all()


class Platform(BaseHTTPRequestHandler):
    """Just enough of WeCom over real HTTP: every gettoken gives another token."""

    tokens_given = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/cgi-bin/gettoken":
            with self.lock:
                type(self).tokens_given += 1
            body = f'{{"errcode":0,"access_token":"t{self.tokens_given}","expires_in":7200}}'
        else:
            given = parse_qs(urlsplit(self.path).query)["access_token"][0]
            body = f'{{"errcode":0,"follow_user":["{given}"]}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


class Server(ThreadingHTTPServer):
    request_queue_size = THREADS


@pytest.fixture
def platform() -> Iterator[tuple[str, type[Platform]]]:
    handler = type("OnePlatform", (Platform,), {"tokens_given": 0})
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_twenty_threads_make_one_gettoken(
    platform: tuple[str, type[Platform]], new_store: Callable[[], TokenStore]
) -> None:
    address, handler = platform
    start = threading.Barrier(THREADS)
    speakers = [speak(api_base=address, tokens=new_store()) for _ in range(2)]

    def ask(number: int) -> list[str]:
        start.wait()
        return speakers[number % 2].customers.follow_users()

    with ThreadPoolExecutor(THREADS) as pool:
        seen = list(pool.map(ask, range(THREADS)))

    assert handler.tokens_given == 1
    assert seen == [["t1"]] * THREADS


def test_a_token_is_renewed_before_it_ends(
    network: responses.RequestsMock, new_store: Callable[[], TokenStore]
) -> None:
    tokens = new_store()
    tokens.refresh("app", None, lambda: lives("old", EARLY - timedelta(seconds=5)))
    give_token(network, "new")
    answer(network, FOLLOWERS, NOBODY, method="GET")

    speak(tokens=tokens).customers.follow_users()

    assert "access_token=new" in str(asked(network, FOLLOWERS)[0].request.url)


def test_a_token_with_time_left_is_used_again(
    network: responses.RequestsMock, new_store: Callable[[], TokenStore]
) -> None:
    tokens = new_store()
    tokens.refresh("app", None, lambda: lives("good", EARLY + timedelta(seconds=60)))
    answer(network, FOLLOWERS, NOBODY, method="GET")

    speak(tokens=tokens).customers.follow_users()

    assert "access_token=good" in str(asked(network, FOLLOWERS)[0].request.url)


def test_a_token_that_wecom_does_not_change_before_its_end_is_asked_for_once_a_minute(
    network: responses.RequestsMock,
) -> None:
    give_token(network, "same", expires_in=300)
    answer(network, FOLLOWERS, NOBODY, method="GET")
    wecom = speak()

    for _ in range(10):
        wecom.customers.follow_users()

    # The first token, and one try to renew it.
    assert len(asked(network, "gettoken")) == 2
    assert len(asked(network, FOLLOWERS)) == 10


def test_what_still_lives_is_used_while_gettoken_is_away(network: responses.RequestsMock) -> None:
    give_token(network, "old", expires_in=300)
    network.add(responses.GET, url("gettoken"), status=502)
    answer(network, FOLLOWERS, NOBODY, method="GET")
    wecom = speak()
    wecom.customers.follow_users()

    assert wecom.customers.follow_users() == []


def test_an_expired_token_is_never_handed_on(new_store: Callable[[], TokenStore]) -> None:
    new_store().refresh("app", None, lambda: lives("expired", timedelta(seconds=-1)))

    renewed = new_store().refresh("app", "another", lambda: lives("new", timedelta(hours=2)))

    assert renewed.value == "new"
    assert new_store().get("app") == renewed


def test_who_comes_second_with_the_stale_token_gets_the_first_ones(
    new_store: Callable[[], TokenStore],
) -> None:
    def not_again() -> Token:
        raise AssertionError("a second gettoken")

    first = new_store().refresh("app", "stale", lambda: lives("first", timedelta(hours=2)))

    assert new_store().refresh("app", "stale", not_again) == first


def test_each_secret_has_its_own_token(
    network: responses.RequestsMock, new_store: Callable[[], TokenStore]
) -> None:
    for secret in ("for-the-app", "for-the-contacts"):
        network.get(
            url("gettoken"),
            json={"errcode": 0, "access_token": f"token-{secret}", "expires_in": 7200},
            match=[
                responses.matchers.query_param_matcher({"corpid": CORP_ID, "corpsecret": secret})
            ],
        )
    answer(network, "user/get", {"errcode": 0}, method="GET")
    speaker = speak(
        secrets={"app": "for-the-app", "contacts": "for-the-contacts"}, tokens=new_store()
    )

    for _ in range(2):
        speaker.transport.read("user/get", {"userid": "zhangsan"}, "app")
        speaker.transport.read("user/get", {"userid": "zhangsan"}, "contacts")

    used = [str(call.request.url).split("access_token=")[1] for call in asked(network, "user/get")]
    expected = ["token-for-the-app&userid=zhangsan", "token-for-the-contacts&userid=zhangsan"]
    assert used == expected * 2
    assert len(asked(network, "gettoken")) == 2


@pytest.mark.parametrize("errcode", [40014, 42001])
def test_a_refused_token_is_replaced_once_and_the_call_repeated(
    network: responses.RequestsMock, errcode: int
) -> None:
    tokens = MemoryTokenStore()
    tokens.refresh("app", None, lambda: lives("old", timedelta(hours=2)))
    give_token(network, "new")
    refuse(network, "externalcontact/remark", errcode)
    answer(network, "externalcontact/remark")

    speak(tokens=tokens).transport.act("externalcontact/remark", {"userid": "zhangsan"})

    used = [str(call.request.url)[-3:] for call in asked(network, "externalcontact/remark")]
    assert used == ["old", "new"]


@pytest.mark.parametrize("errcode", [40014, 42001])
def test_a_token_that_stays_bad_ends_with_the_operator_after_two_renewals(
    network: responses.RequestsMock, errcode: int, new_store: Callable[[], TokenStore]
) -> None:
    give_token(network)
    refuse(network, FOLLOWERS, errcode, method="GET")
    speaker = speak(tokens=new_store())

    with pytest.raises(OperatorNeeded) as raised:
        speaker.customers.follow_users()

    assert raised.value.errcode == errcode
    assert raised.value.what_to_do
    assert len(asked(network, FOLLOWERS)) == 3
    assert len(asked(network, "gettoken")) <= 3
    with pytest.raises(Paused):
        speaker.customers.follow_users()
    assert len(asked(network, FOLLOWERS)) == 3


def test_a_wrong_secret_is_not_tried_again_for_an_hour(network: responses.RequestsMock) -> None:
    refuse(network, "gettoken", 40001, method="GET")
    speaker = speak()

    with pytest.raises(OperatorNeeded, match="40001"):
        speaker.customers.follow_users()
    with pytest.raises(Paused) as paused:
        speaker.contacts.departments()

    assert paused.value.until - clock.now() > timedelta(minutes=59)
    assert len(asked(network, "gettoken")) == 1


def test_gettoken_that_is_limited_may_be_a_ban_and_is_left_in_peace(
    network: responses.RequestsMock,
) -> None:
    refuse(network, "gettoken", 45009, method="GET")
    speaker = speak()

    with pytest.raises(OperatorNeeded) as banned:
        speaker.customers.follow_users()
    with pytest.raises(Paused) as paused:
        speaker.customers.follow_users()

    assert banned.value.what_to_do == Reason("do_check_secret_and_lift_ban")
    assert paused.value.until - clock.now() > timedelta(seconds=290)


def test_a_missing_secret_names_the_setting(network: responses.RequestsMock) -> None:
    with pytest.raises(OperatorNeeded) as raised:
        speak().transport.read("user/list_id", secret_name="contacts")

    assert raised.value.what_to_do.facts == {"variable": "KEGUI_CONTACTS_SECRET"}
    assert not network.calls


def test_gettoken_never_waits_without_end(network: responses.RequestsMock) -> None:
    give_token(network)
    answer(network, FOLLOWERS, NOBODY, method="GET")

    speak(timeout_seconds=60).customers.follow_users()

    connect, read = asked(network, "gettoken")[0].request.req_kwargs["timeout"]  # type: ignore[attr-defined]
    assert 0 < connect <= GETTOKEN_TIMEOUT_SECONDS
    assert 0 < read <= GETTOKEN_TIMEOUT_SECONDS


@pytest.mark.parametrize(
    "body",
    [
        {"errcode": 0, "errmsg": "ok"},
        {"errcode": 0, "access_token": "", "expires_in": 7200},
        {"errcode": 0, "access_token": None, "expires_in": 7200},
        {"errcode": 0, "access_token": "t", "expires_in": "soon"},
        {"access_token": "t"},
    ],
)
def test_an_answer_without_a_token_is_no_token(
    network: responses.RequestsMock, body: dict[str, Any]
) -> None:
    network.get(url("gettoken"), json=body)
    tokens = MemoryTokenStore()

    with pytest.raises(Transient):
        speak(tokens=tokens).customers.follow_users()

    assert tokens.get("app") is None


def test_the_database_keeps_tokens_sealed_and_only_the_own_key_opens_them(
    store: str, vault: Vault
) -> None:
    DatabaseTokenStore(vault).refresh("app", None, lambda: lives("precious", timedelta(hours=2)))

    assert b"precious" not in bytes(AccessToken.get_by_id("app").sealed or b"precious")
    assert DatabaseTokenStore(vault).get("app") is not None


def test_a_failed_fetch_leaves_the_way_free_for_the_next(
    new_store: Callable[[], TokenStore],
) -> None:
    def fail() -> Token:
        raise Transient("gettoken", None, "network")

    with pytest.raises(Transient):
        new_store().refresh("app", None, fail)

    token = new_store().refresh("app", None, lambda: lives("next", timedelta(hours=2)))
    assert token.value == "next"


def test_a_renewal_whose_process_died_is_taken_over(
    store: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lease.create(name="token app", holder="dead", until=clock.now() + timedelta(seconds=5))
    waits: list[float] = []

    def time_passes(seconds: float) -> None:
        waits.append(seconds)
        Lease.update(until=clock.now() - timedelta(seconds=1)).execute()

    monkeypatch.setattr(
        stores, "time", SimpleNamespace(sleep=time_passes, monotonic=time.monotonic)
    )
    token = DatabaseTokenStore(vault).refresh(
        "app", None, lambda: lives("mine", timedelta(hours=2))
    )

    assert (token.value, len(waits)) == ("mine", 1)


def test_a_token_never_shows_in_a_representation() -> None:
    assert "precious" not in repr(lives("precious", timedelta(hours=1)))
