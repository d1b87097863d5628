"""kill -9 at the worst moments: nothing acknowledged is lost, nothing is done twice."""

import http.client
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from tests.stack import ALL, Stack, until
from tests.stories.letters import Letter, add_event, sealed

LOST_ANSWER: dict[str, Any] = {"hang": True, "hang_seconds": 5, "after_execute": True}


@dataclass
class Violence:
    """What the kills left behind."""

    stack: Stack
    welcomed: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(autouse=True)
def _all_run_again(running: Stack) -> Iterator[None]:
    yield
    running.start(*(name for name in ALL if name not in running.processes))


@pytest.fixture(scope="module")
def after(running: Stack) -> Iterator[Violence]:
    """The worker is killed three times in the middle of everything, and is away for a while."""
    running.begin()
    left = Violence(running)
    gaps_without_a_crash(running)
    transfers_under_way(running)
    moments = Random(1)  # noqa: S311 - repeatable moments, not secrets
    running.fault("send_welcome_msg", latency_seconds=0.2, probability=0.5, seed=2, times=20)

    for round_ in range(3):
        customers = [f"wm_kill_{round_}_{n}" for n in range(15)]
        told = len(running.executed("welcome_sent"))
        for customer in customers:
            running.meet("zhangsan", customer)
        left.welcomed += customers
        running.has_executed("welcome_sent", told + moments.randrange(1, 14))
        running.kill("worker")
        running.start("worker")

    stay_down_until_codes_are_dead(running)
    running.start("worker")
    left.events = running.settled(90)
    yield left
    running.pass_time(86_401)
    for leaver in ("answerless", "unsent"):
        running.case(leaver, "done")


def gaps_without_a_crash(stack: Stack) -> None:
    # One hears once in ten minutes only: who is to be told of one customer has no other.
    stack.hire("zhaoliu", "sunba", department=33)
    stack.meet("zhaoliu", "wm_gap_codeless", with_code=False)
    stack.meet("zhaoliu", "wm_gap_must_agree", must_agree=True)
    stack.meet("sunba", "wm_gap_chats", name="孙先生", deliver={"delay_seconds": 0.5})
    stack.sandbox.post("/sandbox/customers/wm_gap_chats/chat", userid="sunba")
    stack.settled()


def transfers_under_way(stack: Stack) -> None:
    """One was executed and its answer never comes; the other hangs on its way."""
    never_there = {"drop": True, "latency_seconds": 5}
    for leaver, customers, fault in (("answerless", 5, LOST_ANSWER), ("unsent", 2, never_there)):
        stack.hire(leaver, f"{leaver}_heir", department=31)
        stack.customers(leaver, [f"wm_{leaver}_{n}" for n in range(customers)])
        match = {"handover_userid": leaver}
        stack.fault("transfer_customer", times=1, match=match, **fault)
        stack.offboard(leaver, [f"{leaver}_heir"])
    stack.transferred("answerless", 5)
    until(lambda: stack.case("unsent", "running")["counts"].get("submitted") == 2)


def stay_down_until_codes_are_dead(stack: Stack) -> None:
    made = stack.meet("lisi", "wm_gap_unanswered", deliver={"delay_seconds": 0.5})
    stack.sandbox.delete("/sandbox/faults")
    stack.fault("send_welcome_msg", match={"welcome_code": made["welcome_code"]}, **LOST_ANSWER)
    stack.has_executed("welcome_sent", 1, userid="lisi")
    stack.kill("worker")
    stack.meet("lisi", "wm_gap_missed")
    since = time.monotonic()
    until(lambda: time.monotonic() > since + 20)


def test_every_event_is_worked_to_its_end_and_everybody_told_once(after: Violence) -> None:
    assert {event["state"] for event in after.events} == {"done"}
    told = Counter(row["external_userid"] for row in after.stack.executed("welcome_sent"))
    assert set(told.values()) == {1}
    for customer in after.welcomed:
        [notice] = after.stack.timeline(customer, "notice")
        assert notice["state"] in ("delivered", "unknown", "missed")
        assert notice["state"] != "delivered" or customer in told
        assert notice["state"] != "missed" or customer not in told


