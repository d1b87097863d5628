"""Every act on the outside: recorded before it is done, and never done twice unknowingly."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot import clock, db
from bot.effects import AfterCrash, Busy, once
from bot.models import Effect
from bot.models.effect import DONE, FAILED, REFUSED, STARTED, UNKNOWN
from bot.reason import NO_REASON
from bot.wecom import OperatorNeeded, Paused, Refused, Throttled, Transient, WeComError

IDENTITY = "welcome:zhangsan:wm_chen:ab12"
ENDPOINT = "externalcontact/send_welcome_msg"
NO_ANSWER = Transient(ENDPOINT, None, "network: ReadTimeout", maybe_executed=True)
NOT_SENT = Transient(ENDPOINT, None, "network: ConnectTimeout")

pytestmark = pytest.mark.usefixtures("store")


class Act:
    """An act that ends as told, one ending after the other, and counts how often it was done."""

    def __init__(self, *endings: BaseException | None) -> None:
        self.endings = list(endings)
        self.times = 0

    def __call__(self) -> None:
        self.times += 1
        ending = self.endings.pop(0) if self.endings else None
        if ending is not None:
            raise ending


class Killed(BaseException):
    """The process dies in the middle of the act."""


def do(act: Callable[[], object], after_crash: AfterCrash = AfterCrash.UNKNOWN) -> Effect:
    return once(IDENTITY, "welcome", act, event_id=7, after_crash=after_crash)


def stored() -> Effect:
    return Effect.get(Effect.identity == IDENTITY)


def lease_runs_out() -> None:
    Effect.update(lease_until=clock.now() - timedelta(seconds=1)).execute()


def crash_in_the_act() -> None:
    with pytest.raises(Killed):
        do(Act(Killed()))
    lease_runs_out()


def test_what_was_done_is_not_done_again() -> None:
    act = Act()

    first, second = do(act), do(act)

    assert (act.times, first.state, second.id) == (1, DONE, first.id)
    assert (first.kind, first.event_id, first.attempts) == ("welcome", 7, 1)
    assert first.finished_at is not None


def test_another_identity_is_another_act() -> None:
    act = Act()

    once("one", "welcome", act)
    once("other", "welcome", act)

    assert act.times == 2


def test_while_it_is_done_the_record_says_started() -> None:
    seen = []

    def look() -> None:
        with db.connection():
            seen.append(stored().state)

    do(look)

    assert seen == [STARTED]


def test_no_connection_is_held_while_wecom_is_asked() -> None:
    held: list[bool] = []

    do(lambda: held.append(not db.database.is_closed()))

    assert held == [False]
    assert not db.database.is_closed()


def test_nothing_is_done_inside_a_transaction() -> None:
    act = Act()

    with pytest.raises(RuntimeError, match="transaction"), db.transaction():
        do(act)

    assert act.times == 0


def test_a_refusal_is_an_answer_and_final() -> None:
    act = Act(Refused(ENDPOINT, 41051, "already chatting"))

    effects = [do(act), do(act)]

    assert [(one.state, one.errcode) for one in effects] == [(REFUSED, 41051)] * 2
    assert act.times == 1


@pytest.mark.parametrize(
    "error",
    [
        NOT_SENT,
        Transient(ENDPOINT, -1, "busy"),
        Throttled(ENDPOINT, 45009, "freq"),
        OperatorNeeded(ENDPOINT, 48002, "forbidden"),
        Paused(ENDPOINT, clock.now(), "45009"),
    ],
    ids=lambda error: f"{type(error).__name__}-{error.errcode}",
)
def test_what_certainly_was_not_done_is_told_and_done_next_time(error: WeComError) -> None:
    act = Act(error)

    with pytest.raises(type(error)):
        do(act)
    assert (stored().state, stored().errcode) == (FAILED, error.errcode)

    effect = do(act)
    assert (effect.state, effect.attempts, effect.reason, act.times) == (DONE, 2, NO_REASON, 2)


def test_who_comes_while_it_is_done_is_told_to_wait() -> None:
    def meanwhile() -> None:
        with db.connection(), pytest.raises(Busy):
            do(Act())

    assert do(meanwhile).state == DONE


def test_of_many_at_once_one_does_it() -> None:
    act, start = Act(), threading.Barrier(8)

    def attempt(_: int) -> str:
        start.wait()
        with db.connection():
            try:
                return do(act).state
            except Busy:
                return "busy"

    with ThreadPoolExecutor(8) as pool:
        endings = set(pool.map(attempt, range(8)))

    assert act.times == 1
    assert endings <= {DONE, "busy"}


def test_of_many_that_take_over_a_dead_process_one_does_it() -> None:
    crash_in_the_act()
    act, start = Act(), threading.Barrier(8)

    def attempt(_: int) -> None:
        start.wait()
        with db.connection():
            try:
                do(act, AfterCrash.REPEAT)
            except Busy:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(8)))

    assert act.times == 1


def test_a_crash_in_the_act_leaves_a_record_and_blocks_only_for_the_lease() -> None:
    with pytest.raises(Killed):
        do(Act(Killed()))

    assert stored().state == STARTED
    with pytest.raises(Busy):
        do(Act())
    lease_runs_out()
    assert do(Act(), AfterCrash.REPEAT).state == DONE


def test_a_crash_before_the_clock_was_set_back_does_not_block_until_it_has_caught_up() -> None:
    crash_in_the_act()
    Effect.update(lease_until=clock.now() + timedelta(hours=1)).execute()

    assert do(Act(), AfterCrash.REPEAT).state == DONE


def test_after_a_crash_what_must_not_be_repeated_is_unknown_for_ever() -> None:
    crash_in_the_act()
    act = Act()

    effects = [do(act), do(act)]

    assert [one.state for one in effects] == [UNKNOWN] * 2
    assert act.times == 0


def test_after_a_crash_what_wecom_recognises_is_repeated_until_it_is_done() -> None:
    crash_in_the_act()
    act = Act(*[NO_ANSWER] * 5)

    for _ in range(5):
        with pytest.raises(Transient):
            do(act, AfterCrash.REPEAT)

    assert do(act, AfterCrash.REPEAT).state == DONE
    assert act.times == 6


def test_what_may_be_repeated_a_few_times_is_then_unknown() -> None:
    crash_in_the_act()
    act = Act(*[NO_ANSWER] * 9)

    for _ in range(2):
        with pytest.raises(Transient):
            do(act, AfterCrash.FEW_TIMES)

    assert do(act, AfterCrash.FEW_TIMES).state == UNKNOWN
    assert act.times == 2


def test_no_answer_is_as_uncertain_as_a_crash_but_needs_no_waiting() -> None:
    act = Act(NO_ANSWER)

    with pytest.raises(Transient):
        do(act)

    assert stored().state == STARTED
    assert do(act).state == UNKNOWN
    assert act.times == 1


def test_a_refusal_of_the_repetition_does_not_prove_that_the_first_try_failed() -> None:
    crash_in_the_act()

    effect = do(Act(Refused(ENDPOINT, 41050, "used")), AfterCrash.FEW_TIMES)

    assert (effect.state, effect.errcode) == (UNKNOWN, 41050)


@pytest.mark.parametrize(
    "error", [NOT_SENT, Throttled(ENDPOINT, 45009), OperatorNeeded(ENDPOINT, 48002)]
)
def test_a_failure_of_the_repetition_does_not_make_the_first_try_undone(error: WeComError) -> None:
    crash_in_the_act()

    with pytest.raises(WeComError):
        do(Act(error), AfterCrash.REPEAT)

    assert stored().state == STARTED
    assert do(Act()).state == UNKNOWN


def test_a_process_that_was_overtaken_does_not_overwrite_the_record() -> None:
    def overtaken() -> None:
        with db.connection():
            lease_runs_out()
            assert do(Act(), AfterCrash.REPEAT).state == DONE
        raise Refused(ENDPOINT, 41050, "used")

    assert do(overtaken).state == DONE
    assert stored().errcode is None
