"""The same POST twice is done once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from apiflask import APIFlask

from bot import clock
from bot.api.auth import create_token
from bot.db import connection
from bot.models import ContactWay, Handover, IdempotencyKey
from bot.wecom import Transient
from tests.api.conftest import Call, FakeWeCom, problem

pytestmark = pytest.mark.usefixtures("firm")
ON_BOTH_DATABASES = True
MOVE = {"handover_userid": "zhangsan", "external_userids": ["wm_chen"], "takeover_userid": "lihua"}
WAY = {"userids": ["zhangsan"], "state": "expo"}


def test_a_repeated_call_gets_the_first_answer(call: Call) -> None:
    first = call("POST", "/handovers", MOVE, Idempotency_Key="k1")
    second = call("POST", "/handovers", MOVE, Idempotency_Key="k1")

    assert first.status_code == second.status_code == 201
    assert first.get_json() == second.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Handover.select().count() == 1


def test_another_key_path_or_token_is_another_call(call: Call) -> None:
    other = create_token("another", ["admin"])

    call("POST", "/handovers", MOVE, Idempotency_Key="k1")
    call("POST", "/handovers", MOVE, Idempotency_Key="k2")
    call("POST", "/handovers", MOVE, Idempotency_Key="k1", token=other)
    call("POST", "/contact-ways", WAY, Idempotency_Key="k1")

    assert Handover.select().count() == 3
    assert ContactWay.select().count() == 1


def test_without_a_key_every_call_counts(call: Call) -> None:
    call("POST", "/handovers", MOVE)
    call("POST", "/handovers", MOVE)

    assert Handover.select().count() == 2


def test_another_body_under_the_same_key_is_refused(call: Call) -> None:
    call("POST", "/handovers", MOVE, Idempotency_Key="k1")

    problem(call("POST", "/handovers", {**MOVE, "by_rule": False}, Idempotency_Key="k1"), 422)


def test_a_refusal_is_stored_as_well(call: Call) -> None:
    first = call("POST", "/offboardings", {"userid": "x"}, Idempotency_Key="k1")
    second = call("POST", "/offboardings", {"userid": "x"}, Idempotency_Key="k1")

    assert problem(first, 422) == problem(second, 422)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_an_answer_of_ours_that_failed_is_not_stored(call: Call, wecom: FakeWeCom) -> None:
    wecom.error = Transient("x", -1, "busy")
    problem(call("POST", "/contact-ways", WAY, Idempotency_Key="k1"), 502)

    wecom.error = None
    response = call("POST", "/contact-ways", WAY, Idempotency_Key="k1")

    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response.headers


def test_a_call_that_may_not_be_made_leaves_no_key(call: Call) -> None:
    token = create_token("reader", ["read"])

    problem(call("POST", "/handovers", MOVE, Idempotency_Key="k1", token=token), 403)

    assert IdempotencyKey.select().count() == 0


def _age(seconds: float, **changes: Any) -> None:
    IdempotencyKey.update(created_at=clock.now() - timedelta(seconds=seconds), **changes).execute()


def test_a_call_whose_process_died_is_made_again_after_a_minute(call: Call) -> None:
    call("POST", "/handovers", MOVE, Idempotency_Key="k1")

    _age(30, status=None, answer=None, request_key="call died")
    response = call("POST", "/handovers", MOVE, Idempotency_Key="k1")
    problem(response, 409)
    assert response.headers["Retry-After"] == "1"

    _age(61)
    assert call("POST", "/handovers", MOVE, Idempotency_Key="k1").status_code == 201
    assert Handover.select().count() == 2


def test_a_handover_whose_process_died_before_it_answered_is_not_opened_again(
    call: Call,
) -> None:
    opened = call("POST", "/handovers", MOVE, Idempotency_Key="k1").get_json()["id"]
    _age(61, status=None, answer=None)

    again = call("POST", "/handovers", MOVE, Idempotency_Key="k1")

    assert (again.status_code, again.get_json()["id"]) == (201, opened)
    assert Handover.select().count() == 1


def test_an_answer_is_forgotten_after_seven_days(call: Call) -> None:
    call("POST", "/handovers", MOVE, Idempotency_Key="k1")

    _age(7 * 86400 - 60)
    assert "Idempotency-Replayed" in call("POST", "/handovers", MOVE, Idempotency_Key="k1").headers
    _age(7 * 86400 + 60)
    assert call("POST", "/handovers", MOVE, Idempotency_Key="k1").status_code == 201

    assert Handover.select().count() == 2


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_a_sensible_length(call: Call, key: str) -> None:
    problem(call("POST", "/handovers", MOVE, Idempotency_Key=key), 422)


def test_a_key_on_a_get_is_ignored(call: Call) -> None:
    assert call("GET", "/staff", Idempotency_Key="k1").status_code == 200
    assert IdempotencyKey.select().count() == 0


def test_while_the_first_call_runs_the_second_is_told_to_wait(
    app: APIFlask, call: Call, wecom: FakeWeCom, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, may_go_on = Event(), Event()

    def slow(*_: Any) -> None:
        entered.set()
        assert may_go_on.wait(10)

    monkeypatch.setattr(wecom, "_asked", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_post_in_thread, app, call, "/contact-ways", WAY, None)
        assert entered.wait(10)
        problem(call("POST", "/contact-ways", WAY, Idempotency_Key="k1"), 409)
        may_go_on.set()
        assert first.result() == 201

    assert call("POST", "/contact-ways", WAY, Idempotency_Key="k1").status_code == 201
    assert ContactWay.select().count() == 1


def test_of_calls_at_the_same_moment_one_is_carried_out(app: APIFlask, call: Call) -> None:
    barrier = Barrier(6)

    with ThreadPoolExecutor(6) as pool:
        running = [
            pool.submit(_post_in_thread, app, call, "/handovers", MOVE, barrier) for _ in range(6)
        ]
        statuses = [one.result() for one in running]

    assert Handover.select().count() == 1
    assert set(statuses) <= {201, 409}
    assert 201 in statuses


def _post_in_thread(
    app: APIFlask, call: Call, path: str, body: Any, barrier: Barrier | None
) -> int:
    with connection():
        if barrier is not None:
            barrier.wait(10)
        return call("POST", path, body, Idempotency_Key="k1").status_code
