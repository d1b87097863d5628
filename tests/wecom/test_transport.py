"""One call to WeCom: which error it ends in, who waits afterwards, and what nobody may read."""

import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
import structlog
from structlog.testing import LogCapture

from bot import clock, db
from bot.models import EndpointPause
from bot.wecom import (
    Budgets,
    CallRecord,
    OperatorNeeded,
    Pause,
    Paused,
    PauseStore,
    Refused,
    SecretName,
    Throttled,
    Token,
    Transient,
    WeCom,
    WeComError,
    transport,
)
from bot.wecom.budgets import RESTORE_AFTER_CALLS, WELCOME, Budget
from bot.wecom.pauses import MemoryPauseStore
from bot.wecom.stores import DatabasePauseStore
from bot.wecom.tokens import MemoryTokenStore
from bot.wecom.words import REASONS
from tests.wecom.speaking import (
    FIXTURES,
    Listener,
    answer,
    asked,
    give_token,
    refuse,
    sent,
    speak,
    url,
)

REMARK = "externalcontact/remark"
FOLLOWERS = "externalcontact/get_follow_user_list"
TOKEN, SECRET, WELCOME_CODE = "token-nobody-may-read", "secret-of-the-app", "CODE-nobody-may-read"

REFUSED = [40003, 40031, 40035, 40058, 40063, 40096, 40097, 40100, 40128, 40129, 40130, 40131]
REFUSED += [41001, 41044, 41050, 41051, 41053, 48005, 60111, 81013, 84061, 90500, 90501, 610004]
# About one member or one message: nobody else waits.
REFUSED += [60011, 60021, 60030, 50002, 92000, 84074, 40201, 40204]
OPERATOR = [40001, 40013, 40091, 41002, 41004, 41024, 45031, 48001, 48002, 48004, 48006, 48009]
OPERATOR += [48011, 50003, 50006, 60020, 60031, 90308, 301002, 301007]
OPERATOR += [301042, 301052, 301053, 610023, 610024, 41045, 701008]


def fresh_tokens() -> MemoryTokenStore:
    tokens = MemoryTokenStore()
    tokens.refresh("app", None, lambda: Token(TOKEN, clock.now() + timedelta(hours=2)))
    return tokens


def talk(**options: Any) -> WeCom:
    return speak(tokens=fresh_tokens(), **options)


def act(wecom: WeCom) -> None:
    wecom.transport.act(REMARK, {"userid": "zhangsan", "remark": "VIP"})


@pytest.mark.parametrize("errcode", [*REFUSED, 99999])
def test_a_permanent_error_or_an_unknown_one_is_refused_and_not_repeated(
    network: responses.RequestsMock, errcode: int
) -> None:
    refuse(network, REMARK, errcode)
    wecom = talk()

    for _ in range(2):
        with pytest.raises(Refused) as raised:
            act(wecom)
        assert raised.value.errcode == errcode

    assert len(network.calls) == 2


@pytest.mark.parametrize("errcode", [-1, 6000, 45035, 81026])
def test_a_busy_wecom_is_asked_three_times(network: responses.RequestsMock, errcode: int) -> None:
    refuse(network, REMARK, errcode)

    with pytest.raises(Transient) as raised:
        act(talk())

    assert (raised.value.errcode, raised.value.maybe_executed) == (errcode, False)
    assert len(network.calls) == 3


def test_a_busy_wecom_that_recovers_is_no_error(network: responses.RequestsMock) -> None:
    refuse(network, REMARK, -1)
    answer(network, REMARK)

    act(talk())

    assert len(network.calls) == 2


@pytest.mark.parametrize(("errcode", "at_least"), [(45009, 60), (45033, 1), (45036, 60)])
def test_too_many_calls_make_everybody_wait(
    network: responses.RequestsMock, errcode: int, at_least: int
) -> None:
    refuse(network, REMARK, errcode)
    wecom = talk()

    with pytest.raises(Throttled) as raised:
        act(wecom)
    with pytest.raises(Paused) as paused:
        act(wecom)

    assert raised.value.wait_seconds >= at_least
    assert paused.value.until - clock.now() > timedelta(seconds=at_least - 1)
    assert len(network.calls) == 1


