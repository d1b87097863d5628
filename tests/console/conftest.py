"""A small firm: three colleagues, one customer with a story, one handover under way."""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, cast

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import config
from bot import clock, console, db
from bot.capabilities import CAPABILITIES
from bot.console import gate, pages
from bot.identity import logins
from bot.kegui import Kegui
from bot.models import (
    Alarm,
    Allocation,
    Conflict,
    Consent,
    Customer,
    Department,
    DryRun,
    Effect,
    EndpointPause,
    Handover,
    HandoverItem,
    HandWork,
    InboxEvent,
    JobRun,
    Lease,
    Login,
    Notice,
    Ownership,
    Proposal,
    Relation,
    RoleGrant,
    RuleSet,
    Staff,
    SyncCount,
    SyncRun,
    TransferAttempt,
)
from bot.models.allocation import packed
from bot.queue import Queue
from bot.reason import NO_REASON, Reason
from bot.rights import Role
from bot.vault import Vault
from config import settings

# 10:00 in Shanghai.
MORNING = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
CONTACT = "change_external_contact"
DATA_KEY = base64.urlsafe_b64encode(bytes(32)).decode()
# What the whole application needs to open its doors, besides a database.
COMPLETE = {
    "KEGUI_CORP_ID": "ww1",
    "KEGUI_AGENT_ID": "1000002",
    "KEGUI_APP_SECRET": "secret",
    "KEGUI_CALLBACK_TOKEN": "token",
    "KEGUI_CALLBACK_AES_KEY": "a" * 43,
    "KEGUI_DATA_KEY": DATA_KEY,
    "KEGUI_SECRET_KEY": "secret",
    "KEGUI_SANDBOX": "1",
    "KEGUI_LOG_LEVEL": "ERROR",
}


def at(minutes: float) -> datetime:
    return MORNING + timedelta(minutes=minutes)


def in_days(days: int) -> date:
    """So many days from today in Shanghai, whenever the tests run."""
    return (clock.now() + timedelta(hours=8, days=days)).date()


@pytest.fixture
def database(sqlite_url: str) -> Iterator[str]:
    """A fresh migrated database, open for the test itself."""
    made = cast(Any, db.connect(sqlite_url))
    with db.connection():
        yield sqlite_url
    made.close_all()


def _kegui(database: str) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": database, "KEGUI_CORP_ID": "ww1"})
    nobody = cast(Any, object())  # the console never speaks with WeCom
    return Kegui(loaded, nobody, Queue(database), Vault(DATA_KEY))


@cache
def _application() -> tuple[APIFlask, dict[str, Any]]:
    """Made once for all tests, with its configuration: it is dear to make."""
    app = APIFlask("bot.app", docs_path=None, spec_path=None)
    app.config["TESTING"] = True
    app.secret_key = "a secret of the tests"
    console.register(app, _kegui("sqlite:///no.db"), CAPABILITIES)
    return app, dict(app.config)


@pytest.fixture
def app(database: str) -> APIFlask:
    """The application with the console alone on it."""
    app, configuration = _application()
    app.config.clear()
    app.config.update(configuration)
    pages.bind(app, _kegui(database))
    return app


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    """A browser in which somebody with every role is logged in, who has said what for."""
    everything = [role for role in Role if role not in (Role.STAFF, Role.SALES_MANAGER)]
    add_person("boss", "88", *everything, leads=1)
    client = app.test_client()
    log_in(client, "boss")
    return client


def add_person(actor: str, name: str, *roles: Role, leads: int | None = None) -> None:
    """A member who serves nobody, with these roles, and perhaps the leader of a department."""
    Staff.create(userid=actor, name=name, departments=[1], seen_at=MORNING)
    for role in roles:
        RoleGrant.create(actor=actor, role=str(role), granted_by="test", granted_at=MORNING)
    if leads is not None:
        Department.create(id=leads, name=f"部门{leads}", leaders=[actor])


def log_in(client: FlaskClient, actor: str, *, stepped_up: bool = False) -> None:
    """Give the browser the cookie of a login, in which was said what for."""
    now = clock.now()
    token = f"{actor}'s token {Login.select().count()}"
    Login.create(
        digest=logins.digest(token),
        actor=actor,
        method=logins.OAUTH,
        began_at=now,
        seen_at=now,
        expires_at=now + timedelta(hours=1),
        stepped_up_at=now if stepped_up else None,
    )
    with client.session_transaction() as cookie:
        cookie.clear()
        cookie[gate.TOKEN] = token
        cookie[gate.PURPOSE] = "tests"


def submit(client: FlaskClient, path: str, **form: Any) -> TestResponse:
    """Send a form as a page of this browser does."""
    page = client.get("/login?again=1", follow_redirects=True).get_data(as_text=True)
    [token, *_] = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    return client.post(path, data={"csrf_token": token, **form})


@pytest.fixture
def firm(database: str) -> None:
    """The small firm, for one test."""
    add_firm()


def explained(*candidates: tuple[str, str | None, int]) -> bytes:
    """An explanation that names these: who, what excluded them, how many customers they had."""
    rows = [
        {
            "userid": userid,
            "eligible": why is None,
            "excluded_by": why,
            "detail": None,
            "load": load,
            "capacity": 50,
        }
        for userid, why, load in candidates
    ]
    return packed({"candidates": rows})


