"""Every change and every look at personal data through the API is in the audit log, or not done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from apiflask import APIFlask

from bot import clock, db
from bot.api.auth import create_token
from bot.events import parse
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import (
    TABLES,
    Allocation,
    AuditEntry,
    Conflict,
    ContactWay,
    EndpointPause,
    InboxEvent,
    Ownership,
    SyncFinding,
    SyncRun,
)
from bot.models.inbox_event import DEAD
from bot.reason import NO_REASON, Reason
from tests.api.conftest import Call, FakeWeCom, add_customer, at, in_days, problem

pytestmark = pytest.mark.usefixtures("world")
ON_BOTH_DATABASES = True
AUDIT = {"audit_entry", "audit_writer", "audit_seal", "audit_sealed", "audit_anchor"}

CHANGES = {
    "offboarding.open": ("POST", "/offboardings", {"userid": "wangwu", "last_day": in_days(9)}),
    "offboarding.change": ("PATCH", "/offboardings/1", {"last_day": in_days(7)}),
    "offboarding.approve": ("POST", "/offboardings/1/approve", None),
    "offboarding.cancel": ("POST", "/offboardings/1/cancel", None),
    "handover.open": (
        "POST",
        "/handovers",
        {
            "handover_userid": "wangwu",
            "external_userids": ["wm_chen"],
            "takeover_userid": "lihua",
        },
    ),
    "conflict.resolve": ("POST", "/conflicts/1/resolve", {"owner": "lihua", "reason": "客户要求"}),
    "contact_way.make": ("POST", "/contact-ways", {"userids": ["lihua"], "state": "fair"}),
    "contact_way.change": ("PATCH", "/contact-ways/1", {"remark": "展会"}),
    "contact_way.remove": ("DELETE", "/contact-ways/1", None),
    "event.replay": ("POST", "/events/1/replay", None),
    "pause.lift": ("POST", "/pauses/app user/get/lift", None),
    "staff.set_terms": ("PUT", "/staff/lihua", {"capacity": 7}),
}
# What each address shows is in the log as this act.
LOOKS = {
    "/customers?q=陈": "customer.list",
    "/customers/wm_chen": "customer.look",
    "/customers/wm_chen/timeline": "customer.timeline",
    "/conflicts?external_userid=wm_chen": "conflict.list",
    "/conflicts/1": "conflict.look",
    "/gaps": "gap.list",
    "/offboardings": "offboarding.list",
    "/offboardings/1": "offboarding.look",
    "/offboardings/1/items": "offboarding.look",
    "/handovers": "handover.list",
    "/handovers/2": "handover.look",
    "/handovers/2/items": "handover.look",
    "/staff": "staff.list",
    "/staff/lihua": "staff.look",
    "/allocations/1": "allocation.look",
    "/allocations?external_userid=wm_chen": "allocation.list",
    "/events/1": "event.look",
    "/events?external_userid=wm_chen": "event.list",
    "/events?userid=lihua": "event.list",
    "/sync-runs/r1": "sync_run.look",
    "/audit?actor=nobody": "audit.look",
}
# What shows nobody, or only to whom a QR code leads.
NO_LOOKS = (
    "/alarms",
    "/contact-ways",
    "/contact-ways/<int:number>",
    # Of members only how many customers each would have.
    "/dry-runs/<int:number>",
    "/openapi.json",
    "/pauses",
    "/rule-sets",
    "/rule-sets/<int:number>",
    "/sync-runs",
)
# Looks that say what for: tests/archive/test_reading.py has them.
FOR_A_PURPOSE = (
    "/archive/completeness",
    "/archive/media/<sha256>",
    "/archive/messages",
    "/archive/messages/<path:msgid>",
)
each_change = pytest.mark.parametrize("act", CHANGES)
each_look = pytest.mark.parametrize("path", LOOKS)


@pytest.fixture
def world(firm: None, kegui: Kegui, call: Call) -> None:
    """One of everything that somebody may want to change."""
    body = b"<xml><Event>subscribe</Event><FromUserName>lihua</FromUserName></xml>"
    inbox.put("customer", parse(body), body, vault=kegui.vault, now=at(0))
    InboxEvent.update(state=DEAD, finished_at=at(1)).execute()
    Ownership.claim("wm_chen", "zhangsan", at=at(0), reason=Reason("first"))
    Conflict.create(
        external_userid="wm_chen", owner="zhangsan", contenders=["lihua"], opened_at=at(5)
    )
    ContactWay.create(
        config_id="config",
        qr_code="https://qr",
        userids=["lihua"],
        state="shop",
        remark="",
        channel="",
        created_at=at(0),
        updated_at=at(0),
    )
    EndpointPause.create(
        name="app user/get", secret_name="app", endpoint="user/get", until=clock.now(), reason="x"
    )
    Allocation.create(
        event_id=1,
        external_userid="wm_chen",
        added_userid="lihua",
        outcome="kept",
        rules_version="1",
        reason=NO_REASON,
        decided_at=at(5),
    )
    SyncRun.create(run="r1", kind="import", started_at=at(0))
    SyncFinding.create(
        run="r1",
        kind="name_changed",
        subject="wm_chen",
        here="陈",
        wecom="陈女士",
        outcome="healed",
        found_at=at(1),
    )
    call("POST", "/offboardings", {"userid": "zhangsan", "last_day": in_days(5)})
    moved = {
        "handover_userid": "wangwu",
        "external_userids": ["wm_chen"],
        "takeover_userid": "lihua",
    }
    call("POST", "/handovers", moved)


def everything_else() -> dict[str, list[Any]]:
    """What all tables hold but the audit log's."""
    return {
        model._meta.table_name: sorted(model.select().tuples(), key=repr)
        for model in TABLES
        if model._meta.table_name not in AUDIT
    }


