"""Pauses: shown with reason and end, lifted by hand, and the events that waited go on."""

from datetime import timedelta

import pytest

from bot import clock, events
from bot.api.auth import create_token
from bot.audit.log import Who
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import EndpointPause, InboxEvent
from bot.operations.pauses import lift
from bot.queue import Lane
from bot.reason import Reason
from bot.wecom import Pause
from bot.wecom.stores import DatabasePauseStore
from tests.api.conftest import Call, problem

ON_BOTH_DATABASES = True
REMARK, LIST = "externalcontact/remark", "externalcontact/list"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _paused(store: str) -> None:
    DatabasePauseStore().set(Pause("app", REMARK, clock.now() + HOUR, "not allow", 60020))


def waiting_event(kegui: Kegui, why: str) -> InboxEvent:
    body = f"<xml><Event>change_contact</Event><UserID>{hash(why)}</UserID></xml>".encode()
    number = inbox.put("customer", events.parse(body), body, vault=kegui.vault, now=clock.now())
    assert number is not None
    row = inbox.claim(number, Lane.WORK, now=clock.now())
    assert row is not None
    inbox.give_back(
        row, due_at=clock.now() + HOUR, error=Reason("wecom_refused", {"endpoint": why})
    )
    return row


def test_a_pause_is_shown_with_its_reason_and_its_end(call: Call) -> None:
    [pause] = call("GET", "/pauses").get_json()["items"]

    assert (pause["secret_name"], pause["endpoint"]) == ("app", REMARK)
    assert (pause["reason"], pause["errcode"], pause["failures"]) == ("not allow", 60020, 1)
    assert pause["until"] > pause["since"]


def test_a_pause_that_is_long_over_is_not_shown(call: Call) -> None:
    EndpointPause.update(until=clock.now() - HOUR).execute()

    assert call("GET", "/pauses").get_json()["items"] == []


def test_a_lifted_pause_lets_one_call_try_and_its_events_go_on(call: Call, kegui: Kegui) -> None:
    waited = waiting_event(kegui, REMARK)
    other = waiting_event(kegui, LIST)

    answer = call("POST", f"/pauses/app {REMARK}/lift")

    assert answer.get_json() == {"name": f"app {REMARK}", "woken_events": 1}
    due = inbox.due(Lane.WORK, now=clock.now(), limit=9)
    assert waited.id in due
    assert other.id not in due
    pause = DatabasePauseStore().get("app", REMARK)
    assert pause is not None
    assert DatabasePauseStore().probe(pause, clock.now() + HOUR)


def test_lifting_the_pause_of_all_endpoints_wakes_all_that_wait(kegui: Kegui) -> None:
    DatabasePauseStore().set(Pause("app", "*", clock.now() + HOUR, "by hand", None))
    for endpoint in (REMARK, LIST):
        waiting_event(kegui, endpoint)

    assert lift(EndpointPause.get_by_id("app *"), Who("test"), kegui) == 2


def test_what_is_not_paused_cannot_be_lifted(call: Call) -> None:
    problem(call("POST", f"/pauses/app {LIST}/lift"), 404)


def test_who_may_only_read_lifts_nothing(call: Call) -> None:
    reader = create_token("reader", ["read"])

    assert call("GET", "/pauses", token=reader).status_code == 200
    problem(call("POST", f"/pauses/app {REMARK}/lift", token=reader), 403)
