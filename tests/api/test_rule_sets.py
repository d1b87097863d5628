"""Rule sets over HTTP: drafted, tried, decided on by another person, released, taken back."""

from datetime import timedelta
from typing import Any

import pytest

from bot import clock
from bot.allocation import allocate, dry_runs, rule_sets
from bot.allocation.rules import Decision
from bot.api.auth import create_token
from bot.events import Event
from bot.kegui import Kegui
from bot.models import (
    TABLES,
    Allocation,
    AuditEntry,
    Customer,
    DryRun,
    Ownership,
    Relation,
    RuleSet,
    Staff,
)
from bot.router import Received
from tests.api.conftest import Call, problem

ON_BOTH_DATABASES = True
pytestmark = pytest.mark.usefixtures("firm")

FUND = """
version = "2026-12-1"

[[rule]]
name = "基金"
channels = ["fund-*"]
product = "fund"
strategy = "least_loaded"

[[rule]]
name = "其他"
"""
LICENCE = {"kind": "fund", "number": "F1", "valid_from": "2020-01-01", "valid_to": "2099-12-31"}


@pytest.fixture
def tokens(store: str) -> dict[str, str]:
    """One token for each of two people."""
    return {
        name: create_token(name, ["rules"], owner=owner)
        for name, owner in (("drafter", "zhangsan"), ("checker", "lihua"))
    }


def drafted(call: Call, body: str = FUND, **headers: Any) -> dict[str, Any]:
    answer = call("POST", "/rule-sets", {"kind": "allocation", "body": body}, **headers)
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def released(call: Call, tokens: dict[str, str], body: str = FUND) -> int:
    number = int(drafted(call, body, token=tokens["drafter"])["id"])
    for act, who in (("submit", "drafter"), ("approve", "checker"), ("release", "drafter")):
        path = f"/rule-sets/{number}/{act}"
        answer = call("POST", path, token=tokens[who])
        assert answer.status_code == 200, answer.get_json()
    return number


def arrives(kegui: Kegui, number: int, userid: str, channel: str = "") -> Allocation:
    """A customer adds a member, as the handler of the event settles it."""
    external_userid = f"wm_{number}"
    now = clock.now()
    fields = {"UserID": userid, "ExternalUserID": external_userid, "State": channel}
    event = Event("change_external_contact", "add_external_contact", fields, now)
    received = Received(number, "customer", now, event, False)
    Customer.meet(external_userid, channel=channel, met_at=now)
    Relation.begin(external_userid, userid, state="active", source="event", at=now, noted_at=now)
    return allocate.allocate(received, kegui)


@pytest.fixture(autouse=True)
def _nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """No transfer is carried out: that is another's story."""
    monkeypatch.setattr("bot.allocation.allocate.handovers.move_by_rule", lambda *_given: None)


def test_a_draft_is_checked_and_decides_nothing(call: Call, kegui: Kegui) -> None:
    call("PUT", "/staff/lihua", {"licences": [LICENCE]})
    before = rule_sets.deciding(kegui)[0]

    body = drafted(call)

    assert (body["state"], body["label"], body["version"]) == ("draft", "2026-12-1", 2)
    assert call("GET", f"/rule-sets/{body['id']}").get_json() == body
    assert rule_sets.deciding(kegui)[0] == before
    assert (before.number, before.source) == (1, "file")


@pytest.mark.parametrize(
    ("change", "line", "code"),
    [
        (('strategy = "least_loaded"', 'stratgey = "first"'), 7, "unknown_key"),
        (('product = "fund"', 'userids = ["nobody"]'), 6, "unknown_member"),
        (('product = "fund"', "departments = [99]"), 6, "unknown_department"),
        (('product = "fund"', 'userids = ["zhaoliu"]'), 6, "member_left"),
        (('channels = ["fund-*"]\nproduct = "fund"', ""), 8, "never_reached"),
        (('product = "fund"', 'licences = ["fund"]'), 6, "nobody_licensed"),
        (('product = "fund"', 'otherwise = "基金"'), 6, "loop"),
        (("[[rule]]", "[[rule]"), 3, "not_toml"),
    ],
)
def test_what_is_wrong_names_its_line_and_nothing_is_kept(
    call: Call, change: tuple[str, str], line: int, code: str
) -> None:
    body = FUND.strip().replace(*change, 1)

    document = problem(call("POST", "/rule-sets", {"kind": "allocation", "body": body}), 422)

    assert [(one["line"], one["code"]) for one in document["errors"]] == [(line, code)]
    assert all(one["detail"] for one in document["errors"])
    assert RuleSet.select().count() == 0


