"""A firm of two departments that must not see each other, and the whole application before it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock, db
from bot.api.auth import create_token
from bot.app import create_app
from bot.console import gate
from bot.models import (
    Alarm,
    Conflict,
    Customer,
    Department,
    EndpointPause,
    GroupChat,
    Handover,
    HandoverItem,
    HandWork,
    LocalUser,
    Login,
    Ownership,
    Proposal,
    RoleGrant,
    Staff,
)
from bot.models.contact_way import ContactWay
from bot.reason import Reason
from bot.rights import Role
from bot.wecom.logins import Ticket
from config import settings
from tests.api.conftest import FakeWeCom
from tests.console.conftest import (
    COMPLETE,
    MORNING,
    add_event,
    add_notice,
    add_relation,
    add_rule_sets,
    in_days,
    log_in,
)

FIRM, NORTH, SOUTH = 1, 2, 3
# Everybody who may knock, in the order of the columns of the tables in test_walls.py.
PEOPLE = (
    "root",
    "compliance",
    "reviewer",
    "north_lead",
    "south_lead",
    "hr",
    "auditor",
    "north_staff",
    "south_staff",
    "member",
    "local:ops",
    "",
)
OF_THE_FIRM = {
    "root": Role.ADMINISTRATOR,
    "compliance": Role.COMPLIANCE_OFFICER,
    "reviewer": Role.REVIEWER,
    "hr": Role.HR,
    "auditor": Role.AUDITOR,
}
# What identifies a customer of either department, in a page.
NORTHERN = ("北客", "wm_north", "北区客户群", "north_channel")
SOUTHERN = ("南客", "wm_south", "南区客户群", "south_channel")
# What a member of either department noted of the same customer.
NORTHERN_PHONE, SOUTHERN_PHONE = "13800000002", "13800000003"
PUBLIC_URL = "https://kegui.example"


class WeComOfTests(FakeWeCom):
    """Answers whatever the console asks."""

    def logins_jsapi_ticket(self) -> Ticket:
        return Ticket("ticket", 7200)

    def logins_agent_ticket(self) -> Ticket:
        return Ticket("agent ticket", 7200)

    def customers_phones_of(self, external_userid: str) -> dict[str, list[str]]:
        return {"north_staff": [NORTHERN_PHONE], "south_staff": [SOUTHERN_PHONE]}


def open_house(url: str, **environment: str) -> APIFlask:
    """The whole application, before a WeCom that only remembers what it was asked."""
    known = COMPLETE | {
        "KEGUI_DATABASE_URL": url,
        "KEGUI_SANDBOX": "0",
        "KEGUI_PUBLIC_URL": PUBLIC_URL,
        "KEGUI_WECOM_API_BASE": "http://127.0.0.1:9",
    }
    app = create_app(settings.load(known | environment))
    app.config["TESTING"] = True
    kegui = app.extensions["console"]
    app.extensions["console"] = replace(kegui, wecom=cast(Any, WeComOfTests()))
    return app


def come_in(
    app: APIFlask, actor: str, *, stepped_up: bool = True, purpose: str = "tests"
) -> FlaskClient:
    """A browser in which somebody is logged in; in the one of "" nobody is."""
    client = app.test_client()
    if actor:
        with db.connection():
            log_in(client, actor, stepped_up=stepped_up)
        with client.session_transaction() as cookie:
            cookie[gate.PURPOSE] = purpose
    return client


def token_of(client: FlaskClient) -> str:
    """What a page of this browser puts into its forms."""
    page = client.get("/nowhere").get_data(as_text=True)
    [token, *_] = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    return str(token)


def send(client: FlaskClient, path: str, token: str, **form: Any) -> TestResponse:
    """Send a form as a page of our own does."""
    return client.post(path, data={"csrf_token": token, **form})


def add_two_departments() -> dict[str, Any]:
    """Fill the database; gives what stands in an address of the north's, by its name there."""
    _add_people()
    north, south = _add_department("north", "北"), _add_department("south", "南")
    assert {name for name in north if north[name] == south[name]} == set()
    event = add_event("add_external_contact", "north_staff", 50, external_userid="wm_north_1")
    create_token("核心系统", ["read"], owner="root")
    waiting = {"owner": "north_staff", "maker": "root", "is_consented": False}
    create_token("等待同意", ["read"], **cast(Any, waiting))
    proposal = Proposal.create(
        kind="role.grant",
        subject="member as reviewer",
        terms={"actor": "member", "role": "reviewer", "department_id": None},
        proposed_by="somebody",
        proposed_at=MORNING,
        reason="因为",
    )
    rule_set, run = add_rule_sets("member")
    Alarm.create(kind="x", reason_code="x", advice_code="y", since=MORNING)
    EndpointPause.create(
        name="app message/send",
        secret_name="app",
        endpoint="message/send",
        until=clock.now() + timedelta(hours=1),
        reason="network errors",
        since=clock.now(),
        failures=3,
    )
    return north | {
        "event_id": event.id,
        "proposal": proposal.id,
        "rule_set": rule_set,
        "run": run,
        "token": 1,
        "token_id": 2,
        "filename": "x",
    }


