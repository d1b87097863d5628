"""Nothing that customers, members or addresses say runs on a page, and what each page forbids."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn, cast
from urllib.parse import quote, urlencode, urlsplit

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from markupsafe import escape
from peewee import SQL, Model

from bot import clock, console, db, events, migrations
from bot.audit.log import Who
from bot.console.channels import contact_ways
from bot.db import transaction
from bot.inbox import inbox
from bot.models import (
    Alarm,
    Allocation,
    ApiToken,
    Conflict,
    Consent,
    ContactWay,
    Customer,
    Department,
    EndpointPause,
    GroupChat,
    Handover,
    HandoverItem,
    HandWork,
    InboxEvent,
    Login,
    Notice,
    Ownership,
    Proposal,
    RoleGrant,
    Staff,
)
from bot.models.granting import write
from bot.rights import Role
from bot.wecom.images import Image
from tests.console.conftest import MORNING
from tests.console.test_logins import where_a_browser_goes
from tests.console.test_walls import FORMS, TABLE, address
from tests.console.two_departments import (
    FIRM,
    PUBLIC_URL,
    add_two_departments,
    come_in,
    open_house,
    send,
    token_of,
)

EVIL = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>'{{7*7}}😀\u202e&lt;"
CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
SDK = "https://wwcdn.weixin.qq.com"
CSP_OF_THE_SIDEBAR = f"{CSP}; script-src 'self' {SDK}; connect-src 'self' {SDK}"
# What people, WeCom or other programs may write, and where it is kept.
WRITTEN: Mapping[type[Model], tuple[str, ...]] = {
    Alarm: ("reason_code", "advice_code"),
    Allocation: ("rule", "rules_version", "reason_code", "channel"),
    ApiToken: ("name",),
    Consent: ("evidence",),
    ContactWay: ("state", "remark", "channel"),
    Customer: ("name", "channel"),
    Department: ("name",),
    EndpointPause: ("endpoint", "reason"),
    GroupChat: ("name",),
    Handover: ("reason",),
    HandoverItem: ("reason_code",),
    HandWork: ("reason_code",),
    InboxEvent: ("error_code",),
    Login: ("address", "browser"),
    Notice: ("reason_code", "version"),
    Ownership: ("reason_code",),
    Proposal: ("reason", "decision_reason"),
    Staff: ("name",),
}
# Kept, and shown nowhere in the console.
UNSHOWN = {"EndpointPause.reason"}


def evil(what: str) -> str:
    """A text by which one sees where it came from."""
    return f"{what}{EVIL}"


class Page(HTMLParser):
    """A page as a browser reads it; ``bad`` is what may run, or lead out of the house."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        here = dict(attrs)
        source = here.get("src") or ""
        if tag == "script" and not source.startswith(("/console/static/", f"{SDK}/")):
            self.bad.append("a script of its own")
        if tag == "img" and not source.startswith(("/", "data:image/png;base64,")):
            self.bad.append(f"an image from {source}")
        if tag in ("iframe", "object", "embed", "base", "style") or "http-equiv" in here:
            self.bad.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.bad.append(f"{tag} {name}={value}")
            if name in ("href", "action", "formaction", "xlink:href") and not _is_ours(value):
                self.bad.append(f"{tag} leads to {value}")

    handle_startendtag = handle_starttag


def _is_ours(target: str | None) -> bool:
    return where_a_browser_goes(target or "") in (
        ("https", "kegui.example"),
        ("https", "wework.qpic.cn"),
        ("https", "login.work.weixin.qq.com"),
    )


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[APIFlask, dict[str, Any]]]:
    """A firm where every text is an attack, and what stands in an address of it."""
    path = tmp_path_factory.mktemp("evil") / "kegui.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(db.SQLITE_PRAGMAS, "synchronous", "off")
        patch.setattr(contact_ways, "_image", lambda _way: Image(b"x", "image/png"))
        app = open_house(f"sqlite:///{path}")
        migrations.up()
        with db.connection():
            given = add_two_departments()
            _add_more(app, given)
            # Whoever owns the database may write what it refuses to others.
            db.database.execute_sql("DROP TRIGGER proposal_no_change")
            for table, names in WRITTEN.items():
                for name in names:
                    write(table, SQL("1 = 1"), **{name: evil(f"{table.__name__}.{name}")})
        yield app, given
        cast(Any, db.database.obj).close_all()


