"""What operators see of a running Kegui: figures of all processes at one address, and log lines."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.doors.knocking import Door, remark_changed
from tests.stack import Stack, free_port, running_stack, until
from tests.stories.conftest import own_database


def scrape(url: str) -> dict[str, float]:
    """Every sample by its name and sorted label values."""
    text = urlopen(url, timeout=10).read().decode()
    return {
        " ".join(
            [sample.name, *(sample.labels[one] for one in sorted(sample.labels))]
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def lines(stack: Stack, **equal: Any) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in stack.logs().splitlines() if line.startswith("{")]
    return [line for line in every if equal.items() <= line.items()]


def test_the_figures_of_all_processes_are_at_one_address(stack: Stack) -> None:
    before = scrape(stack.metrics_url)
    door = Door(stack.place, "archive")

    stack.meet("zhangsan", "wm_counted")
    stack.settled()
    door.knock(door.signed("bm90IGVuY3J5cHRlZA==", msg_signature="forged"))

    def rise(name: str) -> float:
        return scrape(stack.metrics_url).get(name, 0) - before.get(name, 0)

    # The web process counted these, the worker those.
    until(lambda: rise("kegui_callbacks_rejected_total archive signature") >= 1)
    until(lambda: rise("kegui_door_seconds_count archive 403") >= 1)
    until(lambda: rise("kegui_door_seconds_count customer 200") >= 1)
    until(lambda: rise("kegui_welcomes_total delivered") >= 1)
    until(lambda: rise("kegui_welcome_seconds_bucket 20.0") >= 1)
    sent = "kegui_wecom_calls_total 0 externalcontact/send_welcome_msg app"
    until(lambda: rise(sent) >= 1)


def test_the_doors_line_and_the_workers_lines_of_an_event_are_joined_by_its_id(
    stack: Stack,
) -> None:
    stack.meet("zhangsan", "wm_followed")
    [event] = stack.settled()

    [received] = lines(stack, event="event_received", event_id=event["id"])
    [settled] = until(lambda: lines(stack, event="event_settled", event_id=event["id"]))
    assert received["request_id"]
    assert (settled["state"], settled["lane"]) == ("done", "work")
    assert "request_id" not in settled


def test_status_tells_the_same(stack: Stack) -> None:
    # Earlier stories may have left troubles: the exit code says so.
    found = json.loads(stack._run("status", "--json").stdout)

    assert found["queue"].keys() == {"welcome", "work"}
    assert found["last_sync"]["members"] >= 3


def test_a_taken_address_is_one_line_and_the_doors_open_all_the_same(tmp_path: Path) -> None:
    with own_database("sqlite", tmp_path) as url, socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with running_stack(tmp_path, url, url, "web", METRICS_BIND=bind) as stack:
            door = Door(stack.place, "customer")
            answer = door.knock(door.sealed(remark_changed(door.corp_id, 1)))

        assert answer.status == 200
        [line] = lines(stack, event="metrics_not_served")
        assert (line["level"], line["bind"]) == ("error", bind)


def test_an_empty_address_switches_it_off(tmp_path: Path) -> None:
    with (
        own_database("sqlite", tmp_path) as url,
        running_stack(tmp_path, url, url, "web", METRICS_BIND="") as stack,
    ):
        assert not lines(stack, event="metrics_not_served")


@pytest.mark.postgres
def test_every_process_of_the_web_server_answers_for_all(tmp_path: Path) -> None:
    bind = f"127.0.0.1:{free_port()}"
    with (
        own_database("postgres", tmp_path) as url,
        running_stack(tmp_path, url, url, "web", METRICS_BIND=bind) as stack,
    ):
        door = Door(stack.place, "customer")
        for number in range(30):
            assert door.knock(door.sealed(remark_changed(door.corp_id, number))).status == 200

        until(lambda: scrape(stack.metrics_url)["kegui_door_seconds_count customer 200"] == 30)
        until(lambda: scrape(stack.metrics_url)["kegui_inbox_events work waiting"] == 30)

        stack.kill("web")
        stack.start("web")
        # Nothing begins again with a process.
        assert scrape(stack.metrics_url)["kegui_door_seconds_count customer 200"] == 30
