"""A whole firm behind a real server, for browsers: the small firm, its colleagues, its paper."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import segno
from apiflask import APIFlask
from flask import Response
from playwright.sync_api import BrowserContext
from werkzeug.serving import WSGIRequestHandler, make_server

from bot import clock, db, migrations
from bot.app import create_app
from bot.audit.log import Who
from bot.console import gate
from bot.identity import logins
from bot.kegui import Kegui
from bot.models import (
    Allocation,
    ApiToken,
    Conflict,
    Consent,
    ContactWay,
    Customer,
    Department,
    Handover,
    HandoverItem,
    InboxEvent,
    LocalUser,
    Login,
    Ownership,
    Proposal,
    RoleGrant,
    Staff,
)
from bot.reason import Reason
from bot.rights import Role
from config import settings
from tests.console.conftest import (
    COMPLETE,
    MORNING,
    add_event,
    add_firm,
    add_notice,
    add_relation,
    add_rule_sets,
    add_troubles,
    at,
    explained,
    in_days,
)
from tests.stack import free_port

# Everybody's rights in one person, who leads the whole firm and serves a customer too.
BOSS = "boss"
MANAGER, COMPLIANCE, HR, STAFF = "chenjing", "shenyue", "heping", "zhangsan"
SURNAMES = "赵钱孙李周吴郑王冯褚卫蒋沈韩杨朱秦尤许何吕施张孔曹"
LICENCES = [
    {"kind": "fund", "number": "F20260001", "valid_from": "2024-01-01", "valid_to": "2027-12-31"},
    {"kind": "insurance", "number": "I88", "valid_from": "2024-01-01", "valid_to": None},
]
UNTOLD = ("wm_b05", "wm_b16", "wm_long")
CHANNELS = ("pudong-branch", "app-banner", "seminar")

# What stands in an address that asks for something, by the name of the argument.
EXAMPLES: dict[str, str | int] = {
    "actor": "zhangsan",
    "conflict_id": 1,
    "event_id": 1,
    "external_userid": "wm_chen",
    "handover_id": 2,
    "number": 1,
    "rule_set": 2,
    "run": 1,
    "token_id": 4,
    "userid": "zhangsan",
    "way_id": 1,
}
OTHER_EXAMPLES: dict[str, dict[str, str | int]] = {
    "console.sidebar.customer": {"external_userid": "wm_mine"}
}
# They answer with no page of ours.
WITHOUT_A_PAGE = {
    # Of local administrators alone: a member has no password here.
    "console.account.password",
    "console.contact_ways.qr",
    "console.login.done",
    "console.login.wecom",
    "console.sidebar.signature",
    "console.static",
    "console.step_up.scan",
}
MORE_PAGES = (
    "/conflicts?state=resolved",
    "/customers?q=nobody",
    "/customers/wm_zhao",
    "/events?state=dead",
    "/moves/new?external_userid=wm_chen&external_userid=wm_b01",
    "/offboardings/1",
    "/offboardings?kind=by_hand",
    "/offboardings?kind=open",
    "/rights?role=sales_manager",
    "/rules/1",
    "/rules/new?from=2",
    "/rights/proposals/new?kind=role.revoke&person=zhangsan",
    "/staff/members/wangwu",
    "/step-up?next=/tokens/new",
)


def pages_of(app: APIFlask) -> tuple[list[str], list[str]]:
    """The addresses of every page that is there: those before a login, and those behind it."""
    before: list[str] = []
    behind = list(MORE_PAGES)
    adapter = app.url_map.bind("")
    for rule in app.url_map.iter_rules():
        endpoint = rule.endpoint
        is_page = endpoint.startswith("console.") and "GET" in (rule.methods or ())
        if not is_page or endpoint in WITHOUT_A_PAGE:
            continue
        values = OTHER_EXAMPLES.get(endpoint) or {name: EXAMPLES[name] for name in rule.arguments}
        address = adapter.build(endpoint, values)
        needed = getattr(app.view_functions[endpoint], "needed", None)
        (before if needed == gate.PUBLIC else behind).append(address)
    return sorted(before), sorted(behind)


class Scene:
    """The served firm: its address, its pages, and logins for its people."""

    def __init__(self, app: APIFlask, address: str) -> None:
        self.app = app
        self.address = address
        self.before_login, self.behind_login = pages_of(app)

    def log_in(self, context: BrowserContext, actor: str) -> None:
        """Give a browser the login of somebody who has just proved who they are, and said why."""
        now = clock.now()
        with db.connection():
            token = f"{actor}'s token {Login.select().count()}"
            Login.create(
                digest=logins.digest(token),
                actor=actor,
                method=logins.OAUTH,
                began_at=now,
                seen_at=now,
                expires_at=now + timedelta(hours=8),
                stepped_up_at=now,
                address="10.0.3.14",
                browser="Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0",
            )
        sessions: Any = self.app.session_interface
        signer = sessions.get_signing_serializer(self.app)
        value = signer.dumps({gate.TOKEN: token, gate.PURPOSE: "routine check"})
        context.add_cookies([{"name": "kegui", "value": value, "url": self.address}])


class Quiet(WSGIRequestHandler):
    """Says nothing about each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def served_scene(folder: Path) -> Iterator[Scene]:
    """Serve the whole application with the whole firm in it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = COMPLETE | {
        "KEGUI_DATABASE_URL": f"sqlite:///{folder / 'kegui.db'}",
        "KEGUI_PUBLIC_URL": address,
        "KEGUI_WECOM_API_BASE": address,
        "KEGUI_WECOM_JSSDK_URL": f"{address}/stand-in/jssdk.js",
    }
    app = create_app(settings.load(environment))
    app.add_url_rule(
        "/stand-in/jssdk.js", "jssdk", lambda: Response("", mimetype="text/javascript")
    )
    app.add_url_rule("/stand-in/qr.png", "qr", _qr_code)
    migrations.up()
    with db.connection():
        add_scene(app.extensions["console"], f"{address}/stand-in/qr.png")
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield Scene(app, address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        made: Any = db.database.obj
        made.close_all()


def _qr_code() -> Response:
    image = io.BytesIO()
    segno.make("https://work.weixin.qq.com/ca/example").save(image, kind="png", scale=8)
    return Response(image.getvalue(), mimetype="image/png")


def add_scene(kegui: Kegui, qr_code: str) -> None:
    """The small firm and its troubles, with all that a grown one has beside them."""
    _add_customers()
    add_firm()
    Customer.update(channel=CHANNELS[0]).where(Customer.external_userid == "wm_chen").execute()
    known = InboxEvent.select().count()
    add_troubles()
    # Troubles of other customers: Chen's story is the one that is told.
    InboxEvent.update(external_userid="wm_b07").where(InboxEvent.id > known).execute()
    _add_colleagues()
    _add_late_customers()
    # First, so that the first proposal is one of a role.
    _add_paper(qr_code)
    _add_waiting_leaver()
    add_rule_sets(MANAGER)
    _add_acts(kegui)


def _add_colleagues() -> None:
    for number, parent, name, leaders in (
        (1, 0, "远山财富", [BOSS]),
        (2, 1, "理财一部", [MANAGER]),
        (3, 1, "理财二部", []),
    ):
        Department.create(id=number, parent_id=parent, name=name, leaders=leaders)
    Staff.update(departments=[2], capacity=50).where(Staff.departments == []).execute()
    for userid, name, department, serves in (
        (BOSS, "林慧", 1, True),
        (MANAGER, "陈静", 2, False),
        (COMPLIANCE, "沈悦", 1, False),
        (HR, "何平", 1, False),
        ("guyan", "顾妍", 1, False),
        ("sunqi", "孙琪", 2, True),
        ("zhouba", "周霸", 2, True),
    ):
        Staff.create(
            userid=userid, name=name, departments=[department], serves=serves, seen_at=MORNING
        )
    Staff.update(licences=LICENCES, capacity=40).where(Staff.userid == STAFF).execute()
    Staff.update(on_leave=True).where(Staff.userid == "sunqi").execute()
    given = [(BOSS, role) for role in Role if role not in (Role.STAFF, Role.SALES_MANAGER)]
    given += [
        (COMPLIANCE, Role.COMPLIANCE_OFFICER),
        (HR, Role.HR),
        ("guyan", Role.AUDITOR),
        ("local:ops", Role.ADMINISTRATOR),
    ]
    for actor, role in given:
        RoleGrant.create(
            actor=actor, role=str(role), granted_by="local:ops", granted_at=at(-60 * 24 * 30)
        )
    LocalUser.create(name="ops", password_hash="x", created_at=at(-60 * 24 * 40))
    _add_logins()


def _add_logins() -> None:
    """Who is in beside the browser of a test: a member on a phone and a desk, an administrator."""
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
        " Gecko) Mobile/15E148 wxwork/4.1.32 MicroMessenger/7.0.1 Language/zh"
    )
    desk = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0"
    now = clock.now()
    for number, (actor, method, browser) in enumerate(
        (
            (STAFF, logins.OAUTH, phone),
            (STAFF, logins.QR, desk),
            ("local:ops", logins.LOCAL, desk),
        )
    ):
        Login.create(
            digest=f"login {number}",
            actor=actor,
            method=method,
            began_at=now - timedelta(minutes=95 + number),
            seen_at=now - timedelta(minutes=3 * number),
            expires_at=now + timedelta(hours=8),
            address=f"10.0.3.{20 + number}",
            browser=browser,
        )


def _add_customers() -> None:
    members = ("zhangsan", "lihua", "zhouba")
    for number, surname in enumerate(SURNAMES):
        userid, one = members[number % 3], f"wm_b{number:02}"
        minutes = -60 * 24 * (len(SURNAMES) - number) + 37 * number
        _meet(one, f"{surname}{'女士' if number % 2 else '先生'}", userid, minutes)
        if number % 4 == 3:
            continue
        state = "agreed" if number % 4 else "refused"
        Consent.create(
            external_userid=one,
            userid=userid,
            state=state,
            since=at(minutes + 3),
            evidence="event 1",
            recorded_at=at(minutes + 3),
        )


def _add_late_customers() -> None:
    """Those after the small firm's own, and how an old conflict was settled."""
    _meet("wm_mine", "顾先生", BOSS, 60)
    _meet("wm_long", "欧阳慕容（上海浦东新区世纪大道分行高净值客户沙龙）", "zhangsan", 61)
    Conflict.create(
        external_userid="wm_b03",
        owner="zhangsan",
        contenders=["zhouba"],
        opened_at=at(-600),
        state="resolved",
        resolved_at=at(-300),
        resolution={"owner": "zhangsan", "by": MANAGER, "reason": "客户由张三先接待"},
    )