def _add_more(app: APIFlask, given: dict[str, Any]) -> None:
    """Somebody who sees everything, what is over, and an event that can be opened."""
    Staff.create(userid="boss", departments=[FIRM], serves=True, seen_at=MORNING)
    for role in Role:
        if role not in (Role.STAFF, Role.SALES_MANAGER):
            RoleGrant.create(actor="boss", role=role, granted_by="test", granted_at=MORNING)
    Department.update(leaders=["boss"]).where(Department.id == FIRM).execute()
    Notice.update(errcode=None).execute()
    Login.create(
        digest="x",
        actor="boss",
        method="qr",
        began_at=clock.now(),
        seen_at=clock.now(),
        expires_at=clock.now() + timedelta(hours=1),
    )
    Ownership.update(userid="boss").where(Ownership.external_userid == "wm_north_1").execute()
    Proposal.create(
        kind="role.revoke",
        subject="decided",
        terms={"actor": "member", "role": "reviewer", "department_id": None},
        state="rejected",
        proposed_by="somebody",
        proposed_at=MORNING,
        decided_by="another",
        decided_at=MORNING,
    )
    Conflict.create(
        external_userid="wm_north_1",
        state="resolved",
        owner="north_staff",
        contenders=[],
        opened_at=MORNING,
        resolved_at=MORNING,
        resolution={"by": evil("resolution.by"), "reason": evil("resolution.reason")},
    )
    Consent.create(
        external_userid="wm_north_1",
        userid="north_staff",
        state="agreed",
        since=MORNING,
        evidence="x",
        recorded_at=MORNING,
    )
    Allocation.create(
        event_id=given["event_id"],
        external_userid="wm_north_1",
        added_userid="north_staff",
        outcome="owned",
        rule="x",
        rules_version="x",
        reason_code="x",
        channel="x",
        decided_at=MORNING,
    )
    HandWork.create(handover=given["handover_id"], kind="x", subject="x", reason_code="x")
    InboxEvent.update(state="dead").where(InboxEvent.id == given["event_id"]).execute()
    kegui = app.extensions["console"]
    xml = (
        "<xml><MsgType>event</MsgType><Event>change_external_contact</Event><CreateTime>1</CreateTime>"
        "<ChangeType>add_external_contact</ChangeType><UserID>north_staff</UserID>"
        f"<State><![CDATA[{evil('event')}]]></State></xml>"
    ).encode()
    row = inbox.new_row("customer", events.parse(xml), xml, vault=kegui.vault, now=clock.now())
    # What is sealed opens in its own row only.
    sealed = {name: row.columns[name] for name in ("key", "payload")}
    InboxEvent.update(sealed).where(InboxEvent.id == given["event_id"]).execute()
    with transaction():
        kegui.audit.record(
            Who(evil("actor"), evil("origin"), evil("purpose")),
            evil("act"),
            evil("subject"),
            reason=evil("detail"),
        )


def doors(method: str) -> list[str]:
    return [door for door in TABLE if door.startswith(method) and not door.endswith("/login/out")]


