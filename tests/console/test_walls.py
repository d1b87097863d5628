"""The walls: which door of the house opens to whom, tried one by one; what is new needs a line."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from markupsafe import escape
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from bot import db, migrations
from bot.capabilities import RIGHTS
from bot.console.channels import contact_ways
from bot.console.gate import PUBLIC, SIGNED_IN
from bot.console.identity import step_up
from bot.console.language import page_at
from bot.identity import access
from bot.models import (
    TABLES,
    ApiToken,
    AuditEntry,
    Conflict,
    ContactWay,
    Customer,
    Login,
    Ownership,
    Staff,
)
from bot.wecom.images import Image
from tests.console.conftest import in_days
from tests.console.two_departments import (
    NORTHERN,
    NORTHERN_PHONE,
    PEOPLE,
    PUBLIC_URL,
    SOUTHERN,
    SOUTHERN_PHONE,
    add_two_departments,
    come_in,
    of_the_south,
    open_house,
    send,
    token_of,
)

# What each person finds behind each door, written by hand: not read from the table of rights.
#   o  opened: a page, a form with what is wrong in it, or an act that is done
#   .  refused: 403        -  not there: 404        >  sent to the login        !  to the step-up
# In an address stand the north's objects. The columns: root, compliance, reviewer, north_lead,
# south_lead, hr, auditor, north_staff, south_staff, member, local:ops, nobody.
GATES = """
GET  /                                             o o o o o o o o o o o >
GET  /account                                      o o o o o o o o o o o >
GET  /account/password                             - - - - - - - - - - o >
GET  /account/second-factor                        o o o o o o o o o o o >
GET  /account/tokens/<token_id>                    - - - - - - - o - - - >
GET  /alarms                                       o o . . . . o . . . o >
GET  /audit                                        . o . . . . o . . . . >
GET  /conflicts                                    . o . o o . o o o . . >
GET  /conflicts/<conflict_id>/resolve              . . . o - . . . . . . >
GET  /contact-ways                                 . o . o o . o . . . . >
GET  /contact-ways/<way_id>                        . o . o - . o . . . . >
GET  /contact-ways/<way_id>/edit                   . . . o - . . . . . . >
GET  /contact-ways/<way_id>/qr                     . o . o - . o . . . . >
GET  /contact-ways/<way_id>/remove                 . . . o - . . . . . . >
GET  /contact-ways/new                             . . . o o . . . . . . >
GET  /customers                                    . o o o o . o o o . . >
GET  /customers/<external_userid>                  . o o o - . o o - . . >
GET  /events                                       o o . . . . o . . . o >
GET  /events/<event_id>                            o o . . . . o . . . o >
GET  /gaps                                         . o . o o . o o o . . >
GET  /gaps/never-told                              . o . o o . o o o . . >
GET  /login                                        o o o o o o o o o o o o
GET  /login/local                                  o o o o o o o o o o o o
GET  /login/wecom                                  o o o o o o o o o o o o
GET  /login/wecom/done                             o o o o o o o o o o o o
GET  /moves/new                                    . . . o - . . . . . . >
GET  /offboardings                                 . o . o o o o . . . . >
GET  /offboardings/<handover_id>                   . o . o - o o . . . . >
GET  /offboardings/<handover_id>/approve           . o . o - . . . . . . >
GET  /offboardings/<handover_id>/cancel            . . . o - o . . . . . >
GET  /offboardings/<handover_id>/change            . . . o - o . . . . . >
GET  /offboardings/new                             . . . o o o . . . . . >
GET  /operation                                    o . . . . . o . . . o >
GET  /purpose                                      o o o o o o o o o o o >
GET  /rights                                       o o . . . . o . . . o >
GET  /rights/logins                                o . . . . . o . . . o >
GET  /rights/logins/<actor>/end                    o . . . . . . . . . o >
GET  /rights/proposals                             o o . . . . o . . . o >
GET  /rights/proposals/<number>/decision           o o . . . . . . . . o >
GET  /rights/proposals/new                         o o . . . . . . . . o >
GET  /rights/table                                 o o . . . . o . . . o >
GET  /rules                                        o o . o o . o . . . o >
GET  /rules/<rule_set>                             o o . o o . o . . . o >
GET  /rules/<rule_set>/decision                    . o . . . . . . . . . >
GET  /rules/<rule_set>/release                     . o . . . . . . . . . >
GET  /rules/<rule_set>/rollback                    . o . . . . . . . . . >
GET  /rules/new                                    . o . o o . . . . . . >
GET  /rules/runs/<run>                             o o . o o . o . . . o >
GET  /settings                                     o . . . . . o . . . o >
GET  /settings/tables                              o o o . . . o . . . o >
GET  /sidebar                                      . . . . . . . o o . . >
GET  /sidebar/customers/<external_userid>          . . . . . . . o - . . >
GET  /sidebar/signature                            . . . . . . . o o . . >
GET  /staff                                        o o . o o o o . . . o >
GET  /staff/departments                            o o . o o o o . . . o >
GET  /staff/members/<userid>                       o o . o - o o . . . o >
GET  /staff/members/<userid>/edit                  . . . o - o . . . . . >
GET  /step-up                                      o o o o o o o o o o o >
GET  /step-up/scan                                 o o o o o o o o o o ! >
GET  /tokens                                       o . . . . . o . . . o >
GET  /tokens/<number>/revocation                   o . . . . . . . . . o >
GET  /tokens/new                                   o . . . . . . . . . o >
POST /account/logins/<login_id>/end                - - - - - - - o - - - >
POST /account/logins/end-others                    o o o o o o o o o o o >
POST /account/password                             - - - - - - - - - - o >
POST /account/second-factor                        o o o o o o o o o o o >
POST /account/tokens/<token_id>                    - - - - - - - o - - - >
POST /account/second-factor/remove                 o o o o o o o o o o . >
POST /audit/export                                 . o . . . . o . . . . >
POST /conflicts/<conflict_id>/resolve              . . . o - . . . . . . >
POST /contact-ways/<way_id>/edit                   . . . o - . . . . . . >
POST /contact-ways/<way_id>/remove                 . . . o - . . . . . . >
POST /contact-ways/new                             . . . o o . . . . . . >
POST /customers/<external_userid>/phones           . o . o - . . o - . . >
POST /events/<event_id>/replay                     o . . . . . . . . . o >
POST /login/local                                  o o o o o o o o o o o o
POST /moves/new                                    . . . o - . . . . . . >
POST /offboardings/<handover_id>/approve           . o . o - . . . . . . >
POST /offboardings/<handover_id>/cancel            . . . o - o . . . . . >
POST /offboardings/<handover_id>/change            . . . o - o . . . . . >
POST /offboardings/<handover_id>/hand-work/<work_id> . o . o - . . . . . . >
POST /offboardings/new                             . . . o o o . . . . . >
POST /operation/pauses/lift                        o . . . . . . . . . o >
POST /purpose                                      o o o o o o o o o o o >
POST /rights/logins/<actor>/end                    o . . . . . . . . . o >
POST /rights/proposals                             o o . . . . . . . . o >
POST /rights/proposals/<number>/decision           o o . . . . . . . . o >
POST /rights/proposals/<number>/withdrawal         o o . . . . . . . . o >
POST /rules/<rule_set>/decision                    . o . . . . . . . . . >
POST /rules/<rule_set>/release                     . o . . . . . . . . . >
POST /rules/<rule_set>/rollback                    . o . . . . . . . . . >
POST /rules/<rule_set>/runs                        . o . o o . . . . . . >
POST /rules/<rule_set>/submit                      . o . o o . . . . . . >
POST /rules/new                                    . o . o o . . . . . . >
POST /sidebar/customers/<external_userid>/conflict . . . . . . . o - . . >
POST /staff/members/<userid>/calendar              . . . o - o . . . . . >
POST /staff/members/<userid>/edit                  . . . o - o . . . . . >
POST /step-up                                      o o o o o o o o o o o >
POST /theme                                        o o o o o o o o o o o o
POST /tokens/<number>/revocation                   o . . . . . . . . . o >
POST /tokens/new                                   o . . . . . . . . . o >
POST /login/sandbox                                - - - - - - - - - - - -
POST /login/out                                    o o o o o o o o o o o o
"""
# Doors of machines, and files that say nothing about anybody.
NO_PAGES = {
    "api",
    "api_description",
    "bootstrap",
    "health",
    "static",
}
# What a fresh second factor is asked for each time.
DANGEROUS = {
    "GET /account/second-factor",
    "POST /account/second-factor",
    "POST /account/second-factor/remove",
    "GET /account/tokens/<token_id>",
    "POST /account/tokens/<token_id>",
    "POST /audit/export",
    "GET /rules/<rule_set>/decision",
    "POST /rules/<rule_set>/decision",
    "GET /rules/<rule_set>/release",
    "POST /rules/<rule_set>/release",
    "GET /rules/<rule_set>/rollback",
    "POST /rules/<rule_set>/rollback",
    "GET /rights/logins/<actor>/end",
    "POST /rights/logins/<actor>/end",
    "GET /rights/proposals/<number>/decision",
    "POST /rights/proposals/<number>/decision",
    "GET /tokens/new",
    "POST /tokens/new",
    "GET /tokens/<number>/revocation",
    "POST /tokens/<number>/revocation",
}
# What is asked where the address alone says too little; POSTs are good forms, so that only a wall
# keeps them from being done.
QUERIES = {
    "GET /moves/new": "?owner=north_staff",
    "GET /sidebar/signature": f"?url={PUBLIC_URL}/sidebar&as=corp",
}
FORMS: Mapping[str, Mapping[str, Any]] = {
    "POST /contact-ways/<way_id>/edit": {"userids": ["north_second"], "remark": "别的"},
    "POST /login/sandbox": {"userid": "north_lead"},
    "POST /moves/new": {"owner": "north_staff", "takeover_userid": "by rule", "key": "k"},
    "POST /offboardings/<handover_id>/change": {
        "last_day": str(in_days(30)),
        "successors": "north_staff",
    },
    "POST /operation/pauses/lift": {"name": "app message/send"},
    "POST /rules/<rule_set>/decision": {"answer": "reject", "reason": "因为"},
    "POST /rights/proposals/<number>/decision": {"answer": "reject", "reason": "因为"},
    "POST /staff/members/<userid>/edit": {"capacity": "7", "on_duty": "1"},
    "POST /conflicts/<conflict_id>/resolve": {"owner": "north_second", "reason": "因为"},
}


def _lines() -> Iterator[tuple[str, list[str]]]:
    for line in GATES.strip().splitlines():
        method, path, *found = line.split()
        assert len(found) == len(PEOPLE), line
        yield f"{method} {path}", found


TABLE = dict(_lines())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The two departments in a database to copy from, and what stands in the north's addresses."""
    path = tmp_path_factory.mktemp("filled") / "kegui.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(db.SQLITE_PRAGMAS, "journal_mode", "delete")
        made = db.connect(f"sqlite:///{path}")
        migrations.up()
        with db.connection():
            given = add_two_departments()
        made.close_all()
    return path, given