def add_firm() -> None:
    """Chen added Zhang San, then Li Hua: a conflict. Wang Wu leaves, his customers move."""
    _add_people()
    _add_chen()
    _add_offboarding()
    Alarm.create(
        kind="wecom_needs_operator",
        subject="message/send 60020",
        reason=Reason("wecom_needs_operator", {"endpoint": "message/send", "errcode": 60020}),
        advice=Reason("do_trust_address"),
        since=at(30),
    )


def _add_people() -> None:
    for userid, name in (("zhangsan", "张三"), ("lihua", "李华"), ("wangwu", "王五")):
        Staff.create(userid=userid, name=name, serves=True, seen_at=MORNING)
    for external_userid, name in (("wm_chen", "陈女士"), ("wm_zhao", "赵先生")):
        Customer.create(external_userid=external_userid, name=name, met_at=MORNING)


def add_event(change_type: str, userid: str, minutes: float, **values: object) -> InboxEvent:
    number = InboxEvent.select().count() + 1
    known: dict[str, object] = {
        "key": f"event {number}",
        "source": "customer",
        "event": CONTACT,
        "change_type": change_type,
        "userid": userid,
        "external_userid": "wm_chen",
        "lane": "work",
        "payload": b"SEALED PAYLOAD",
        "state": "done",
        "attempts": 1,
        "received_at": at(minutes),
        "due_at": at(minutes),
    }
    return InboxEvent.create(**(known | values))


def add_relation(external_userid: str, userid: str, minutes: float) -> None:
    Relation.create(
        external_userid=external_userid,
        userid=userid,
        state="active",
        source="event",
        added_at=at(minutes),
        noted_at=at(minutes),
        last_add_at=at(minutes),
    )


def add_notice(event: InboxEvent, state: str, **values: object) -> None:
    Notice.create(
        event_id=event.id,
        external_userid=event.external_userid,
        userid=event.userid,
        template="consent",
        version="2026-11-1",
        text_sha256="0" * 64,
        state=state,
        at=event.received_at,
        **values,
    )


def _add_chen() -> None:
    first = add_event("add_external_contact", "zhangsan", 0)
    add_relation("wm_chen", "zhangsan", 0)
    add_notice(first, "delivered")
    allocation = Allocation.create(
        event_id=first.id,
        external_userid="wm_chen",
        added_userid="zhangsan",
        owner="zhangsan",
        outcome="owned",
        rule="成员添加的客户归添加人",
        rules_version="2026-11-1",
        reason=Reason("added_member_fits"),
        explained=explained(("zhangsan", None, 3), ("wangwu", "leaving", 8)),
        decided_at=at(0.1),
    )
    Ownership.create(
        external_userid="wm_chen",
        userid="zhangsan",
        since=at(0.1),
        reason=Reason("added_member_fits"),
        allocation_id=allocation.id,
    )
    agreed = add_event("msg_audit_approved", "zhangsan", 2)
    Consent.record_answer(
        "wm_chen", "zhangsan", "agreed", since=at(2), event_id=agreed.id, recorded_at=at(2)
    )
    second = add_event("add_external_contact", "lihua", 5)
    add_relation("wm_chen", "lihua", 5)
    add_notice(second, "refused", errcode=41051, reason=Reason("wecom_refused", {"errcode": 41051}))
    Conflict.create(
        external_userid="wm_chen", owner="zhangsan", contenders=["lihua"], opened_at=at(5)
    )
    Effect.create(
        identity="message:lihua:0123",
        kind="app_message",
        event_id=second.id,
        state="done",
        started_at=at(5.1),
        lease_until=at(6),
    )


def _add_offboarding() -> None:
    handover = Handover.create(
        kind="offboarding",
        userid="wangwu",
        last_day=in_days(30),
        mode="approve",
        state="running",
        source="unassigned_list",
        successors=["lihua"],
        approved_by="周敏",
        approved_at=at(8),
        created_at=at(7),
        updated_at=at(8),
    )
    reasons = {
        "done": Reason("least_loaded_of_department"),
        "waiting": Reason("least_loaded_of_others"),
        "refused": Reason("customer_refused", {"member": "lihua"}),
        "failed": Reason("customer_unknown_to_wecom"),
    }
    for number, (state, reason) in enumerate(reasons.items()):
        item = HandoverItem.create(
            handover=handover,
            kind="customer",
            subject="wm_zhao" if state == "done" else f"wm_{number}",
            state=state,
            takeover_userid="lihua",
            reason=reason,
            errcode=40096 if state == "failed" else None,
            updated_at=at(20),
        )
        TransferAttempt.create(
            item=item,
            number=1,
            takeover_userid="lihua",
            endpoint="transfer_customer",
            status="accepted" if state == "waiting" else state,
            submitted_at=at(10),
        )
    HandWork.create(
        handover=handover,
        kind="contact_way",
        subject="cfg1",
        reason=Reason("way_is_not_ours", {"way": "官网"}),
    )