def test_what_was_stored_is_shown_and_never_run(house: tuple[APIFlask, dict[str, Any]]) -> None:
    app, given = house
    client = come_in(app, "boss")
    more = [
        "/conflicts?state=resolved",
        "/events?state=dead",
        "/offboardings?kind=open",
        f"/offboardings/{given['handover_id'] + 1}",
        "/tokens?state=ended",
        "/nowhere",
    ]
    bad, everything = {}, ""

    for path in (*(address(door, given) for door in doors("GET")), *more):
        response = client.get(path)
        if response.mimetype == "text/html":
            text = response.get_data(as_text=True)
            everything += text
            if found := Page(text).bad:
                bad[path] = found

    assert bad == {}
    assert "{{7*7}}" in everything
    shown = {
        f"{table.__name__}.{name}"
        for table, names in WRITTEN.items()
        for name in names
        if str(escape(evil(f"{table.__name__}.{name}"))) in everything
    }
    wanted = {f"{table.__name__}.{name}" for table, names in WRITTEN.items() for name in names}
    assert wanted - shown == UNSHOWN
    others = ("resolution.by", "resolution.reason", "event", "act", "subject", "detail", "purpose")
    # The log keeps 64 characters of an act.
    kept = [evil(name) if name != "act" else evil(name)[:64] for name in others]
    assert [text for text in kept if str(escape(text)) not in everything] == []


def names_of_parameters() -> list[str]:
    """Every name under which a view of the console asks for something."""
    sources = [path.read_text() for path in Path(console.__file__).parent.rglob("*.py")]
    found = {
        name
        for source in sources
        for name in re.findall(r'(?:get|getlist|choice|text)\("([a-z_]+)"', source)
    }
    found |= {"person", "act", "subject", "purpose", "from", "to", "department", "kind", "role"}
    found |= {"capacity", "daily_quota", "licences", "skills", "availability"}
    assert {"q", "owner", "next", "page", "userid", "reason"} <= found
    return sorted(found)


@pytest.mark.parametrize(
    ("person", "wanted"),
    [
        ("boss", {"GET /customers", "GET /staff", "GET /audit", "GET /offboardings/new"}),
        ("", set()),
    ],
)
def test_what_an_address_asks_for_is_shown_and_never_run(
    house: tuple[APIFlask, dict[str, Any]], person: str, wanted: set[str]
) -> None:
    app, given = house
    client = come_in(app, person)
    names = names_of_parameters()
    # Some names allow but a few values: another is no such page.
    chosen = {"state", "kind", "role", "consent", "owner", "external_userid", "department", "lang"}
    bad: dict[str, Any] = {}
    shown = set()

    for door in doors("GET"):
        path = address(door, given)
        for left_out in (set(), chosen, chosen | {"next"}):
            query = urlencode({name: evil(name) for name in names if name not in left_out})
            response = client.get(f"{path}{'&' if '?' in path else '?'}{query}")
            text = response.get_data(as_text=True)
            if response.mimetype == "text/html":
                shown |= {door} if str(escape(EVIL)) in text else set()
                if found := Page(text).bad:
                    bad[door] = found
            assert response.location is None or _is_ours(response.location)

    assert bad == {}
    assert wanted <= shown


def test_an_address_itself_is_never_run(house: tuple[APIFlask, dict[str, Any]]) -> None:
    app, _given = house
    client = come_in(app, "boss")
    elsewhere = ["//evil.example/x", "/\\evil.example", "/\t/evil.example", "//evil.example//y"]

    for path in [*elsewhere, f"/customers/{EVIL}", f"/staff/members/{EVIL}", f"/{EVIL}"]:
        for query in ("", "?lang=en", f"?{quote(EVIL)}"):
            response = client.open(
                environ_overrides={
                    "PATH_INFO": path.encode().decode("latin-1"),
                    "QUERY_STRING": query.removeprefix("?"),
                }
            )
            assert response.status_code in (404, 308), path
            assert Page(response.get_data(as_text=True)).bad == [], path