def test_a_transfer_whose_answer_died_is_looked_up_and_not_asked_for_again(
    after: Violence,
) -> None:
    check_transferred_once(after.stack, "answerless", 5, attempts=1)


def test_a_transfer_that_never_left_is_made_once(after: Violence) -> None:
    check_transferred_once(after.stack, "unsent", 2, attempts=2)


def check_transferred_once(stack: Stack, leaver: str, customers: int, attempts: int) -> None:
    stack.transferred(leaver, customers)
    case = stack.case(leaver, "running")
    until(lambda: stack.reached(case, "running")["counts"] == {"waiting": customers}, 60)
    assert {len(item["attempts"]) for item in stack.items(case)} == {attempts}
    moved = [row["external_userid"] for row in stack.executed("transfer_started", handover=leaver)]
    assert sorted(moved) == [f"wm_{leaver}_{n}" for n in range(customers)]


# The real minute is waited for once.
@pytest.mark.parametrize("running", ["sqlite"], indirect=True, scope="package")
def test_a_minute_later_the_gaps_are_named_with_their_reasons(after: Violence) -> None:
    stack = after.stack
    missing = {
        customer
        for customer in after.welcomed
        if stack.timeline(customer, "notice")[0]["state"] != "delivered"
    } | {"wm_gap_codeless", "wm_gap_chats", "wm_gap_unanswered", "wm_gap_missed"}

    until(lambda: missing <= {gap["external_userid"] for gap in stack.api.every("/gaps")}, 90)

    reasons = {gap["external_userid"]: gap["reason"] for gap in stack.api.every("/gaps")}
    ours = {one for one in reasons if one.startswith(("wm_kill", "wm_gap"))}
    assert ours == missing
    assert reasons["wm_gap_codeless"] == "no_welcome_code"
    assert reasons["wm_gap_chats"] == "wecom_refused"
    assert reasons["wm_gap_unanswered"] == "notice_unanswered"
    assert reasons["wm_gap_missed"] == "welcome_code_ran_out"
    until(lambda: any("孙先生" in text for text in stack.told("sunba")), 30)


def test_a_web_process_killed_again_and_again_loses_nothing_that_it_answered(
    running: Stack,
) -> None:
    moments = Random(3)  # noqa: S311 - repeatable moments, not secrets
    customers = [f"wm_web_{n}" for n in range(60)]
    posted: list[str] = []

    def post(customer: str) -> int:
        # The 20 seconds of its code begin now, and not before the first process is killed.
        letter = sealed(running, add_event(running, "wangwu", customer))
        status = post_until_answered(letter)
        posted.append(customer)
        return status

    with ThreadPoolExecutor(6) as pool:
        answers = {one: pool.submit(post, one) for one in customers}
        for moment in sorted(moments.sample(range(1, 50), 3)):
            wait_for(posted, moment)
            running.kill("web")
            running.start("web")
    answered = {one for one, status in answers.items() if status.result() == 200}

    assert answered == set(customers)
    running.settled()
    for customer in customers:
        assert len(running.api.every("/events", external_userid=customer)) == 1
    told = Counter(row["external_userid"] for row in running.executed("welcome_sent"))
    assert all(told[customer] == 1 for customer in customers)


def test_the_platform_tries_again_while_the_web_process_is_down(running: Stack) -> None:
    running.sandbox.patch("/sandbox/switches", retry_interval_seconds=2, delivery_attempts=4)
    running.kill("web")
    for n in range(10):
        running.meet("lisi", f"wm_down_{n}")
    running.start("web")

    running.settled()
    told = Counter(row["external_userid"] for row in running.executed("welcome_sent"))
    assert all(told[f"wm_down_{n}"] == 1 for n in range(10))


def wait_for(posted: list[str], count: int) -> None:
    until(lambda: len(posted) >= count)


def post_until_answered(letter: Letter) -> int:
    """Post as WeCom does: again when no answer came."""

    def answer() -> int:
        try:
            return letter.post()
        except (OSError, http.client.HTTPException):
            return 0

    return int(until(answer))