def test_another_person_approves(call: Call, tokens: dict[str, str], kegui: Kegui) -> None:
    call("PUT", "/staff/lihua", {"licences": [LICENCE]})
    number = drafted(call, token=tokens["drafter"])["id"]
    path = f"/rule-sets/{number}"
    problem(call("POST", f"{path}/release", token=tokens["checker"]), 409)
    problem(call("POST", f"{path}/approve", token=tokens["checker"]), 409)
    assert call("POST", f"{path}/submit", token=tokens["drafter"]).get_json()["state"] == (
        "submitted"
    )

    own = problem(call("POST", f"{path}/approve", token=tokens["drafter"]), 403)
    other = call("POST", f"{path}/approve", token=tokens["checker"])

    assert own["type"].endswith("same-person")
    assert other.get_json()["state"] == "approved"
    # Approved is not released.
    assert rule_sets.deciding(kegui)[0].number == 1
    assert call("POST", f"{path}/release", token=tokens["drafter"]).status_code == 200
    assert rule_sets.deciding(kegui)[0].id == number
    acts = [row.act for row in AuditEntry.select().where(AuditEntry.act.startswith("ruleset."))]
    assert sorted(acts) == [
        "ruleset.adopt",
        "ruleset.approve",
        "ruleset.draft",
        "ruleset.propose",
        "ruleset.release",
    ]


def test_whoever_drafted_does_not_approve_what_a_colleague_submitted(
    call: Call, tokens: dict[str, str]
) -> None:
    call("PUT", "/staff/lihua", {"licences": [LICENCE]})
    path = f"/rule-sets/{drafted(call, token=tokens['drafter'])['id']}"
    call("POST", f"{path}/submit", token=tokens["checker"])

    problem(call("POST", f"{path}/approve", token=tokens["drafter"]), 403)
    problem(call("POST", f"{path}/reject", {"reason": "x"}, token=tokens["drafter"]), 403)


def test_a_rejected_version_is_never_released(call: Call, tokens: dict[str, str]) -> None:
    call("PUT", "/staff/lihua", {"licences": [LICENCE]})
    path = f"/rule-sets/{drafted(call, token=tokens['drafter'])['id']}"
    call("POST", f"{path}/submit", token=tokens["drafter"])

    rejected = call("POST", f"{path}/reject", {"reason": "范围过大"}, token=tokens["checker"])

    assert rejected.get_json()["state"] == "rejected"
    problem(call("POST", f"{path}/release", token=tokens["checker"]), 409)


def test_what_stood_when_it_was_approved_is_looked_at_again_before_its_release(
    call: Call, tokens: dict[str, str], kegui: Kegui
) -> None:
    body = FUND.replace('product = "fund"', 'userids = ["wangwu"]')
    number = drafted(call, body, token=tokens["drafter"])["id"]
    call("POST", f"/rule-sets/{number}/submit", token=tokens["drafter"])
    call("POST", f"/rule-sets/{number}/approve", token=tokens["checker"])
    Staff.update(left_at=clock.now()).where(Staff.userid == "wangwu").execute()

    document = problem(call("POST", f"/rule-sets/{number}/release", token=tokens["checker"]), 422)

    assert document["errors"][0]["code"] == "member_left"
    assert rule_sets.deciding(kegui)[0].number == 1


def test_a_released_version_can_be_taken_back(
    call: Call, tokens: dict[str, str], kegui: Kegui
) -> None:
    first = rule_sets.deciding(kegui)[0].id
    call("PUT", "/staff/lihua", {"licences": [LICENCE]})
    second = released(call, tokens)
    third = released(call, tokens, FUND.replace("2026-12-1", "2026-12-2"))

    back = call("POST", f"/rule-sets/{third}/rollback", token=tokens["checker"]).get_json()
    further = call("POST", f"/rule-sets/{first}/rollback", token=tokens["checker"]).get_json()

    assert (back["id"], back["state"]) == (second, "released")
    assert further["id"] == first
    states = {row.id: row.state for row in RuleSet.select()}
    assert states == {first: "released", second: "rolled_back", third: "rolled_back"}
    problem(call("POST", f"/rule-sets/{third}/rollback", token=tokens["checker"]), 409)


def test_a_licensed_customer_goes_to_whoever_may_and_the_decision_replays(
    call: Call, tokens: dict[str, str], kegui: Kegui
) -> None:
    call("PUT", "/staff/lihua", {"licences": [LICENCE]})
    call("PUT", "/staff/wangwu", {"licences": [{**LICENCE, "valid_to": "2020-12-31"}]})
    number = released(call, tokens)

    decided = arrives(kegui, 1, "zhangsan", "fund-1")

    [body] = call("GET", "/allocations?external_userid=wm_1").get_json()["items"]
    assert body == call("GET", f"/allocations/{decided.id}").get_json()
    assert (body["chosen"], body["rule"], body["rule_set"]) == ("lihua", "基金", number)
    assert (body["version"], body["outcome"]) == (2, "transfer")
    assert {one["userid"]: one["excluded_by"] for one in body["candidates"]} == {
        "lihua": None,
        "wangwu": "licence_expired",
        "zhangsan": "no_licence",
        "zhaoliu": "leaving",
    }
    # What is decided again is decided from what was known then.
    call("PUT", "/staff/lihua", {"licences": [], "on_leave": True})
    assert call("POST", f"/allocations/{decided.id}/replay").get_json() == {"same": True}