@contextmanager
def unwritable() -> Iterator[None]:
    db.database.execute_sql("ALTER TABLE audit_entry RENAME TO audit_entry_away")
    try:
        yield
    finally:
        db.database.execute_sql("ALTER TABLE audit_entry_away RENAME TO audit_entry")


@each_change
def test_a_change_says_who_made_it(call: Call, act: str) -> None:
    method, path, body = CHANGES[act]

    assert call(method, path, body).status_code < 300

    entry = AuditEntry.select().where(AuditEntry.act == act).order_by(AuditEntry.id.desc()).get()
    assert (entry.actor, entry.origin) == ("api:the tests", "127.0.0.1")
    assert entry.subject


@each_change
def test_no_entry_no_change(call: Call, wecom: FakeWeCom, kegui: Kegui, act: str) -> None:
    method, path, body = CHANGES[act]
    before, called = everything_else(), list(wecom.calls)

    with unwritable():
        refused = problem(call(method, path, body), 503)

    assert refused["type"].endswith("audit-unwritable")
    assert "操作未执行" in refused["detail"]
    assert everything_else() == before
    assert wecom.calls == called
    assert call(*CHANGES[act]).status_code < 300


@each_look
def test_a_look_is_written_down(call: Call, path: str) -> None:
    before = AuditEntry.select().count()

    assert call("GET", path).status_code == 200

    written = AuditEntry.select().order_by(AuditEntry.id).offset(before)
    assert [entry.act for entry in written] == [LOOKS[path]]


@each_look
def test_no_entry_no_look(call: Call, path: str) -> None:
    with unwritable():
        refused = problem(call("GET", path), 503)

    assert refused["type"].endswith("audit-unwritable")
    assert not {"items", "userid", "name"} & set(refused)


def test_whatever_can_be_read_is_a_look_or_shows_nobody(app: APIFlask) -> None:
    at = app.url_map.bind("localhost")
    looked_at = {
        str(at.match(f"/api/v1{path.partition('?')[0]}", return_rule=True)[0]) for path in LOOKS
    }

    readable = {
        str(rule)
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/api/v1/") and "GET" in (rule.methods or ())
    }

    assert readable - looked_at == {f"/api/v1{path}" for path in (*NO_LOOKS, *FOR_A_PURPOSE)}