RULES = """version = "2026-12-1"

[[rule]]
name = "基金客户归有资质的成员"
channels = ["fund-*"]
licences = ["fund"]
strategy = "least_loaded"

[[rule]]
name = "成员添加的客户归添加人"
"""


def add_rule_sets(drafted_by: str) -> tuple[int, int]:
    """The rules that decide, another version that waits for its decision, and its trial; gives the
    numbers of the last two."""
    body = config.text("allocation")
    RuleSet.create(
        kind="allocation",
        body_sha256=hashlib.sha256(body.encode()).hexdigest(),
        number=1,
        label="2026-11-1",
        body=body,
        source="file",
        state="released",
        drafted_by="config/allocation.toml",
        drafted_at=at(-9000),
        released_by="config/allocation.toml",
        released_at=at(-9000),
    )
    waiting = RuleSet.create(
        kind="allocation",
        body_sha256=hashlib.sha256(RULES.encode()).hexdigest(),
        number=2,
        label="2026-12-1",
        body=RULES,
        source="console",
        state="submitted",
        drafted_by=drafted_by,
        drafted_at=at(100),
    )
    Proposal.create(
        kind="ruleset",
        subject=f"ruleset {waiting.id}",
        proposed_by=drafted_by,
        proposed_at=at(110),
        reason="基金客户须由有资质的成员服务",
    )
    load = [
        {
            "userid": userid,
            "before": before,
            "after": after,
            "received_before": before // 2,
            "received_after": after - before + before // 2,
        }
        for userid, before, after in (("zhangsan", 24, 31), ("lihua", 18, 14), ("wangwu", 9, 6))
    ]
    run = DryRun.create(
        rule_set_id=waiting.id,
        since=at(-60 * 24 * 30),
        until=at(0),
        state="done",
        asked_by=drafted_by,
        asked_at=at(101),
        tried=26,
        finished_at=at(102),
        result={
            "arrivals": 26,
            "changed": 7,
            "unplaced": 1,
            "violations": [],
            "rules": [
                {"rule": "基金客户归有资质的成员", "arrivals": 9},
                {"rule": "成员添加的客户归添加人", "arrivals": 17},
            ],
            "load": load,
            "result_sha256": "5f" * 32,
        },
    )
    return waiting.id, run.id


BUG = Reason("bug", {"kind": "KeyError"})


def _refusal(endpoint: str, errcode: int) -> Reason:
    return Reason("wecom_refused", {"endpoint": endpoint, "errcode": errcode})


def add_troubles() -> None:
    """A worker that stands still, pauses of each sort, dead events, a reading with differences, a
    clock whose jobs ended well, failed, and were broken off."""
    now = clock.now()
    add_event("transfer_fail", "lihua", 40, state="dead", error=BUG)
    add_event("edit_external_contact", "lihua", 41, state="dead", error=_refusal("remark", 84061))
    add_event("add_external_contact", "lihua", 42, state="waiting", lane="welcome")
    add_event(
        "add_external_contact",
        "lihua",
        43,
        state="failed",
        error=Reason("wecom_paused", {"endpoint": "gettoken"}),
    )
    for endpoint, errcode, minutes, reason in (
        ("externalcontact/get", 48002, 4.0, "api forbidden"),
        ("gettoken", 40001, 50.0, "invalid credential"),
        ("message/send", None, 1.5, "network errors"),
        ("externalcontact/remark", 45009, -2.0, "api freq out of limit"),
    ):
        EndpointPause.create(
            name=f"app {endpoint}",
            secret_name="app",
            endpoint=endpoint,
            until=now + timedelta(minutes=minutes),
            reason=reason,
            errcode=errcode,
            since=now - timedelta(minutes=12),
            failures=3,
        )
    Lease.create(name="clock", holder="f00d", until=now + timedelta(minutes=5))
    for job, begun, took, error in (
        ("notices.send_digests", 0.2, 0.05, NO_REASON),
        ("readings.unassigned", 20, 1, _refusal("externalcontact/get_unassigned_list", 48002)),
        ("readings.everything", 420, 9, NO_REASON),
        ("handovers.wake_pending", 1, None, NO_REASON),
        ("readings.go_on", 300, None, NO_REASON),
    ):
        JobRun.create(
            job=job,
            struck_at=now - timedelta(minutes=begun),
            finished_at=None if took is None else now - timedelta(minutes=begun - took),
            error=error,
        )
    SyncRun.create(
        **{"run": "5f3a", "kind": "repair", "members": 3, "customers": 6, "groups": 1},
        started_at=now - timedelta(minutes=420),
        finished_at=now - timedelta(minutes=411),
    )
    for kind, outcome, number in (
        ("relation_unknown", "healed", 7),
        ("member_without_service", "person", 1),
    ):
        SyncCount.create(run="5f3a", kind=kind, outcome=outcome, number=number)
    SyncRun.create(run="6b11", kind="unassigned", started_at=now - timedelta(minutes=20))


def set_queue(app: APIFlask, queue: Queue) -> None:
    """Let the console ask another queue."""
    app.extensions["console"] = replace(app.extensions["console"], queue=queue)
