"""Events: listed, looked at without their secrets, replayed."""

from typing import Any

import pytest

from bot import events
from bot.inbox import archive, inbox
from bot.kegui import Kegui
from bot.models import InboxArchive, InboxEvent
from bot.queue import Lane
from bot.reason import Reason
from tests.api.conftest import Call, at, problem

ON_BOTH_DATABASES = True
ADD = """<xml><ToUserName>ww1</ToUserName><FromUserName>sys</FromUserName>
<CreateTime>1795485600</CreateTime><MsgType>event</MsgType><Event>change_external_contact</Event>
<ChangeType>{change_type}</ChangeType><UserID>zhangsan</UserID>
<ExternalUserID>wm_chen</ExternalUserID><State>expo</State>
<WelcomeCode>LIVE_CODE</WelcomeCode></xml>"""


@pytest.fixture
def put(kegui: Kegui) -> Any:
    def put(change_type: str, **changes: Any) -> int:
        plaintext = ADD.format(change_type=change_type).encode()
        event = events.parse(plaintext)
        event_id = inbox.put("customer", event, plaintext, vault=kegui.vault, now=at(0))
        assert event_id is not None
        if changes:
            InboxEvent.update(**changes).where(InboxEvent.id == event_id).execute()
        return event_id

    return put


def test_an_event_is_shown_with_its_fields_but_never_its_code(call: Call, put: Any) -> None:
    put("add_external_contact")

    response = call("GET", "/events/1")

    body = response.get_json()
    fields = body.pop("fields")
    assert body == {
        "id": 1,
        "source": "customer",
        "event": "change_external_contact",
        "change_type": "add_external_contact",
        "state": "waiting",
        "attempts": 0,
        "received_at": "2026-11-24T02:00:00Z",
        "finished_at": None,
        "error": None,
        "error_code": None,
    }
    assert (fields["State"], fields["WelcomeCode"]) == ("expo", "***")
    assert "LIVE_CODE" not in response.get_data(as_text=True)
    assert call("GET", "/events").get_json()["items"] == [body]


def test_events_are_listed_by_state_and_type(call: Call, put: Any) -> None:
    put("add_external_contact", state="dead")
    put("edit_external_contact")

    def listed(query: str) -> list[int]:
        return [one["id"] for one in call("GET", f"/events?{query}").get_json()["items"]]

    assert listed("") == [2, 1]
    assert listed("state=dead") == [1]
    assert listed("type=edit_external_contact") == [2]
    assert listed("type=change_external_contact&external_userid=wm_chen") == [2, 1]
    assert listed("type=edit_external_contact&state=dead") == []
    assert listed("userid=lihua") == []


@pytest.mark.parametrize("state", ["done", "ignored", "dead"])
def test_a_settled_event_is_replayed(call: Call, put: Any, kegui: Kegui, state: str) -> None:
    put(
        "add_external_contact",
        state=state,
        attempts=4,
        **Reason("bug", {"kind": "KeyError"}).columns("error"),
        finished_at=at(1),
    )

    body = call("POST", "/events/1/replay").get_json()

    assert (body["state"], body["attempts"], body["error"]) == ("waiting", 0, None)
    assert kegui.queue.take(Lane.WORK) == ["event:1"]


@pytest.mark.parametrize("state", ["waiting", "claimed", "failed"])
def test_an_event_that_is_still_worked_on_is_not_replayed(call: Call, put: Any, state: str) -> None:
    put("add_external_contact", state=state)

    problem(call("POST", "/events/1/replay"), 409)
    problem(call("POST", "/events/2/replay"), 404)


def test_an_event_sealed_with_a_lost_key_is_shown_without_fields(call: Call, put: Any) -> None:
    put("add_external_contact", payload=b"\x01 not ours")

    assert call("GET", "/events/1").get_json()["fields"] is None


@pytest.fixture
def archived(put: Any) -> None:
    """Of seven events the settled ones are archived, among those that are not and after them."""
    states = ["done", "dead", "ignored", "done", "waiting", "done", "done"]
    for number, state in enumerate(states):
        put(f"change_{number}", state=state, finished_at=at(1), attempts=1)
    assert sum(archive.move_settled(at(2))) == 4
    assert [row.id for row in InboxArchive.select().order_by(InboxArchive.id)] == [1, 3, 4, 6]


@pytest.mark.usefixtures("archived")
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_archived_events_are_listed_with_the_others(call: Call, limit: int) -> None:
    def listed(query: str) -> list[int]:
        ids, cursor = [], ""
        while True:
            body = call("GET", f"/events?limit={limit}&{query}{cursor}").get_json()
            ids += [one["id"] for one in body["items"]]
            if body["next_cursor"] is None:
                return ids
            cursor = f"&cursor={body['next_cursor']}"

    assert listed("") == [7, 6, 5, 4, 3, 2, 1]
    assert listed("state=done") == [7, 6, 4, 1]
    assert listed("state=ignored") == [3]
    assert listed("state=dead") == [2]
    assert listed("type=change_3") == [4]
    assert listed("external_userid=wm_chen&userid=zhangsan") == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_an_event_archived_between_two_pages_is_neither_skipped_nor_repeated(
    call: Call, put: Any, limit: int
) -> None:
    for number in range(8):
        put(f"change_{number}", state="done", finished_at=at(number), attempts=1)

    ids, cursor = [], ""
    for minute in range(1, 20):
        body = call("GET", f"/events?limit={limit}{cursor}").get_json()
        ids += [one["id"] for one in body["items"]]
        cursor = f"&cursor={body['next_cursor']}"
        sum(archive.move_settled(at(minute)))
        if body["next_cursor"] is None:
            break

    assert ids == [8, 7, 6, 5, 4, 3, 2, 1]
    assert InboxArchive.select().count() > 0


@pytest.mark.usefixtures("archived")
def test_an_archived_event_is_shown_and_replayed_like_any_other(call: Call, kegui: Kegui) -> None:
    shown = call("GET", "/events/1").get_json()
    assert (shown["state"], shown["fields"]["State"]) == ("done", "expo")

    body = call("POST", "/events/1/replay").get_json()

    assert (body["id"], body["state"]) == (1, "waiting")
    assert kegui.queue.take(Lane.WORK) == ["event:1"]
    problem(call("POST", "/events/1/replay"), 409)
    assert [one["id"] for one in call("GET", "/events").get_json()["items"]] == [
        7,
        6,
        5,
        4,
        3,
        2,
        1,
    ]