def test_what_a_form_says_is_shown_and_never_run(house: tuple[APIFlask, dict[str, Any]]) -> None:
    app, given = house
    client = come_in(app, "boss")
    token = token_of(client)
    names = names_of_parameters()
    bad, shown = {}, set()

    for door in doors("POST"):
        # A form that is good but for one attack in each of its other fields.
        good = {**{name: evil(name) for name in names}, **FORMS.get(door, {})}
        for form in ({name: evil(name) for name in names}, good):
            response = send(client, address(door, given), token, **form)
            text = response.get_data(as_text=True)
            if response.mimetype == "text/html":
                shown |= {door} if str(escape(EVIL)) in text else set()
                if found := Page(text).bad:
                    bad[door] = found

    assert bad == {}
    assert {"POST /offboardings/new", "POST /tokens/new", "POST /rights/proposals"} <= shown


# ------------------------------------------------------------------- what a page forbids


def forbids(response: Any, csp: str = CSP) -> None:
    headers = response.headers
    assert headers.getlist("Content-Security-Policy") == [csp]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Referrer-Policy") == ["same-origin"]
    if response.mimetype == "text/html":
        assert headers.getlist("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("person", ["boss", "member", ""])
def test_every_answer_of_a_page_says_what_it_forbids(
    house: tuple[APIFlask, dict[str, Any]], person: str
) -> None:
    app, given = house
    client = come_in(app, person)

    for door in TABLE:
        method, _, path = door.partition(" ")
        # A form without a token, for the POSTs: 400.
        response = client.open(address(door, given), method=method)
        is_sidebar = path.startswith("/sidebar")
        forbids(response, CSP_OF_THE_SIDEBAR if is_sidebar else CSP)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/customers", 405),
        ("POST", "/theme", 400),
        ("GET", "/console/static/console.css", 200),
        ("GET", "/console/static/../../gate.py", 404),
        ("GET", "/customers/a%00b", 404),
    ],
)
def test_so_does_every_refusal_and_every_file(
    house: tuple[APIFlask, dict[str, Any]], method: str, path: str, status: int
) -> None:
    response = come_in(house[0], "boss").open(path, method=method)

    assert response.status_code == status
    forbids(response)


def test_so_does_a_page_that_broke(
    house: tuple[APIFlask, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _given = house

    def breaks() -> NoReturn:
        raise ZeroDivisionError(EVIL)

    view = app.view_functions["console.alarms.index"]
    breaks.needed = cast(Any, view).needed  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "console.alarms.index", breaks)
    monkeypatch.setitem(app.config, "TESTING", False)

    response = come_in(app, "boss").get("/alarms")

    assert response.status_code == 500
    assert "alert(1)" not in response.get_data(as_text=True)
    forbids(response)


def test_no_policy_allows_scripts_in_a_page() -> None:
    for policy in (CSP, CSP_OF_THE_SIDEBAR):
        assert "unsafe" not in policy
        assert "*" not in policy


@pytest.mark.parametrize("public_url", [PUBLIC_URL, "http://127.0.0.1:8000"])
def test_the_cookies_are_the_servers_alone(tmp_path: Path, public_url: str) -> None:
    app = open_house(f"sqlite:///{tmp_path / 'kegui.db'}", KEGUI_PUBLIC_URL=public_url)
    migrations.up()
    client: FlaskClient = app.test_client()
    base = f"{urlsplit(public_url).scheme}://localhost"

    first = client.get("/login?lang=en", base_url=base)
    token = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', first.get_data(as_text=True))[0]
    second = client.post(
        "/theme",
        data={"csrf_token": token, "theme": "dark"},
        base_url=base,
        headers={"Referer": f"{base}/login"},
    )

    cookies = first.headers.getlist("Set-Cookie") + second.headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"kegui", "lang", "theme"}
    for cookie in cookies:
        parts = [part.strip() for part in cookie.split(";")]
        assert "HttpOnly" in parts
        assert "SameSite=Lax" in parts
        assert ("Secure" in parts) == public_url.startswith("https")
        assert not any(part.startswith("Domain") for part in parts)
    cast(Any, db.database.obj).close_all()
