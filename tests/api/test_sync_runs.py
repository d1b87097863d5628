"""Readings and what they found, over the API."""

from datetime import timedelta

import pytest

from bot.api.auth import create_token
from bot.models import SyncCount, SyncFinding, SyncRun
from tests.api.conftest import MORNING, Call, problem

ON_BOTH_DATABASES = True


@pytest.fixture(autouse=True)
def readings(store: str) -> None:
    for number, kind in enumerate(("import", "repair", "unassigned"), 1):
        started = MORNING + timedelta(hours=number)
        SyncRun.create(run=f"run{number}", kind=kind, started_at=started, members=number)
    SyncRun.update(finished_at=MORNING).where(SyncRun.run == "run2").execute()
    for kind, outcome, number in (
        ("name_changed", "healed", 700),
        ("contact_way_gone", "person", 2),
    ):
        SyncCount.create(run="run2", kind=kind, outcome=outcome, number=number)
    for kind, subject, outcome in (
        ("name_changed", "wm_1", "healed"),
        ("name_changed", "wm_2", "healed"),
        ("contact_way_gone", "way", "person"),
    ):
        SyncFinding.create(
            run="run2",
            kind=kind,
            subject=subject,
            here="a",
            wecom="b",
            outcome=outcome,
            found_at=MORNING,
        )


def test_readings_are_listed_the_latest_first_with_what_they_found(call: Call) -> None:
    body = call("GET", "/sync-runs").get_json()

    assert [one["id"] for one in body["items"]] == ["run3", "run2", "run1"]
    repair = body["items"][1]
    assert (repair["healed"], repair["person"]) == (700, 2)
    assert repair["counts"] == [
        {"kind": "contact_way_gone", "healed": 0, "person": 2},
        {"kind": "name_changed", "healed": 700, "person": 0},
    ]
    only = call("GET", "/sync-runs?kind=unassigned").get_json()["items"]
    assert [one["finished_at"] for one in only] == [None]


def test_a_reading_shows_each_difference_and_what_a_person_must_do(call: Call) -> None:
    first = call("GET", "/sync-runs/run2?limit=2").get_json()
    rest = call("GET", f"/sync-runs/run2?limit=2&cursor={first['next_cursor']}").get_json()

    assert [one["subject"] for one in first["findings"]] == ["wm_1", "wm_2"]
    assert first["findings"][0]["what_to_do"] is None
    [way] = rest["findings"]
    assert (way["subject"], way["here"], way["wecom"]) == ("way", "a", "b")
    assert "二维码" in way["what_to_do"]
    assert rest["next_cursor"] is None


def test_findings_can_be_narrowed(call: Call) -> None:
    found = call("GET", "/sync-runs/run2?outcome=person").get_json()["findings"]
    assert [one["subject"] for one in found] == ["way"]
    found = call("GET", "/sync-runs/run2?kind=name_changed").get_json()["findings"]
    assert [one["subject"] for one in found] == ["wm_1", "wm_2"]


def test_who_may_not_read_is_refused_and_an_unknown_reading_is_named(call: Call) -> None:
    problem(call("GET", "/sync-runs", token=create_token("x", ["handover"])), 403)
    problem(call("GET", "/sync-runs/nothing"), 404)
    problem(call("GET", "/sync-runs?kind=other"), 422)