def test_a_list_of_events_that_names_nobody_is_no_look(call: Call) -> None:
    before = AuditEntry.select().count()

    assert "wm_chen" not in call("GET", "/events").get_data(as_text=True)

    assert AuditEntry.select().count() == before


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("13800138000", "138…"),
        ("陈 138 0013 8000 女士", "陈 138… 女士"),
        ("(0755) 2676-5114", "(075…"),
        ("１３８００１３８０００", "１３８…"),
        ("138－0013–8000", "138…"),
        ("客户 123456", "客户 123456"),
        ("展会 2026-11-25", "展会 2026-11-25"),
    ],
)
def test_no_phone_number_stands_in_the_log(call: Call, typed: str, kept: str) -> None:
    call("GET", f"/customers?q={typed}&owner=lihua")
    call("GET", f"/audit?subject={typed}")
    call("PATCH", "/contact-ways/1", {"remark": typed})

    def details(act: str) -> object:
        return AuditEntry.get(AuditEntry.act == act).details

    assert details("customer.list") == {"q": kept, "owner": "lihua", "number": "0"}
    assert details("audit.look") == {"subject": kept}
    assert details("contact_way.change") == {"remark": kept}


def test_a_page_of_a_list_says_whom_it_showed(call: Call) -> None:
    for number in range(5):
        add_customer(f"wm_{number}", "客户")

    first = call("GET", "/customers?limit=2").get_json()
    call("GET", f"/customers?limit=3&cursor={first['next_cursor']}")
    call("GET", "/conflicts?state=open&external_userid=13800138000")
    call("GET", "/conflicts?state=open")
    call("GET", "/offboardings/1/items?state=planned")
    call("GET", "/sync-runs/r1?kind=name_changed")
    call("GET", "/staff?limit=2")
    call("GET", "/offboardings?state=done&userid=13800138000")
    call("GET", "/handovers?userid=wangwu")

    looks = (
        AuditEntry.select().where(AuditEntry.act.in_(set(LOOKS.values()))).order_by(AuditEntry.id)
    )
    one = {"number": "1", "first": "wm_chen", "last": "wm_chen"}
    assert [look.details for look in looks] == [
        {"number": "2", "first": "wm_0", "last": "wm_1"},
        {"number": "3", "first": "wm_2", "last": "wm_4"},
        {"state": "open", "external_userid": "138…", "number": "0"},
        {"state": "open"} | one,
        {"state": "planned", "number": "0"},
        {"kind": "name_changed"} | one,
        {"number": "2", "first": "lihua", "last": "wangwu"},
        {"state": "done", "userid": "138…", "number": "0"},
        {"userid": "wangwu", "number": "1", "first": "wangwu", "last": "wangwu"},
    ]


def test_an_act_that_is_refused_is_none(call: Call) -> None:
    problem(call("POST", "/conflicts/1/resolve", {"owner": "nobody", "reason": "x"}), 422)
    call("POST", "/offboardings/1/approve")
    call("POST", "/offboardings/1/approve")

    assert AuditEntry.select().where(AuditEntry.act == "conflict.resolve").count() == 0
    assert AuditEntry.select().where(AuditEntry.act == "offboarding.approve").count() == 1


def test_the_log_is_read_by_who_may_and_filtered(call: Call) -> None:
    auditor = create_token("auditor", ["audit"])
    call("GET", "/customers/wm_chen")

    [entry] = call("GET", "/audit?subject=customer wm_chen", token=auditor).get_json()["items"]
    assert (entry["act"], entry["actor"]) == ("customer.look", "api:the tests")
    [own, earlier] = call("GET", "/audit?act=audit.look", token=auditor).get_json()["items"]
    assert (own["actor"], own["details"]) == ("api:auditor", {"act": "audit.look"})
    assert earlier["details"] == {"subject": "customer wm_chen"}
    problem(call("GET", "/audit", token=create_token("reader", ["read"])), 403)


def test_what_the_day_wrote_is_one_whole_chain(call: Call, kegui: Kegui) -> None:
    for method, path, body in CHANGES.values():
        call(method, path, body)
    kegui.audit.seal()

    verifier, faults = kegui.audit.verify()
    assert list(faults) == []
    assert verifier.sealed > len(CHANGES)