def test_a_replay_notices_another_answer(
    call: Call, kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = arrives(kegui, 1, "zhangsan")
    path = f"/allocations/{decided.id}/replay"
    assert call("POST", path).get_json() == {"same": True}

    monkeypatch.setattr(allocate, "decide", lambda *_given: Decision("lihua", "by_strategy"))

    assert call("POST", path).get_json() == {"same": False}


def test_whoever_is_away_full_or_leaving_gets_nobody(call: Call, kegui: Kegui) -> None:
    today = str((clock.now() + timedelta(hours=8)).date())
    away = [{"from": today, "to": today, "kind": "leave"}]
    call("PUT", "/staff/zhangsan", {"availability": away})
    call("PUT", "/staff/lihua", {"capacity": 0})
    call("PUT", "/staff/wangwu", {"daily_quota": 1})

    decided = [arrives(kegui, 1, "zhangsan"), arrives(kegui, 2, "lihua")]
    decided += [arrives(kegui, 3, "wangwu"), arrives(kegui, 4, "wangwu")]

    assert [one.owner for one in decided] == [None, None, "wangwu", None]
    shown = call("GET", f"/allocations/{decided[3].id}").get_json()["candidates"]
    assert {one["userid"]: one["excluded_by"] for one in shown} == {
        "lihua": "full",
        "wangwu": "quota",
        "zhangsan": "leave",
        "zhaoliu": "leaving",
    }


def everything() -> dict[str, list[Any]]:
    return {
        table.__name__: list(table.select().tuples())
        for table in TABLES
        if table.__name__ not in ("DryRun", "AuditEntry", "AuditWriter", "ApiToken")
    }


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    call: Call, tokens: dict[str, str], kegui: Kegui
) -> None:
    for number in range(6):
        arrives(kegui, number, "zhangsan", "fund-1")
    call("PUT", "/staff/lihua", {"licences": [LICENCE], "capacity": 4})
    number = drafted(call, token=tokens["drafter"])["id"]
    today = str((clock.now() + timedelta(hours=8)).date())
    before = everything()

    asked = call("POST", f"/rule-sets/{number}/dry-run", {"from": today, "to": today})
    where = asked.headers["Location"]
    waiting = call("GET", where.removeprefix("/api/v1")).get_json()
    dry_runs.carry_out(asked.get_json()["id"], kegui)
    done = call("GET", where.removeprefix("/api/v1")).get_json()

    assert (asked.status_code, where) == (202, f"/api/v1/dry-runs/{done['id']}")
    assert waiting["state"] == "running"
    assert done["state"] == "done"
    assert (done["arrivals"], done["changed"], done["unplaced"]) == (6, 6, 2)
    assert done["violations"] == []
    load = {one["userid"]: (one["before"], one["after"]) for one in done["load"]}
    assert load == {"lihua": (0, 4), "wangwu": (0, 0), "zhangsan": (6, 0)}
    assert everything() == before

    again = call("POST", f"/rule-sets/{number}/dry-run", {"from": today, "to": today}).get_json()
    dry_runs.carry_out(again["id"], kegui)
    assert DryRun.get_by_id(again["id"]).result["result_sha256"] == done["result_sha256"]


def test_a_dry_run_that_lost_its_worker_is_done_by_another(
    call: Call, kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives(kegui, 1, "zhangsan")
    row = rule_sets.deciding(kegui)[0]
    day = {"from": "2026-01-01", "to": str((clock.now() + timedelta(days=2)).date())}
    number = call("POST", f"/rule-sets/{row.id}/dry-run", day).get_json()["id"]
    woken: list[str] = []
    monkeypatch.setattr(kegui.queue, "wake", lambda _lane, *what: woken.extend(what))
    later = clock.now() + timedelta(minutes=2)
    DryRun.update(state="running", claimed_until=later - timedelta(minutes=3)).execute()

    dry_runs.wake_waiting(kegui)
    dry_runs.carry_out(number, kegui)

    assert woken == [f"dry_run:{number}"]
    assert DryRun.get_by_id(number).state == "done"
    dry_runs.wake_waiting(kegui)
    assert len(woken) == 1


@pytest.mark.parametrize(
    "body", [{"from": "2026-12-02", "to": "2026-12-01"}, {"from": "x", "to": "2026-12-01"}, {}]
)
def test_a_dry_run_needs_a_time(call: Call, kegui: Kegui, body: dict[str, str]) -> None:
    row = rule_sets.deciding(kegui)[0]

    problem(call("POST", f"/rule-sets/{row.id}/dry-run", body), 422)

    assert DryRun.select().count() == 0


def test_the_owner_of_an_allocated_customer_is_one(call: Call, kegui: Kegui) -> None:
    arrives(kegui, 1, "zhangsan")
    arrives(kegui, 1, "lihua")

    open_rows = Ownership.select().where(
        Ownership.external_userid == "wm_1", Ownership.until.is_null()
    )
    assert open_rows.count() == 1
    assert Customer.get_by_id("wm_1").is_owned