@pytest.fixture
def given(filled: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    return dict(filled[1])


@pytest.fixture(params=["0"])
def app(
    filled: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[APIFlask]:
    """The whole application over the two departments; its parameter is KEGUI_SANDBOX."""
    shutil.copy(filled[0], tmp_path / "kegui.db")
    # What these tests write need not survive a power cut.
    monkeypatch.setitem(db.SQLITE_PRAGMAS, "synchronous", "off")
    monkeypatch.setattr(contact_ways, "_image", lambda _way: Image(b"x", "image/png"))
    made = open_house(f"sqlite:///{tmp_path / 'kegui.db'}", KEGUI_SANDBOX=request.param)
    yield made
    cast(Any, db.database.obj).close_all()


both_ways = pytest.mark.parametrize("app", ["0", "1"], indirect=True)


def screens(app: APIFlask) -> Iterator[tuple[str, Rule]]:
    """Every door that is one for people, as the tables above name it."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in NO_PAGES or rule.endpoint.endswith(".static"):
            continue
        for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
            yield f"{method} {plain(rule)}", rule


def plain(rule: Rule) -> str:
    """A rule without the converters of its parameters."""
    parts = [f"<{part}>" if is_name else part for is_name, part in cast(Any, rule)._trace]
    return "".join(parts).removeprefix("|")


def address(door: str, given: Mapping[str, Any]) -> str:
    """Where a door is; a parameter that no object is known for fails."""
    path = door.partition(" ")[2]
    number = given["token"] if path.startswith("/tokens") else given["proposal"]
    for name, value in {**given, "number": number}.items():
        path = path.replace(f"<{name}>", str(value))
    assert "<" not in path, f"what stands for the parameter of {door}?"
    return path + QUERIES.get(door, "")


def knock(client: FlaskClient, door: str, given: Mapping[str, Any], token: str) -> TestResponse:
    if door.startswith("GET"):
        return client.get(address(door, given))
    return send(client, address(door, given), token, **FORMS.get(door, {}))


def walk(client: FlaskClient, given: Mapping[str, Any]) -> dict[str, str]:
    """Knock at every door, at the two last that change who is in this browser."""
    found: dict[str, str] = {}
    token = token_of(client)
    for door in TABLE:
        if door in ("POST /login/sandbox", "POST /login/out"):
            token = token_of(client)
        found[door] = outcome(knock(client, door, given, token))
    return found


def outcome(response: TestResponse) -> str:
    """What is behind a door, in the letters of the table; a number where the house broke."""
    there = response.headers.get("Location", "")
    if there.startswith("/login?next="):
        return ">"
    if there.startswith("/step-up"):
        return "!"
    if response.status_code == 403 and "<title>没有权限" in response.get_data(as_text=True):
        return "."
    known = {404: "-", **dict.fromkeys((200, 302, 403, 422), "o")}
    return known.get(response.status_code, str(response.status_code))


@both_ways
def test_every_door_is_in_the_table_and_the_table_has_no_other(app: APIFlask) -> None:
    assert {door for door, _rule in screens(app)} == set(TABLE)


@both_ways
def test_every_view_says_for_whom_it_is(app: APIFlask) -> None:
    needed = {
        door: getattr(app.view_functions[rule.endpoint], "needed", None)
        for door, rule in screens(app)
    }

    assert [door for door, one in needed.items() if one not in (*RIGHTS, PUBLIC, SIGNED_IN)] == []


@both_ways
def test_no_view_of_a_machine_is_the_consoles(app: APIFlask) -> None:
    endpoints = {rule.endpoint.partition(".")[0] for rule in app.url_map.iter_rules()}

    assert endpoints == NO_PAGES | {"console"}


@pytest.mark.parametrize("person", PEOPLE)
def test_each_person_gets_behind_their_doors_and_no_other(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)
    wanted = {door: found[PEOPLE.index(person)] for door, found in TABLE.items()}

    assert walk(client, given) == wanted


@pytest.mark.parametrize("app", ["1"], indirect=True)
@pytest.mark.parametrize("person", ["member", ""])
def test_beside_the_sandbox_one_door_more_is_open_and_no_other(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)
    wanted = {door: found[PEOPLE.index(person)] for door, found in TABLE.items()}

    assert walk(client, given) == wanted | {"POST /login/sandbox": "o"}


@pytest.mark.parametrize(
    "person", ["root", "compliance", "auditor", "north_lead", "member", "local:ops"]
)
def test_what_is_dangerous_asks_for_a_second_factor_first(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person, stepped_up=False)
    token = token_of(client)
    open_to_them = {door for door in TABLE if TABLE[door][PEOPLE.index(person)] == "o"}

    asked = {
        door
        for door in DANGEROUS | {door for door in TABLE if door.startswith("GET")}
        if door != "GET /step-up/scan" and outcome(knock(client, door, given, token)) == "!"
    }

    # Asked first, and told then that it is not theirs.
    also = {"GET /account/tokens/<token_id>", "POST /account/tokens/<token_id>"}
    # A local administrator keeps the app without which they could not come in: asked, then refused.
    also |= {"POST /account/second-factor/remove"} if person == "local:ops" else set()
    assert asked == (DANGEROUS & open_to_them) | also


# Where the forms of those doors stand that have no page under the same address.
STANDS_ON = {
    "POST /account/second-factor/remove": "/account",
    "POST /audit/export": "/audit",
}


@pytest.mark.parametrize("door", sorted(DANGEROUS))
def test_who_must_prove_that_it_is_they_reads_what_for(
    app: APIFlask, given: dict[str, Any], door: str
) -> None:
    client = come_in(
        app, "compliance" if re.search("/audit|/rules", door) else "root", stepped_up=False
    )
    token = token_of(client)
    there = f"http://localhost{STANDS_ON.get(door, address(door, given))}"
    client.environ_base["HTTP_REFERER"] = there

    asked = client.get(knock(client, door, given, token).location).get_data(as_text=True)

    assert re.search(r"接下来：<b>.+</b>", asked)


def test_what_one_must_prove_for_is_the_name_of_a_page_that_there_is(app: APIFlask) -> None:
    assert set(step_up.ACTS) <= set(app.view_functions)


def everything() -> dict[str, Any]:
    """All that the database holds."""
    with db.connection():
        return {
            table.__name__: sorted(map(repr, cast(Any, table.select().tuples())))
            for table in TABLES
        }


# What another department's manager might write into a form, where the address names nobody.
FOREIGN: list[tuple[str, dict[str, Any], int]] = [
    ("/moves/new", {"owner": "north_staff", "takeover_userid": "south_staff", "key": "k"}, 404),
    (
        "/moves/new",
        {"external_userid": "wm_north_1", "takeover_userid": "south_staff", "key": "k"},
        404,
    ),
    (
        "/moves/new",
        {"external_userid": ["wm_south_1", "wm_north_1"], "takeover_userid": "south_second"},
        404,
    ),
    (
        "/moves/new",
        {"external_userid": "wm_south_1", "takeover_userid": "north_staff", "key": "k"},
        422,
    ),
    ("/offboardings/new", {"userid": "north_staff", "last_day": str(in_days(30))}, 422),
    ("/contact-ways/new", {"userids": ["north_staff"], "state": "mine"}, 422),
    ("/contact-ways/new", {"userids": ["south_staff", "north_staff"], "state": "mine"}, 422),
]


@pytest.mark.parametrize("person", ["south_lead", "south_staff"])
def test_nothing_of_another_department_is_changed(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)
    token = token_of(client)
    # Whose address names an object, and what the north's own manager could do with it.
    doors = [door for door in TABLE if "<" in door or door.endswith("/moves/new")]
    # The rules are the firm's.
    doors = [door for door in doors if "/rules/" not in door]
    before = everything()

    found = {door: outcome(knock(client, door, given, token)) for door in doors}
    statuses = [send(client, path, token, **form).status_code for path, form, _status in FOREIGN]

    assert set(found.values()) <= {".", "-"}
    assert statuses == [
        status if person == "south_lead" else 403 for _path, _form, status in FOREIGN
    ]
    after = everything()
    for kept in ("AuditEntry", "AuditWriter"):
        del before[kept], after[kept]
    assert after == before
    with db.connection():
        acts = {entry.act for entry in AuditEntry.select()}
    # The list of one's own customers that are to be moved.
    assert acts <= {"customer.list"}


@pytest.mark.parametrize("person", ["north_lead", "root", "north_staff", "auditor", ""])
def test_a_form_without_the_token_of_this_session_does_nothing(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client, other = come_in(app, person), come_in(app, person)
    tokens = {
        "none": None,
        "empty": "",
        "invented": "x",
        "of another session": token_of(other),
        "of somebody else": token_of(come_in(app, "compliance")),
    }
    token_of(client)
    before = everything()

    for door in TABLE:
        if door.startswith("POST"):
            for name, token in tokens.items():
                form = {**FORMS.get(door, {}), **({} if token is None else {"csrf_token": token})}
                response = client.post(address(door, given), data=form)
                assert response.status_code == 400, (door, name)
                assert "页面已过期" in response.get_data(as_text=True)

    assert everything() == before
    assert (client.get("/account").status_code == 200) == bool(person)


def test_over_https_a_form_comes_from_our_own_page(app: APIFlask, given: dict[str, Any]) -> None:
    client = come_in(app, "north_lead")
    token = token_of(client)
    path = address("POST /staff/members/<userid>/edit", given)
    answers = [
        client.post(
            path,
            data={"csrf_token": token, "capacity": "7", "on_duty": "1"},
            base_url="https://localhost",
            headers=headers,
        ).status_code
        for headers in (
            {},
            {"Referer": "https://evil.example/"},
            {"Referer": f"https://localhost{path}"},
        )
    ]

    assert answers == [400, 400, 302]


def test_what_no_database_can_keep_is_refused_at_every_door(
    app: APIFlask, given: dict[str, Any]
) -> None:
    client = come_in(app, "north_lead")
    token = token_of(client)
    nul = {"x": ["a", "a\x00b"]}
    before = everything()

    for door in TABLE:
        path = address(door, given)
        if door.startswith("POST"):
            assert send(client, path, token, **nul).status_code == 400, door
        assert client.get(path.partition("?")[0], query_string=nul).status_code in (404, 405), door

    assert everything() == before


def test_the_same_forms_change_much_for_who_may(app: APIFlask, given: dict[str, Any]) -> None:
    client = come_in(app, "north_lead")
    token = token_of(client)

    for door in FORMS:
        knock(client, door, given, token)

    with db.connection():
        assert Conflict.get_by_id(given["conflict_id"]).state == "resolved"
        owners = [row.userid for row in Ownership.select().where(Ownership.until.is_null())]
        assert owners.count("north_second") == 2
        assert ContactWay.get_by_id(given["way_id"]).userids == ["north_second"]
        assert Staff.get_by_id("north_staff").capacity == 7
        acts = {entry.act for entry in AuditEntry.select()}
    assert {"conflict.resolve", "contact_way.change", "staff.set_terms"} <= acts
    assert {"offboarding.change", "handover.open"} <= acts


def test_what_does_not_exist_looks_like_what_is_not_theirs(
    app: APIFlask, given: dict[str, Any]
) -> None:
    client = come_in(app, "south_lead")
    nothing = {"external_userid": "wm_none", "userid": "none"} | {
        name: 999_999 for name in given if name.endswith("_id")
    }

    for door in TABLE:
        if (
            door.startswith("GET")
            and "<" in door
            and TABLE[door][PEOPLE.index("south_lead")] == "-"
        ):
            path = address(door, given)
            theirs, none = client.get(path), client.get(address(door, given | nothing))
            assert theirs.status_code == none.status_code == 404
            assert blanked(theirs, path) == blanked(none, address(door, given | nothing))


def blanked(response: TestResponse, path: str) -> str:
    """A page without its own address and the tokens of its forms."""
    lines = response.get_data(as_text=True).replace(path, "").splitlines()
    return "\n".join(line for line in lines if "csrf_token" not in line)


# Ways to ask a list for what is another's.
ASKED = (
    "/customers?q=北客",
    "/customers?owner=north_staff",
    "/customers?channel=north_channel",
    "/customers?owner=any&page=2",
    "/conflicts?state=resolved",
    "/contact-ways?q=north_",
    "/offboardings?kind=open",
    "/offboardings?kind=awaiting_approval",
    "/offboardings?kind=handover",
    "/moves/new?owner=north_staff",
    "/moves/new?external_userid=wm_north_1",
    "/moves/new?external_userid=wm_south_1&external_userid=wm_north_1",
    "/staff?q=北区",
    "/staff?department=2",
    "/staff?state=leaving",
)


def pages_of(client: FlaskClient, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every page that somebody can open, with its address; what they asked for is taken out."""
    doors = [door for door in TABLE if door.startswith("GET") and "/login" not in door]
    for path in (*(address(door, given) for door in doors), *ASKED):
        response = client.get(path)
        if response.mimetype == "text/html":
            yield path, without_echo(response.get_data(as_text=True), path.partition("?")[2])


def without_echo(text: str, query: str) -> str:
    """A page without the question that is shown again: in its fields and its links to itself."""
    for value in (query, *dict(parse_qsl(query)).values()):
        text = text.replace(f'value="{escape(value)}"', "") if value else text
    return re.sub(r'href="([^"?]*)\?[^"]*"', r'href="\1"', text) if query else text


@pytest.fixture(params=["few members", "many members"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom a manager leads: the database is asked otherwise about many than about a few."""
    if request.param == "many members":
        monkeypatch.setattr(access, "LARGE", 1)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("person", ["south_lead", "south_staff"])
def test_no_page_shows_another_departments_customers(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    assert_nothing_leaks(app, person, given)


@pytest.mark.postgres
@pytest.mark.usefixtures("size", "redis_url")
@pytest.mark.parametrize("person", ["south_lead", "south_staff"])
def test_the_walls_stand_on_postgresql_too(
    postgres_url: str, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_ways, "_image", lambda _way: Image(b"x", "image/png"))
    app = open_house(postgres_url)
    try:
        with db.connection():
            given = add_two_departments()
        assert_nothing_leaks(app, person, given)
    finally:
        cast(Any, db.database.obj).close_all()


def assert_nothing_leaks(app: APIFlask, person: str, given: dict[str, Any]) -> None:
    client = come_in(app, person)
    with db.connection():
        own = of_the_south()

    shown = dict(pages_of(client, given | own))

    leaks = {(path, word) for path, text in shown.items() for word in NORTHERN if word in text}
    seen = {word for text in shown.values() for word in SOUTHERN if word in text}
    assert leaks == set()
    assert "南客" in seen


@pytest.mark.usefixtures("size")
def test_a_list_of_members_is_the_managers_own(app: APIFlask) -> None:
    client = come_in(app, "south_lead")

    for path in ("/staff", "/staff?q=北区", "/staff/departments", "/gaps", "/conflicts", "/"):
        text = client.get(path).get_data(as_text=True)
        assert "north_" not in text.replace("/staff?q=", "")
        assert client.get("/staff?department=2").status_code == 404


@pytest.mark.parametrize(
    ("person", "seen"),
    [
        ("north_lead", {NORTHERN_PHONE}),
        ("north_staff", {NORTHERN_PHONE}),
        ("compliance", {NORTHERN_PHONE, SOUTHERN_PHONE}),
    ],
)
def test_a_phone_number_is_shown_to_whom_it_was_noted_for_and_kept_nowhere(
    app: APIFlask, given: dict[str, Any], person: str, seen: set[str]
) -> None:
    client = come_in(app, person)

    text = send(
        client, address("POST /customers/<external_userid>/phones", given), token_of(client)
    ).get_data(as_text=True)

    assert {phone for phone in (NORTHERN_PHONE, SOUTHERN_PHONE) if phone in text} == seen
    assert not any(phone in str(everything()) for phone in (NORTHERN_PHONE, SOUTHERN_PHONE))
    assert count_looks(person) == 1


@pytest.mark.parametrize("person", ["root", "hr", "member"])
def test_who_has_no_customers_to_see_meets_none_by_name_or_id(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)

    shown = dict(pages_of(client, given))

    # A customer without a name is called by the end of the id.
    told = re.compile("北客|南客|(north|south)_[12]|[or]th_[12]")
    assert [path for path, text in shown.items() if told.search(text.replace(path, ""))] == []
    masked = [path for path, text in shown.items() if "wm_no…" in text]
    summed = [path for path, text in shown.items() if "按接替成员汇总" in text]
    assert summed == ([f"/offboardings/{given['handover_id']}"] if person == "hr" else [])
    assert {"/", "/events"} <= set(masked) or person != "root"


@pytest.mark.parametrize("person", ["compliance", "reviewer", "north_lead", "north_staff"])
def test_every_page_with_a_customers_name_leaves_a_trace(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)
    pages = iter(pages_of(client, given))
    untold, named, before = [], 0, count_looks(person)

    for path, text in pages:
        now = count_looks(person)
        if "北客" in text:
            named += 1
            untold += [] if now > before else [path]
        before = now

    assert untold == []
    assert named > 2


# Of the pages about members and leavers these show no more than names to choose from.
NAMES_ONLY = ("/staff/departments", "/offboardings/new")


@pytest.mark.parametrize("person", ["root", "compliance", "north_lead", "hr", "auditor"])
def test_every_page_about_a_member_or_a_leaver_leaves_one_trace(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)
    doors = [door for door in TABLE if re.match("GET  */(staff|offboardings)", door)]
    paths = [address(door, given) for door in doors]
    paths += [path for path in ASKED if re.match("/(staff|offboardings)", path)]

    traces = {}
    for path in paths:
        before = count_looks(person)
        response = client.get(path)
        if response.status_code == 200 and 'class="empty"' not in response.get_data(as_text=True):
            traces[path] = count_looks(person) - before

    assert traces == {path: 0 if path in NAMES_ONLY else 1 for path in traces}
    assert "/staff/members/north_staff" in traces
    assert person == "root" or f"/offboardings/{given['handover_id']}" in traces


@pytest.mark.parametrize("person", ["compliance", "reviewer", "auditor"])
def test_who_has_not_said_what_for_meets_no_customer_by_name(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person, purpose="")

    shown = dict(pages_of(client, given))

    named = [path for path, text in shown.items() if "北客" in text or "南客" in text]
    assert named == []


def count_looks(person: str) -> int:
    with db.connection():
        return AuditEntry.select().where(AuditEntry.actor == person).count()


@pytest.mark.parametrize("purpose", ["", "tests"])
def test_who_sees_all_customers_says_first_what_for(app: APIFlask, purpose: str) -> None:
    shown = {
        "compliance": ("/customers", "/conflicts", "/gaps", "/events", "/offboardings/1"),
        "reviewer": ("/customers",),
        "auditor": ("/customers", "/conflicts", "/gaps", "/events", "/offboardings/1"),
    }
    for person, paths in shown.items():
        client = come_in(app, person, purpose=purpose)
        for path in paths:
            response = client.get(path)
            assert response.status_code == (200 if purpose else 302), path
            assert purpose or response.location.startswith("/purpose?next="), path
    assert come_in(app, "north_lead", purpose="").get("/customers").status_code == 200
    assert come_in(app, "root", purpose="").get("/events").status_code == 200


@both_ways
def test_the_doors_of_machines_know_no_login(app: APIFlask) -> None:
    client = come_in(app, "root")
    with db.connection():
        before = ApiToken.select().count()

    assert client.get("/api/v1/staff").status_code == 401
    with db.connection():
        assert ApiToken.select().count() == before
        assert Login.select().where(Login.actor == "root").count() == 1


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_no_door_takes_other_methods(app: APIFlask, given: dict[str, Any], method: str) -> None:
    client = come_in(app, "north_lead")

    for door in TABLE:
        response = client.open(address(door, given), method=method)
        assert response.status_code in (400, 404, 405), door


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{PUBLIC_URL}/sidebar?x=1", 200),
        ("https://console.example:8443/sidebar", 200),
        ("http://evil.example/sidebar", 404),
        (f"{PUBLIC_URL}.evil.example/sidebar", 404),
    ],
)
def test_only_our_own_pages_are_signed_whatever_name_the_browser_asked(
    tmp_path: Path, url: str, status: int
) -> None:
    app = open_house(
        f"sqlite:///{tmp_path}/kegui.db", KEGUI_CONSOLE_URL="https://console.example:8443/"
    )
    migrations.up()
    with db.connection():
        add_two_departments()
    cookie = come_in(app, "north_staff").get_cookie("kegui")
    assert cookie is not None

    answer = app.test_client(use_cookies=False).get(
        "/sidebar/signature",
        query_string={"url": url, "as": "corp"},
        headers={"Host": "evil.example", "Cookie": f"kegui={cookie.value}"},
    )

    assert answer.status_code == status
    cast(Any, db.database.obj).close_all()


# ------------------------------------------------------------------------- what every answer is


REVEALED = "/customers/wm_north_1/phones"


def test_a_page_that_only_a_form_gives_leads_to_the_page_above_it(app: APIFlask) -> None:
    """In another language, or in other colours, nothing is revealed once more."""
    client = come_in(app, "north_lead")
    token = token_of(client)

    shown = send(client, REVEALED, token).get_data(as_text=True)
    client.environ_base["HTTP_REFERER"] = f"http://localhost{REVEALED}"
    recoloured = send(client, "/theme", token, theme="dark")

    assert 'href="/customers/wm_north_1?lang=en"' in shown
    assert recoloured.location == "/customers/wm_north_1"


@pytest.mark.parametrize(
    ("method", "path", "form", "status", "said"),
    [
        ("GET", REVEALED, {}, 405, "没有这个页面"),
        ("GET", "/theme", {}, 405, "没有这个页面"),
        ("POST", "/conflicts/1/resolve", {"owner": "x" * 2_000_000}, 413, "内容过长"),
        (
            "POST",
            "/conflicts/1/resolve",
            {"owner": "x" * 601},
            422,
            "“owner”一项填写了 601，上限为 600",
        ),
        ("POST", "/conflicts/1/resolve", {"reason": "x" * 1001}, 422, "上限为 1000"),
        ("GET", f"/customers?q={'x' * 601}", {}, 422, "上限为 600"),
        ("GET", f"/moves/new?{'external_userid=x&' * 101}", {}, 422, "上限为 100"),
    ],
)
def test_what_cannot_be_asked_for_so_is_a_page_too(
    app: APIFlask, method: str, path: str, form: dict[str, str], status: int, said: str
) -> None:
    client = come_in(app, "north_lead")

    answer = client.open(path, method=method, data=form)

    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert said in answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert (status == 405) == ("POST" in answer.headers.get("Allow", ""))


@pytest.mark.parametrize("person", PEOPLE)
def test_every_text_of_a_form_has_a_maximum(
    app: APIFlask, given: dict[str, Any], person: str
) -> None:
    client = come_in(app, person)
    unlimited = []
    for door in TABLE:
        if not door.startswith("GET") or door.startswith("GET /contact-ways/<way_id>/qr"):
            continue
        page = client.get(address(door, given)).get_data(as_text=True)
        for typed in re.findall(r'<input[^>]* type="(?:text|search)"[^>]*>|<textarea[^>]*>', page):
            if "maxlength=" not in typed:
                unlimited.append((door, typed))

    assert unlimited == []


@both_ways
def test_above_every_form_there_is_a_page(app: APIFlask, given: dict[str, Any]) -> None:
    """Where the reader goes who changes the language there."""
    pages = app.url_map.bind("")

    for door in TABLE:
        above = "/"
        with app.test_request_context():
            above = page_at(address(door, given).partition("?")[0])
        pages.match(above, method="GET")


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/healthz", "/api/v1/x", "/api/x", "/wecom/x", "/theme"]
)
def test_no_answer_is_guessed_at_and_tls_stays(app: APIFlask, path: str) -> None:
    client = app.test_client()

    plain = client.get(path)
    by_tls = client.get(path, base_url="https://kegui.example")

    assert plain.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in plain.headers
    assert by_tls.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_an_answer_of_the_api_is_no_page(app: APIFlask) -> None:
    policy = app.test_client().get("/api/v1/customers").headers["Content-Security-Policy"]

    assert policy == "default-src 'none'; frame-ancestors 'none'"


def test_whatever_host_is_said_no_answer_leads_there(app: APIFlask) -> None:
    client = come_in(app, "north_lead")

    answer = client.get("/customers//wm_north_1", headers={"Host": "evil.example"})

    assert "evil.example" not in answer.headers.get("Location", "")


def test_a_phone_number_in_a_name_or_channel_is_masked(app: APIFlask) -> None:
    client = come_in(app, "north_staff")
    with db.connection():
        Customer.update(name="王先生13912345678", channel="139 1234 5678").where(
            Customer.external_userid == "wm_north_1"
        ).execute()

    pages = {
        path: client.get(path).get_data(as_text=True)
        for path in ("/customers", "/customers/wm_north_1", "/conflicts", "/gaps")
    }
    sidebar = client.get("/sidebar/customers/wm_north_1").get_data(as_text=True)

    for text in (*pages.values(), sidebar):
        assert "王先生139…" in text
        assert "12345678" not in text
        assert "1234 5678" not in text