@pytest.mark.parametrize("errcode", OPERATOR)
def test_what_only_a_person_can_mend_says_what_to_do_and_is_not_hammered(
    network: responses.RequestsMock, errcode: int
) -> None:
    refuse(network, REMARK, errcode)
    wecom = talk()

    with pytest.raises(OperatorNeeded) as raised:
        act(wecom)
    with pytest.raises(Paused):
        act(wecom)

    assert raised.value.errcode == errcode
    assert raised.value.what_to_do.code in REASONS
    assert len(network.calls) == 1


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("errors/*.json")), ids=lambda path: path.stem)
def test_every_error_sample_is_told_without_its_noise(
    network: responses.RequestsMock, path: Any
) -> None:
    give_token(network)
    network.post(url(REMARK), body=path.read_bytes())

    with pytest.raises(WeComError) as raised:
        act(talk())

    assert raised.value.errcode == int(path.stem)
    assert str(raised.value).startswith(f"{path.stem} {REMARK}")
    assert "from ip" not in str(raised.value)


BROKEN_ANSWERS: dict[str, dict[str, Any]] = {
    "status 500": {"status": 500, "json": {"errcode": 0}},
    "status 502 of a proxy": {"status": 502, "body": "<html>Bad Gateway</html>"},
    "a redirect": {"status": 302, "headers": {"Location": "https://elsewhere.test/"}},
    "not JSON": {"body": "<html>maintenance</html>"},
    "empty": {"body": ""},
    "a list": {"json": [{"errcode": 0}]},
    "null": {"body": "null"},
    "no errcode": {"json": {"errmsg": "ok"}},
    "a text as errcode": {"json": {"errcode": "0"}},
    "true as errcode": {"json": {"errcode": True}},
    "half a JSON": {"body": b'{"errcode": 0, "errmsg": "\xff'},
    "bottomless": {"body": "[" * 200_000},
    "read timeout": {"body": requests.ReadTimeout("read")},
    "reset": {"body": requests.ConnectionError("reset by peer")},
}


@pytest.mark.parametrize("broken", BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS.keys())
def test_an_act_without_a_readable_answer_may_have_been_done_and_is_not_repeated(
    network: responses.RequestsMock, broken: dict[str, Any]
) -> None:
    network.post(url(REMARK), **broken)

    with pytest.raises(Transient) as raised:
        act(talk())

    assert (raised.value.errcode, raised.value.maybe_executed) == (None, True)
    assert len(network.calls) == 1


@pytest.mark.parametrize("broken", BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS.keys())
def test_a_question_without_a_readable_answer_is_asked_again(
    network: responses.RequestsMock, broken: dict[str, Any]
) -> None:
    network.get(url(FOLLOWERS), **broken)
    answer(network, FOLLOWERS, {"errcode": 0, "follow_user": ["zhangsan"]}, method="GET")

    assert talk().customers.follow_users() == ["zhangsan"]


@pytest.mark.parametrize("broken", [{"status": 500}, {"body": requests.ConnectionError("reset")}])
def test_a_question_or_a_token_that_got_no_answer_has_done_nothing(
    network: responses.RequestsMock, broken: dict[str, Any]
) -> None:
    network.get(url(FOLLOWERS), **broken)
    network.get(url("gettoken"), **broken)

    for failing in (lambda: talk().customers.follow_users(), lambda: act(speak())):
        with pytest.raises(Transient) as raised:
            failing()
        assert not raised.value.maybe_executed

    assert (len(asked(network, FOLLOWERS)), len(asked(network, "gettoken"))) == (3, 3)