def _meet(external_userid: str, name: str, userid: str, minutes: float) -> None:
    Customer.create(
        external_userid=external_userid,
        name=name,
        channel=CHANNELS[int(external_userid[-1], 36) % 3],
        met_at=at(minutes),
    )
    add_relation(external_userid, userid, minutes)
    event = add_event("add_external_contact", userid, minutes, external_userid=external_userid)
    if external_userid in UNTOLD:
        add_notice(event, "missed", reason=Reason("welcome_code_ran_out"))
    else:
        add_notice(event, "delivered")
    reason = Reason("added_member_fits")
    Allocation.create(
        external_userid=external_userid,
        added_userid=userid,
        owner=userid,
        outcome="owned",
        rule="成员添加的客户归添加人",
        rules_version="2026-11-1",
        reason=reason,
        explained=explained((userid, None, 9)),
        decided_at=at(minutes + 0.1),
    )
    Ownership.create(
        external_userid=external_userid, userid=userid, since=at(minutes + 0.1), reason=reason
    )


def _add_waiting_leaver() -> None:
    """Zhou Ba will leave, and nobody has approved it yet."""
    waiting = Handover.create(
        kind="offboarding",
        userid="zhouba",
        last_day=in_days(10),
        mode="approve",
        state="awaiting_approval",
        reason="个人原因",
        source="console",
        successors=["zhangsan", "lihua"],
        created_at=at(80),
        updated_at=at(81),
    )
    for number in range(2, len(SURNAMES), 3):
        HandoverItem.create(
            handover=waiting,
            kind="customer",
            subject=f"wm_b{number:02}",
            state="planned",
            takeover_userid=("zhangsan", "lihua")[number % 2],
            reason=Reason("least_loaded_of_named"),
            updated_at=at(81),
        )
    Proposal.create(
        kind="offboarding",
        subject=f"offboarding {waiting.id}",
        proposed_by=HR,
        proposed_at=at(80),
        reason="个人原因",
    )


