"""The clock was set back: what waits for a time of the old clock is tried now, once it is seen."""

from datetime import timedelta

import pytest

from bot import clock, events
from bot.inbox import clock_set_back, inbox
from bot.models import EndpointPause, InboxEvent, JobRun
from bot.models.inbox_event import FAILED
from bot.queue import Lane
from tests.inbox.test_inbox import VAULT, plaintext

pytestmark = pytest.mark.usefixtures("store")

HOUR = timedelta(hours=1)


def strike(after: timedelta) -> None:
    JobRun.create(job="a.job", struck_at=clock.now() + after)


def waiting(after: timedelta) -> int:
    """Put an event that was tried and waits for its next try."""
    body = plaintext()
    event_id = inbox.put("customer", events.parse(body), body, vault=VAULT, now=clock.now())
    assert event_id is not None
    InboxEvent.update(state=FAILED, attempts=2, due_at=clock.now() + after).execute()
    return event_id


def pause(after: timedelta) -> None:
    EndpointPause.create(
        name="app x", secret_name="app", endpoint="x", until=clock.now() + after, reason="busy"
    )


def test_all_that_waits_is_tried_now_when_a_job_was_begun_in_the_future() -> None:
    strike(8 * HOUR)
    event_id = waiting(9 * HOUR)
    pause(8 * HOUR)

    assert clock_set_back.heal(clock.now())

    now = clock.now()
    assert inbox.due(Lane.WORK, now=now, limit=9) == [event_id]
    assert EndpointPause.get().until <= now
    assert JobRun.get().struck_at <= now
    assert not clock_set_back.heal(now)


@pytest.mark.parametrize("seconds", [-8 * 3600, 0, 60])
def test_nothing_is_hastened_while_the_clock_goes_as_it_should(seconds: int) -> None:
    """Also when the clock of the host that led before is a minute ahead of ours."""
    strike(timedelta(seconds=seconds))
    waiting(HOUR)
    pause(HOUR)

    assert not clock_set_back.heal(clock.now())

    assert inbox.due(Lane.WORK, now=clock.now(), limit=9) == []
    assert EndpointPause.get().until > clock.now() + HOUR / 2