def test_an_answer_above_the_limit_is_not_read(
    network: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    network.post(url(REMARK), json={"errcode": 0, "errmsg": "x" * 1000})

    with pytest.raises(Transient):
        act(talk())


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"
SILENT = (b"", False)
SILENT_AFTER_THE_HEAD = (HEAD, False)
HANGS_UP = (b"", True)
HANGS_UP_AFTER_THE_HEAD = (HEAD + b'{"errcode"', True)
NOT_HTTP = (b"SSH-2.0-OpenSSH_9.9\r\n", True)
NOT_GZIP = (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain", True)
BAD_CHUNKS = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", True)


@pytest.fixture
def listen() -> Iterator[Callable[[bytes, bool], str]]:
    listeners: list[Listener] = []

    def begin(says: bytes, hangs_up: bool) -> str:
        listeners.append(Listener(says, hangs_up=hangs_up))
        return listeners[-1].url

    yield begin
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(SILENT, id="silent"),
        pytest.param(SILENT_AFTER_THE_HEAD, id="silent after the head"),
        pytest.param(HANGS_UP, id="hangs up"),
        pytest.param(HANGS_UP_AFTER_THE_HEAD, id="hangs up after the head"),
        pytest.param(NOT_HTTP, id="not HTTP"),
        pytest.param(NOT_GZIP, id="not gzip"),
        pytest.param(BAD_CHUNKS, id="bad chunks"),
    ],
)
def test_a_connection_that_breaks_is_transient_and_tells_no_secret(
    listen: Callable[[bytes, bool], str], behaviour: tuple[bytes, bool]
) -> None:
    wecom = talk(api_base=listen(*behaviour), timeout_seconds=0.2)

    with pytest.raises(Transient) as raised:
        act(wecom)

    assert raised.value.maybe_executed
    assert_tells_nothing(raised.value)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_refused_connection_certainly_did_nothing_and_is_tried_again() -> None:
    records: list[CallRecord] = []
    wecom = talk(api_base=f"http://127.0.0.1:{free_port()}", on_call=records.append)

    with pytest.raises(Transient) as raised:
        act(wecom)

    assert not raised.value.maybe_executed
    assert [record.errcode for record in records] == [None] * 3
    assert_tells_nothing(raised.value)


def test_a_good_answer_ends_the_count_of_network_errors(network: responses.RequestsMock) -> None:
    pauses = MemoryPauseStore()
    wecom = talk(pauses=pauses)
    for _ in range(3):
        network.post(url(REMARK), body=requests.ConnectionError())
        answer(network, REMARK)
        with pytest.raises(Transient):
            act(wecom)
        act(wecom)

    assert pauses.get("app", REMARK) is None


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_pauses(request: pytest.FixtureRequest) -> Iterator[Callable[[], PauseStore]]:
    """Makes stores that share their pauses, as the processes of one installation do."""
    if request.param == "memory":
        shared = MemoryPauseStore()
        yield lambda: shared
        return
    db.connect(request.getfixturevalue(f"{request.param}_url"))
    yield DatabasePauseStore
    db.database.close_all()


def test_a_pause_holds_for_every_process_but_for_this_secret_and_endpoint_only(
    network: responses.RequestsMock, new_pauses: Callable[[], PauseStore]
) -> None:
    give_token(network)
    refuse(network, REMARK, 45009)
    answer(network, FOLLOWERS, {"errcode": 0, "follow_user": []}, method="GET")
    secrets: dict[SecretName, str] = {"app": "one", "contacts": "other"}
    one, other = (speak(pauses=new_pauses(), secrets=secrets) for _ in range(2))

    with pytest.raises(Throttled):
        act(one)
    with pytest.raises(Paused) as paused:
        act(other)

    assert paused.value.endpoint == REMARK
    assert other.customers.follow_users() == []
    with pytest.raises(Throttled):
        other.transport.act(REMARK, {}, "contacts")


def let_time_pass(pauses: PauseStore, endpoint: str = REMARK) -> None:
    """Let the time of a pause be over, and that of a call that tries."""
    gone = clock.now() - timedelta(seconds=1)
    if isinstance(pauses, MemoryPauseStore):
        pauses._pauses["app", endpoint] = replace(pauses._pauses["app", endpoint], until=gone)
        pauses._probes.clear()
    else:
        with db.connection():
            EndpointPause.update(until=gone, probe_until=None).execute()


def length(pauses: PauseStore, endpoint: str = REMARK) -> float:
    """Seconds for which a pause still holds."""
    pause = pauses.get("app", endpoint)
    return (pause.until - clock.now()).total_seconds() if pause else 0.0