def _add_paper(qr_code: str) -> None:
    """Contact ways, roles to be decided on, tokens, a view that somebody keeps."""
    for number, (kind, actor, role, state) in enumerate(
        (
            ("role.grant", "lihua", Role.REVIEWER, "open"),
            ("role.revoke", "guyan", Role.AUDITOR, "approved"),
        )
    ):
        Proposal.create(
            kind=kind,
            subject=f"{actor} {role}",
            terms={"actor": actor, "role": str(role), "department_id": None},
            state=state,
            proposed_by=COMPLIANCE,
            proposed_at=at(50 - 600 * number),
            reason="新岗位需要复核客户资料" if kind == "role.grant" else "岗位调整",
            decided_by=None if state == "open" else "local:ops",
            decided_at=None if state == "open" else at(-400),
            decision_reason="" if state == "open" else "核对无误",
        )
    for number, (state, userids) in enumerate(
        (("pudong-branch", ["zhangsan", "lihua"]), ("app-banner", ["zhouba"]))
    ):
        ContactWay.create(
            config_id=f"cfg_{number}",
            qr_code=qr_code,
            userids=userids,
            state=state,
            remark=("浦东分行大堂", "手机银行首页")[number],
            channel=state,
            created_at=at(-9000),
            updated_at=at(-9000),
        )
    for number, (name, owner, revoked) in enumerate(
        (
            ("CRM 同步", "guyan", None),
            ("数据平台", "local:ops", at(-200)),
            ("旧脚本", "guyan", None),
            # It waits until its owner consents.
            ("核心系统", BOSS, None),
        )
    ):
        ApiToken.create(
            name=name,
            digest=str(number) * 64,
            scopes=["admin"] if name == "旧脚本" else ["read"],
            owner=owner,
            maker="guyan",
            consented_at=None if owner == BOSS else at(-60 * 24 * 20),
            created_at=at(-60 * 24 * 20),
            expires_at=clock.now() + timedelta(days=70),
            revoked_at=revoked,
            last_used_at=at(-5),
        )


def _add_acts(kegui: Kegui) -> None:
    for actor, act, subject, purpose, details in (
        (HR, "offboarding.open", "offboarding 2", "", {"userid": "zhouba", "customers": 8}),
        (COMPLIANCE, "customer.look", "customer wm_chen", "complaint", {}),
        (MANAGER, "offboarding.approve", "offboarding 1", "", {"proposed_by": HR}),
        (MANAGER, "conflict.resolve", "conflict 2", "", {"owner": "zhangsan"}),
        (COMPLIANCE, "customer.list", "customers", "routine check", {"q": "陈"}),
        ("local:ops", "pause.lift", "app externalcontact/get", "", {}),
        ("cli:deploy", "user.create_admin", "local:ops", "", {}),
    ):
        with db.transaction():
            kegui.audit.record(Who(actor, "10.0.3.14", purpose), act, subject, **details)
    kegui.audit.seal()
    kegui.audit.anchor(clock.now())
