"""The queue wakes workers: messages in order, lanes apart, and its loss is no disaster."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from bot.queue import Lane, Queue, QueueAway, Waker

KINDS = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("redis", marks=pytest.mark.redis),
]


@pytest.fixture(params=KINDS)
def new_queue(request: pytest.FixtureRequest) -> Iterator[Callable[[], Queue]]:
    """Makes queues of one installation, as its processes do."""
    url = str(request.getfixturevalue(f"{request.param}_url"))
    made: list[Queue] = []

    def new() -> Queue:
        made.append(Queue(url))
        return made[-1]

    first = new()
    for lane in Lane:
        while first.sizes()[lane]:
            first.take(lane)
    yield new
    for queue in made:
        queue.close()


def test_another_process_takes_the_messages_in_order(new_queue: Callable[[], Queue]) -> None:
    sender, receiver = new_queue(), new_queue()

    for number in range(3):
        sender.wake(Lane.WORK, f"event:{number}")

    assert receiver.sizes()[Lane.WORK] == 3
    assert [receiver.take(Lane.WORK) for _ in range(3)] == [["event:0"], ["event:1"], ["event:2"]]
    assert sender.sizes()[Lane.WORK] == 0


def test_a_message_is_taken_by_one_process_only(new_queue: Callable[[], Queue]) -> None:
    one, other = new_queue(), new_queue()
    one.wake(Lane.WORK, "event:1")
    one.wake(Lane.WORK, "event:2")

    assert one.take(Lane.WORK) + other.take(Lane.WORK) == ["event:1", "event:2"]


def test_a_lane_never_sees_the_other_lanes_messages(new_queue: Callable[[], Queue]) -> None:
    queue = new_queue()
    queue.wake(Lane.WORK, "event:1")
    queue.wake(Lane.WELCOME, "event:2")

    assert queue.sizes() == {Lane.WELCOME: 1, Lane.WORK: 1}
    assert queue.take(Lane.WELCOME) == ["event:2"]
    assert queue.take(Lane.WORK) == ["event:1"]


def test_an_empty_lane_gives_nothing(new_queue: Callable[[], Queue]) -> None:
    assert new_queue().take(Lane.WORK) == []


def test_what_is_said_together_is_taken_together(new_queue: Callable[[], Queue]) -> None:
    sender, receiver = new_queue(), new_queue()

    sender.wake(Lane.WORK, "event:1", "event:2")

    assert receiver.take(Lane.WORK) == ["event:1", "event:2"]


def test_a_waker_says_everything_in_order_without_being_waited_for(
    new_queue: Callable[[], Queue],
) -> None:
    waker, receiver = Waker(new_queue()), new_queue()
    said = [f"event:{number}" for number in range(250)]

    for message in said:
        waker.wake([(Lane.WELCOME, message)])

    taken: list[str] = []
    until = time.monotonic() + 30
    while len(taken) < len(said) and time.monotonic() < until:
        taken += receiver.take(Lane.WELCOME)
    assert taken == said


def test_a_queue_that_is_there_answers(new_queue: Callable[[], Queue]) -> None:
    assert new_queue().sizes() == {Lane.WELCOME: 0, Lane.WORK: 0}


def test_the_embedded_queue_leaves_waiting_to_its_caller(sqlite_url: str) -> None:
    assert not Queue(sqlite_url).waits(Lane.WORK)


@pytest.mark.redis
def test_redis_waits_by_itself(redis_url: str) -> None:
    assert Queue(redis_url).waits(Lane.WORK)


def test_the_embedded_queue_stands_beside_the_database(tmp_path: Path) -> None:
    database = tmp_path / "new" / "kegui.db"
    queue = Queue(f"sqlite:///{database}")

    queue.wake(Lane.WORK, "event:1")

    assert queue.sizes()[Lane.WORK] == 1
    assert not database.exists()
    assert (database.parent / "kegui.db-queue").exists()
    queue.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "postgresql://nobody@127.0.0.1:1/nothing",
        f"sqlite:///{os.devnull}/no/folder.db",
        "amqp://127.0.0.1/",
    ],
    ids=lambda url: urlsplit(url).scheme,
)
def test_a_wake_that_reaches_nobody_is_no_error_but_a_question_is(url: str) -> None:
    queue = Queue(url)

    queue.wake(Lane.WORK, "event:1")

    with pytest.raises(QueueAway, match=r"^\w+Error$"):
        queue.sizes()


def test_the_address_and_its_password_are_in_no_message() -> None:
    with pytest.raises(QueueAway) as raised, capture_logs() as lines:
        Queue("amqp://user:pass-word@127.0.0.1/").sizes()

    assert str(raised.value) == "ValueError"
    assert [(line["event"], line["error"]) for line in lines] == [
        ("queue_not_readable", "ValueError")
    ]
    assert "pass-word" not in f"{raised.value!r} {lines}"