def test_three_failures_in_a_row_pause_the_endpoint_and_each_further_try_longer(
    network: responses.RequestsMock, new_pauses: Callable[[], PauseStore]
) -> None:
    network.post(url(REMARK), body=requests.ConnectionError())
    pauses = new_pauses()
    lengths = []
    for _ in range(3):
        with pytest.raises(Transient):
            act(talk(pauses=pauses))
    assert length(pauses) == 0, "three processes, one failure each"

    wecom = talk(pauses=pauses)
    for _ in range(3):
        with pytest.raises(Transient):
            act(wecom)
    lengths.append(length(pauses))
    for _ in range(6):
        let_time_pass(pauses)
        # Whichever process tries next, it lengthens what all have met so far.
        with pytest.raises(Transient):
            act(talk(pauses=pauses))
        lengths.append(length(pauses))

    assert lengths == pytest.approx([10, 20, 40, 80, 120, 120, 120], abs=2)
    assert len(asked(network, REMARK)) == 3 + 3 + 6


def test_when_a_pause_is_over_one_call_tries_and_the_others_wait_for_it(
    network: responses.RequestsMock, new_pauses: Callable[[], PauseStore]
) -> None:
    pauses = new_pauses()
    pauses.set(Pause("app", REMARK, clock.now(), "network errors", None))
    others = [talk(pauses=pauses) for _ in range(3)]
    told = []

    def answer_late(_request: Any) -> tuple[int, dict[str, str], str]:
        for other in others:
            with pytest.raises(Paused) as paused:
                act(other)
            told.append(paused.value.until - clock.now())
        return 200, {}, '{"errcode": 0}'

    network.add_callback("POST", url(REMARK), answer_late)
    act(talk(pauses=pauses))

    assert all(wait <= timedelta(seconds=1) for wait in told)
    assert len(told) == 3
    assert pauses.get("app", REMARK) is None
    answer(network, REMARK)
    act(talk(pauses=pauses))


def test_one_who_tries_and_dies_keeps_the_others_away_for_seconds_only(
    new_pauses: Callable[[], PauseStore],
) -> None:
    pauses = new_pauses()
    pause = pauses.set(Pause("app", REMARK, clock.now(), "network errors", None))

    assert pauses.probe(pause, clock.now() + timedelta(seconds=0.2))
    assert not pauses.probe(pause, clock.now() + timedelta(seconds=0.2))
    while not pauses.probe(pause, clock.now() + timedelta(seconds=9)):
        assert clock.now() - pause.until < timedelta(seconds=5)


@pytest.mark.parametrize("errcode", [45009, 60020, -1])
def test_trouble_that_is_met_again_keeps_its_beginning(
    network: responses.RequestsMock, new_pauses: Callable[[], PauseStore], errcode: int
) -> None:
    refuse(network, REMARK, errcode)
    pauses = new_pauses()
    first = pauses.set(Pause("app", REMARK, clock.now(), "it began", errcode))

    with pytest.raises(WeComError):
        act(talk(pauses=pauses))

    again = pauses.get("app", REMARK)
    assert again is not None
    assert (again.since, again.failures) == (first.since, 2)
    assert length(pauses) > 15


def test_a_refusal_shows_as_well_that_wecom_works(
    network: responses.RequestsMock, new_pauses: Callable[[], PauseStore]
) -> None:
    refuse(network, REMARK, 84061)
    pauses = new_pauses()
    pauses.set(Pause("app", REMARK, clock.now(), "network errors", None))

    with pytest.raises(Refused):
        act(talk(pauses=pauses))

    assert pauses.get("app", REMARK) is None


def test_calls_that_were_under_way_when_an_outage_began_do_not_lengthen_it(
    network: responses.RequestsMock, new_pauses: Callable[[], PauseStore]
) -> None:
    pauses = new_pauses()
    wecom = talk(pauses=pauses)
    together = threading.Barrier(8)

    def break_together(_request: Any) -> tuple[int, dict[str, str], str]:
        together.wait(10)
        raise requests.ConnectionError

    network.add_callback("POST", url(REMARK), break_together)
    with ThreadPoolExecutor(8) as pool:
        for call in [pool.submit(act, wecom) for _ in range(8)]:
            assert isinstance(call.exception(), Transient)

    assert length(pauses) == pytest.approx(10, abs=2)


