"""kegui status: what an operator reads, when it asks for one, and whom it never names."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import clock
from bot.models import Alarm, EndpointPause, InboxEvent, JobRun, Lease, SyncRun
from bot.operations.status import show
from bot.reason import NO_REASON, Reason


@pytest.fixture
def status(store: str, queue_url: str) -> Any:
    """Asks, and gives the text, the same as JSON, and whether all is well."""

    def ask() -> tuple[str, Any, bool]:
        (text, is_well), (as_json, _) = (
            show(queue_url, as_json=False),
            show(queue_url, as_json=True),
        )
        found = json.loads(as_json)
        assert found["ok"] is is_well
        for secret in ("zhangsan", "张三", "wm_chen"):
            assert secret not in text + as_json
        return text, found, is_well

    return ask


def ago(**time: float) -> datetime:
    return clock.now() - timedelta(**time)


def receive(state: str, *, due: datetime, error: Reason = NO_REASON) -> InboxEvent:
    return InboxEvent.create(
        key=state,
        source="customer",
        event="change_external_contact",
        change_type="edit_external_contact",
        userid="zhangsan",
        external_userid="wm_chen",
        lane="work",
        state=state,
        payload=b"",
        received_at=due,
        due_at=due,
        error=error,
    )


def pause(endpoint: str, errcode: int | None, until: datetime | None = None) -> None:
    EndpointPause.create(
        name=f"app:{endpoint}",
        secret_name="app",
        endpoint=endpoint,
        until=until or ago(minutes=-5),
        reason="api freq out of limit",
        errcode=errcode,
    )


def test_of_a_quiet_house_there_is_nothing_to_say(status: Any) -> None:
    text, found, is_well = status()

    assert is_well
    assert text.splitlines()[0].split() == ["status", "well"]
    assert "none yet" in text
    assert found["troubles"] == []


def test_work_under_way_needs_nobody(status: Any) -> None:
    receive("failed", due=ago(seconds=20))
    receive("waiting", due=ago(seconds=-300))
    pause("externalcontact/remark", 45009)
    Lease.create(name="handover of zhangsan", holder="h", until=ago(seconds=-10))
    SyncRun.create(run="1", kind="repair", started_at=ago(minutes=2), members=3)

    text, found, is_well = status()

    assert is_well
    assert "failed 1" in text
    assert "oldest due for 0:00:2" in text
    assert "app externalcontact/remark: api freq out of limit 45009, until 20" in text
    assert "lease     handover until" in text
    assert "not ended: 3 members" in text
    assert found["pauses"][0]["needs_operator"] is False


def test_an_event_that_nobody_takes_up_needs_an_operator(status: Any) -> None:
    receive("waiting", due=ago(seconds=75))

    text, found, is_well = status()

    assert not is_well
    assert found["overdue_seconds"]["work"] == pytest.approx(75, abs=20)
    assert "work lane: an event has been due for" in text


def test_dead_events_are_told_by_id_type_and_code(status: Any) -> None:
    row = receive(
        "dead",
        due=ago(days=1),
        error=Reason("wecom_refused", {"endpoint": "externalcontact/remark", "errcode": 84061}),
    )

    text, found, is_well = status()

    assert not is_well
    assert "1 dead events" in text
    assert (
        f"#{row.id}  change_external_contact edit_external_contact:"
        " WeCom refused externalcontact/remark (error 84061)" in text
    )
    assert found["dead_number"] == 1


def test_a_pause_that_lasts_until_somebody_acts_needs_an_operator(status: Any) -> None:
    pause("externalcontact/get", 48002)

    text, found, is_well = status()

    assert not is_well
    assert "externalcontact/get is paused until an operator acts" in text
    assert found["pauses"][0]["needs_operator"] is True


def test_a_pause_whose_time_is_over_needs_nobody(status: Any) -> None:
    pause("externalcontact/get", 48002, until=ago(minutes=1))
    pause("externalcontact/remark", 48002, until=ago(minutes=16))

    _, found, is_well = status()

    assert is_well
    assert found["pauses"] == []
    assert [one["endpoint"] for one in found["unproven"]] == ["externalcontact/get"]


def test_a_job_that_failed_is_told_without_what_wecom_said(status: Any) -> None:
    JobRun.create(
        job="readings.unassigned",
        struck_at=ago(minutes=1),
        finished_at=ago(minutes=1),
        error=Reason("wecom_paused", {"endpoint": "get_unassigned_list", "errcode": None}),
    )

    text, found, is_well = status()

    assert is_well
    assert re.search(
        r"job +readings.unassigned begun \S+: Calls of get_unassigned_list are paused;",
        text,
        re.MULTILINE,
    )
    assert found["jobs"][0]["error"]["code"] == "wecom_paused"


def test_a_clock_that_stands_still_needs_an_operator(status: Any) -> None:
    JobRun.create(job="notices.send_digests", struck_at=ago(minutes=3), finished_at=ago(minutes=3))
    text, _, is_well = status()

    assert not is_well
    assert "no clock leads, and no job was begun for 18" in text

    Lease.create(name="clock", holder="h", until=ago(seconds=-30))
    assert status()[2]


def test_an_open_alarm_says_what_to_do_and_not_about_whom(status: Any) -> None:
    Alarm.create(
        kind="no_welcome_codes",
        subject="zhangsan",
        reason=Reason("no_welcome_codes", {"member": "zhangsan"}),
        advice=Reason("do_about_no_welcome_codes", {"member": "zhangsan"}),
        since=ago(hours=1),
    )

    text, _, is_well = status()

    assert not is_well
    assert "no_welcome_codes since" in text
    assert "请移除，由客规发送" in text


def test_a_queue_that_is_away_needs_an_operator(store: str) -> None:
    text, is_well = show("redis://127.0.0.1:1/0", as_json=False)

    assert not is_well
    assert "the queue cannot be reached" in text
    assert "wake-ups ?" in text
