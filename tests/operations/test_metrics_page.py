"""GET /metrics: it tells what stands in the database, names nobody, and always answers."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from peewee import OperationalError
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from bot import clock
from bot.metrics import Storing
from bot.models import (
    Alarm,
    EndpointPause,
    Handover,
    HandoverItem,
    InboxEvent,
    Lease,
    MetricCount,
    SyncRun,
)
from bot.operations import metrics_page
from bot.operations.metrics_page import make_app
from bot.queue import Lane, Queue
from tests.test_metrics import UNREACHABLE, database_away

Samples = dict[str, float]


@dataclass
class Page:
    """GET /metrics of one web process."""

    queue_url: str
    storing: Storing = field(default_factory=Storing)

    def scrape(self) -> Samples:
        self.text = Client(make_app(Queue(self.queue_url), self.storing)).get("/metrics").text
        return {
            name_of(sample.name, sample.labels): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }


def name_of(name: str, labels: dict[str, str]) -> str:
    return " ".join([name, *(labels[one] for one in sorted(labels))])


@pytest.fixture
def page(store: str, queue_url: str) -> Iterator[Page]:
    yield Page(queue_url)
    # One that nobody waited for still holds a connection.
    for thread in threading.enumerate():
        if thread.name == "metrics-ask":
            thread.join(20)


def receive(
    number: int, *, lane: str, state: str, due: datetime, lease: datetime | None = None
) -> None:
    InboxEvent.create(
        key=str(number),
        source="customer",
        event="change_external_contact",
        change_type="add_external_contact",
        userid="zhangsan",
        external_userid="wm_chen",
        lane=lane,
        state=state,
        payload=b"",
        received_at=due,
        due_at=due,
        lease_until=lease,
        error_code="wecom_refused",
    )


def ago(**time: float) -> datetime:
    return clock.now() - timedelta(**time)


def test_the_inbox_is_counted_and_the_oldest_due_event_has_an_age(page: Page) -> None:
    receive(1, lane="work", state="failed", due=ago(seconds=90))
    receive(2, lane="work", state="waiting", due=ago(seconds=-300))
    receive(3, lane="work", state="dead", due=ago(days=9))
    receive(4, lane="work", state="done", due=ago(days=9))
    receive(5, lane="welcome", state="claimed", due=ago(seconds=60), lease=ago(seconds=-5))

    found = page.scrape()

    assert found["kegui_inbox_events work failed"] == 1
    assert found["kegui_inbox_events work dead"] == 1
    assert found["kegui_inbox_events welcome claimed"] == 1
    assert found["kegui_inbox_events welcome dead"] == 0
    assert not [name for name in found if name.startswith("kegui_inbox_events work done")]
    assert found["kegui_inbox_overdue_seconds work"] == pytest.approx(90, abs=20)
    assert found["kegui_inbox_overdue_seconds welcome"] == 0


def test_an_event_whose_worker_is_gone_is_due_from_the_end_of_its_lease(page: Page) -> None:
    receive(1, lane="welcome", state="claimed", due=ago(hours=1), lease=ago(seconds=30))

    overdue = page.scrape()["kegui_inbox_overdue_seconds welcome"]

    assert overdue == pytest.approx(30, abs=20)


def test_pauses_alarms_handovers_leases_and_readings_are_told_and_nobody_is_named(
    page: Page,
) -> None:
    for name, code in (("remark", None), ("get", 48002), ("over", 45009)):
        until = ago(seconds=60 if name == "over" else -60)
        EndpointPause.create(
            name=name, secret_name="app", endpoint=name, until=until, reason="why", errcode=code
        )
    for number in range(3):
        Alarm.create(
            kind="no_welcome_codes",
            subject=f"zhangsan{number}",
            reason_code="x",
            since=ago(hours=1),
            ended_at=ago(minutes=1) if number == 2 else None,
        )
    case = Handover.create(
        kind="offboarding",
        userid="zhangsan",
        mode="auto",
        state="running",
        source="api",
        created_at=ago(hours=30),
        updated_at=ago(hours=1),
    )
    for number, (state, hours) in enumerate([("waiting", 29), ("waiting", 2), ("done", 30)]):
        HandoverItem.create(
            handover=case,
            kind="customer",
            subject=f"wm_chen{number}",
            state=state,
            updated_at=ago(hours=hours),
        )
    Lease.create(name="handover of zhangsan", holder="h", until=ago(seconds=-10))
    Lease.create(name="sync", holder="h", until=ago(seconds=10))
    SyncRun.create(run="1", kind="repair", started_at=ago(hours=2), finished_at=ago(hours=1))
    SyncRun.create(run="2", kind="repair", started_at=ago(minutes=2))
    SyncRun.create(run="3", kind="unassigned", started_at=ago(minutes=2), finished_at=clock.now())

    found = page.scrape()

    paused = {name for name in found if name.startswith("kegui_pause_remaining_seconds")}
    assert paused == {
        "kegui_pause_remaining_seconds remark network no app",
        "kegui_pause_remaining_seconds get 48002 yes app",
    }
    assert found["kegui_alarms no_welcome_codes"] == 2
    assert found["kegui_handovers offboarding running"] == 1
    assert found["kegui_handover_items waiting"] == 2
    assert found["kegui_handover_oldest_seconds waiting"] == pytest.approx(29 * 3600, abs=60)
    assert {name for name in found if "leases" in name} == {"kegui_leases handover"}
    assert found["kegui_last_sync_timestamp_seconds"] == pytest.approx(
        ago(hours=1).timestamp(), abs=20
    )
    for secret in ("zhangsan", "wm_chen", "张三"):
        assert secret not in page.text


def test_what_other_processes_counted_is_told_in_order(page: Page) -> None:
    # What the tests before let this process count.
    page.scrape()
    MetricCount.delete().execute()
    for bound, value in (("+Inf", 4), ("0.5", 1), ("20.0", 3), ("1.0", 2)):
        MetricCount.add({("kegui_welcome_seconds_bucket", f'{{"le": "{bound}"}}'): value})
    MetricCount.add({("kegui_welcomes_total", '{"outcome": "missed"}'): 7})

    found = page.scrape()

    assert found["kegui_welcomes_total missed"] == 7
    assert found["kegui_welcomes_total delivered"] == 0
    buckets = [line for line in page.text.splitlines() if "kegui_welcome_seconds_bucket" in line]
    values = [float(line.rpartition(" ")[2]) for line in buckets if not line.endswith(" 0.0")]
    assert values == [1, 2, 3, 4]


def test_with_the_database_away_it_says_so_and_claims_nothing_else(page: Page) -> None:
    with database_away():
        found = page.scrape()

    assert found.pop("kegui_database_up") == 0
    assert found.pop("kegui_queue_up") == 1
    # A zero would look as if all were counted anew.
    assert {name.split()[0] for name in found} == {"kegui_queue_messages"}


def test_a_database_that_says_nothing_does_not_silence_it(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    threads: list[threading.Thread] = []

    def hang(_now: datetime) -> Any:
        threads.append(threading.current_thread())
        assert answer.wait(30)
        raise OperationalError("gone")

    monkeypatch.setattr(metrics_page, "read_operation", hang)
    monkeypatch.setattr(metrics_page, "PATIENCE_SECONDS", 0.2)
    client = Client(make_app(Queue(page.queue_url), Storing()))

    texts = [client.get("/metrics").text for _ in range(3)]
    answer.set()
    for thread in threads:
        thread.join(30)

    assert all("kegui_database_up 0.0" in text for text in texts)
    assert len(threads) == 1


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", UNREACHABLE])
def test_a_queue_that_is_away_is_told_and_nothing_else_is_hidden(store: str, url: str) -> None:
    found = Page(url).scrape()

    assert (found["kegui_queue_up"], found["kegui_database_up"]) == (0, 1)
    assert found["kegui_inbox_events work waiting"] == 0


def test_wake_ups_that_nobody_has_taken_are_counted(page: Page) -> None:
    queue = Queue(page.queue_url)
    queue.wake(Lane.WORK, "event:1")
    queue.close()

    assert page.scrape()["kegui_queue_messages work"] == 1


def test_there_is_nothing_else_at_this_address(page: Page) -> None:
    client = Client(make_app(Queue(page.queue_url), Storing()))

    assert [client.get(path).status_code for path in ("/", "/metrics/x", "/healthz")] == [404] * 3
    assert client.post("/metrics").status_code == 405