def test_a_pause_of_all_endpoints_holds_for_each(new_pauses: Callable[[], PauseStore]) -> None:
    pauses = new_pauses()
    pauses.set(Pause("app", REMARK, clock.now() - timedelta(seconds=1), "over", 45009))
    pauses.set(Pause("app", "*", clock.now() + timedelta(minutes=5), "operator", 60020))

    with pytest.raises(Paused, match="operator"):
        act(talk(pauses=pauses))

    pauses.clear("app", "*")
    assert pauses.get("app", "*") is None


def test_a_short_pause_never_cuts_a_long_one(new_pauses: Callable[[], PauseStore]) -> None:
    pauses = new_pauses()
    long = Pause("app", REMARK, clock.now() + timedelta(hours=1), "wrong secret", 40001)
    pauses.set(long)
    pauses.set(Pause("app", REMARK, clock.now() + timedelta(seconds=5), "network errors", None))

    held = pauses.get("app", REMARK)
    assert held is not None
    assert (held.until, held.reason, held.errcode) == (long.until, long.reason, long.errcode)


def test_an_endpoint_has_only_so_many_calls_at_once() -> None:
    budget, running, most, lock = Budget(3, None), 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def call(_: int) -> None:
        nonlocal running, most
        with budget.spend():
            with lock:
                running += 1
                most = max(most, running)
            together.wait(timeout=10)
            with lock:
                running -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(12)))

    assert most == 3


def test_calls_start_evenly_within_a_second() -> None:
    now = 100.0
    delays: list[float] = []
    budget = Budget(10, per_second=4, now=lambda: now, sleep=delays.append)

    for _ in range(4):
        with budget.spend():
            pass
    now += 10
    with budget.spend():
        pass

    assert delays == [0.25, 0.5, 0.75]


def test_a_call_that_fails_gives_its_place_back() -> None:
    budget = Budget(1, None)
    for _ in range(2):
        with pytest.raises(WeComError), budget.spend():
            raise Refused(REMARK, 40003)


def test_45033_halves_the_welcomes_and_good_calls_bring_them_back(
    network: responses.RequestsMock,
) -> None:
    refuse(network, WELCOME, 45033)
    answer(network, WELCOME)
    budgets = Budgets(welcome_parallel=64)
    wecom, allowed = talk(budgets=budgets), budgets.of(WELCOME)

    with pytest.raises(Throttled):
        wecom.customers.send_welcome(WELCOME_CODE, "您好")
    assert allowed.allowed == 32

    wecom = talk(budgets=budgets)
    for _ in range(RESTORE_AFTER_CALLS):
        wecom.customers.send_welcome(WELCOME_CODE, "您好")
    assert allowed.allowed == 33


def test_the_welcome_has_a_budget_of_its_own_and_others_one_each() -> None:
    budgets = Budgets(welcome_parallel=64, parallel=5, per_second=20)

    assert budgets.of(WELCOME).allowed == 64
    assert budgets.of(REMARK).allowed == 5
    assert budgets.of(REMARK) is budgets.of(REMARK)
    assert budgets.of(REMARK) is not budgets.of(FOLLOWERS)


@pytest.mark.parametrize("errcode", [-1, 41096])
def test_a_welcome_is_tried_once_because_its_caller_owns_the_seconds(
    network: responses.RequestsMock, errcode: int
) -> None:
    refuse(network, WELCOME, errcode)

    with pytest.raises(Transient) as raised:
        talk().customers.send_welcome(WELCOME_CODE, "您好")

    assert not raised.value.maybe_executed
    assert len(network.calls) == 1


def test_every_call_ends_in_time(network: responses.RequestsMock) -> None:
    answer(network, REMARK)
    answer(network, WELCOME)
    wecom = talk(timeout_seconds=10, welcome_timeout_seconds=5)

    act(wecom)
    wecom.customers.send_welcome(WELCOME_CODE, "您好")

    timeouts = [call.request.req_kwargs["timeout"] for call in network.calls]  # type: ignore[attr-defined]
    assert [read for _, read in timeouts] == [10, 5]
    assert all(0 < connect <= 5 for connect, _ in timeouts)