def of_the_south() -> dict[str, Any]:
    """What stands in an address of the south's."""
    return {
        "external_userid": "wm_south_1",
        "userid": "south_staff",
        "conflict_id": Conflict.get(Conflict.external_userid == "wm_south_1").id,
        "handover_id": Handover.get(Handover.userid == "south_second").id,
        "way_id": ContactWay.get(ContactWay.config_id == "south").id,
    }


def _add_people() -> None:
    Department.create(id=FIRM, name="公司")
    Department.create(id=NORTH, name="北区", parent_id=FIRM, leaders=["north_lead"])
    Department.create(id=SOUTH, name="南区", parent_id=FIRM, leaders=["south_lead"])
    for userid in (*OF_THE_FIRM, "member"):
        Staff.create(userid=userid, name=f"{userid}的姓名", departments=[FIRM], seen_at=MORNING)
    grants = [*OF_THE_FIRM.items(), ("local:ops", Role.ADMINISTRATOR)]
    for actor, role in grants:
        RoleGrant.create(actor=actor, role=str(role), granted_by="test", granted_at=MORNING)
    LocalUser.create(name="ops", password_hash="x", created_at=MORNING)


def _add_department(name: str, sign: str) -> dict[str, Any]:
    """A leader, two members with a customer each, and one of everything that can be theirs."""
    number = {"north": NORTH, "south": SOUTH}[name]
    people = ((f"{name}_lead", False), (f"{name}_staff", True), (f"{name}_second", True))
    for userid, serves in people:
        Staff.create(
            userid=userid,
            name=f"{sign}区{userid}",
            departments=[number],
            serves=serves,
            seen_at=MORNING,
        )
    _add_customers(name, sign)
    conflict = Conflict.create(
        external_userid=f"wm_{name}_1",
        owner=f"{name}_staff",
        contenders=[f"{name}_second"],
        opened_at=MORNING,
    )
    handover = _add_handovers(name, sign)
    work = HandWork.create(
        handover=handover, kind="contact_way", subject=f"{name}_w", reason_code="x"
    )
    way = ContactWay.create(
        config_id=name,
        qr_code="https://wework.qpic.cn/x",
        userids=[f"{name}_staff"],
        state=f"{name}_channel",
        channel=f"{name}_channel",
        created_at=MORNING,
        updated_at=MORNING,
    )
    login = Login.create(
        digest=name,
        actor=f"{name}_staff",
        method="oauth",
        began_at=clock.now(),
        seen_at=clock.now(),
        expires_at=clock.now() + timedelta(hours=1),
    )
    return {
        "external_userid": f"wm_{name}_1",
        "userid": f"{name}_staff",
        "actor": f"{name}_staff",
        "conflict_id": conflict.id,
        "handover_id": handover.id,
        "work_id": work.id,
        "way_id": way.id,
        "login_id": login.id,
    }


def _add_customers(name: str, sign: str) -> None:
    for position, owner in ((1, f"{name}_staff"), (2, f"{name}_second")):
        external_userid = f"wm_{name}_{position}"
        Customer.create(
            external_userid=external_userid,
            name=f"{sign}客{position}",
            channel=f"{name}_channel",
            met_at=MORNING,
        )
        Ownership.create(
            external_userid=external_userid, userid=owner, since=MORNING, reason=Reason("")
        )
        add_relation(external_userid, owner, 0)
        event = add_event("add_external_contact", owner, position, external_userid=external_userid)
        add_notice(
            event, "refused", errcode=41051, reason=Reason("wecom_refused", {"errcode": 41051})
        )
    add_relation(f"wm_{name}_1", f"{name}_second", 1)
    GroupChat.create(
        chat_id=f"wr_{name}", name=f"{sign}区客户群", owner=f"{name}_second", seen_at=MORNING
    )


def _add_handovers(name: str, sign: str) -> Handover:
    """Somebody leaves, which waits for a yes, and customers are being moved."""
    leaving, moving = (
        Handover.create(
            kind=kind,
            userid=userid,
            last_day=last_day,
            mode=mode,
            state=state,
            source="test",
            created_at=MORNING,
            updated_at=MORNING,
        )
        for kind, userid, last_day, mode, state in (
            ("offboarding", f"{name}_second", in_days(30), "approve", "awaiting_approval"),
            ("handover", f"{name}_staff", None, "auto", "running"),
        )
    )
    Proposal.create(
        kind="offboarding",
        subject=f"offboarding {leaving.id}",
        proposed_by="somebody",
        proposed_at=MORNING,
    )
    # Whoever is being moved could not be moved by a form as well.
    items = ((leaving, f"wm_{name}_2", "planned"), (moving, f"wm_{name}_1", "refused"))
    for handover, subject, state in items:
        HandoverItem.create(
            handover=handover, kind="customer", subject=subject, state=state, updated_at=MORNING
        )
    HandoverItem.create(handover=leaving, kind="group", subject=f"wr_{name}", updated_at=MORNING)
    return leaving