def test_texts_go_out_as_raw_utf8(network: responses.RequestsMock) -> None:
    answer(network, REMARK)

    talk().transport.act(REMARK, {"userid": "zhangsan", "remark": "重要客户"})

    body = network.calls[0].request.body
    assert isinstance(body, bytes)
    assert "重要客户".encode() in body
    assert sent(network.calls[0])["remark"] == "重要客户"


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    capture = LogCapture()
    everything = structlog.make_filtering_bound_logger(0)
    log = structlog.wrap_logger(None, processors=[capture], wrapper_class=everything)
    monkeypatch.setattr(transport, "log", log)
    return capture.entries


def test_a_json_that_wecom_could_not_read_is_logged_even_with_errcode_0(
    network: responses.RequestsMock, log_lines: list[Any]
) -> None:
    answer(network, REMARK, {"errcode": 0, "errmsg": "ok. Warning: wrong json format. "})

    act(talk())

    warnings = [line for line in log_lines if line["log_level"] == "warning"]
    assert [(line["event"], line["endpoint"]) for line in warnings] == [
        ("wecom_wrong_json_format", REMARK)
    ]


def assert_tells_nothing(error: BaseException) -> None:
    """Neither the error nor what it came from tells a token, a secret or a welcome code."""
    chain, texts = [error], []
    while chain:
        one = chain.pop()
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        texts += traceback.format_exception(one)
        chain += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
    text = "\n".join(texts)
    for secret in (TOKEN, SECRET, WELCOME_CODE):
        assert secret not in text


@pytest.mark.parametrize(
    "trouble",
    [
        *BROKEN_ANSWERS.values(),
        {"body": requests.ConnectionError(f"https://x/?access_token={TOKEN}")},
        {"body": requests.exceptions.ChunkedEncodingError(f"{TOKEN} {SECRET} {WELCOME_CODE}")},
        {"json": {"errcode": 41050, "errmsg": "invalid code"}},
        {"json": {"errcode": 45009, "errmsg": "freq"}},
        {"json": {"errcode": 48002, "errmsg": "forbidden"}},
    ],
)
def test_no_error_and_no_log_line_tells_token_or_welcome_code(
    network: responses.RequestsMock,
    log_lines: list[Any],
    caplog: pytest.LogCaptureFixture,
    trouble: dict[str, Any],
) -> None:
    caplog.set_level("DEBUG")
    network.post(url(WELCOME), **trouble)

    with pytest.raises(WeComError) as raised:
        talk().customers.send_welcome(WELCOME_CODE, "您好")

    assert_tells_nothing(raised.value)
    assert log_lines
    for secret in (TOKEN, SECRET, WELCOME_CODE):
        assert secret not in repr(log_lines)
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "trouble",
    [
        {"body": requests.ConnectionError(f"https://x/?corpsecret={SECRET}")},
        {"status": 500},
        {"json": {"errcode": 40001, "errmsg": "invalid credential"}},
        {"json": {"errcode": 0, "access_token": [TOKEN], "expires_in": 7200}},
    ],
)
def test_no_error_of_gettoken_tells_the_secret(
    network: responses.RequestsMock, log_lines: list[Any], trouble: dict[str, Any]
) -> None:
    network.get(url("gettoken"), **trouble)

    with pytest.raises(WeComError) as raised:
        speak().customers.follow_users()

    assert_tells_nothing(raised.value)
    assert SECRET not in repr(log_lines)


def test_every_call_is_counted_with_its_code(network: responses.RequestsMock) -> None:
    give_token(network)
    refuse(network, REMARK, 40003)
    records: list[CallRecord] = []

    with pytest.raises(Refused):
        act(speak(on_call=records.append))

    assert [(record.endpoint, record.secret_name, record.errcode) for record in records] == [
        ("gettoken", "app", 0),
        (REMARK, "app", 40003),
    ]
    assert len(asked(network, REMARK)) == 1
