"""Sessions: what ends them, and that nothing of an ended one is worth anything."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock, db
from bot.audit.log import Who
from bot.db import transaction
from bot.identity import logins, roles
from bot.models import (
    AuditEntry,
    Department,
    Handover,
    LocalUser,
    Login,
    RoleGrant,
    Staff,
)
from bot.rights import Role
from tests import leavers
from tests.console.conftest import MORNING, add_person
from tests.console.test_every_page import queries_of
from tests.console.two_departments import come_in, open_house, send, token_of

COOKIE = "kegui"
BY = Who("somebody")


class Clock:
    """Time that passes when a test says so, from the beginning of an app's 30 seconds."""

    def __init__(self) -> None:
        self.at = clock.now()
        self.at -= timedelta(seconds=self.at.timestamp() % 30)

    def now(self) -> Any:
        return self.at

    def passes(self, **length: float) -> None:
        self.at += timedelta(**length)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "now", made.now)
    return made


@pytest.fixture
def app(sqlite_url: str) -> Iterator[APIFlask]:
    """The whole application beside the sandbox, in which one can be whoever one likes."""
    made = open_house(sqlite_url, KEGUI_SANDBOX="1")
    with db.connection():
        add_person("anna", "安娜", Role.COMPLIANCE_OFFICER)
        add_person("bert", "贝特", Role.AUDITOR)
    yield made
    cast(Any, db.database.obj).close_all()


def enter(client: FlaskClient, actor: str) -> None:
    """Log in as a person does beside the sandbox."""
    token = token_of(client)
    assert send(client, "/login/sandbox", token, userid=actor).location == "/"


def cookie_of(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE)
    assert found is not None
    return str(found.value)


def browser_with(app: APIFlask, cookie: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie(COOKIE, cookie)
    return client


def is_in(client: FlaskClient) -> bool:
    """Whether the browser is logged in; if not, it is sent to the login and shown nothing."""
    response = client.get("/account")
    if response.status_code == 200:
        return True
    assert response.status_code == 302
    assert response.location.startswith("/login?next=")
    return False


def entries(act: str) -> list[AuditEntry]:
    with db.connection():
        return list(AuditEntry.select().where(AuditEntry.act == act))


def test_a_cookie_from_before_the_login_is_worth_nothing_after_it(app: APIFlask) -> None:
    client = app.test_client()
    client.get("/login")
    token_of(client)
    planted = cookie_of(client)

    enter(client, "anna")

    assert is_in(client)
    assert cookie_of(client) != planted
    assert not is_in(browser_with(app, planted))


def test_who_enters_ends_the_login_that_the_browser_had(app: APIFlask) -> None:
    client = app.test_client()
    enter(client, "anna")
    before = cookie_of(client)

    enter(client, "bert")

    assert is_in(client)
    assert not is_in(browser_with(app, before))
    assert [entry.actor for entry in entries("login.end")] == ["anna"]


def test_a_form_from_before_the_login_is_worth_nothing_after_it(app: APIFlask) -> None:
    client = app.test_client()
    before = token_of(client)

    enter(client, "anna")

    assert send(client, "/account/logins/end-others", before).status_code == 400


def test_after_the_logout_a_kept_cookie_opens_nothing(app: APIFlask) -> None:
    client = come_in(app, "anna")
    kept = cookie_of(client)

    send(client, "/login/out", token_of(client))

    assert not is_in(client)
    assert not is_in(browser_with(app, kept))
    [entry] = entries("login.end")
    assert (entry.actor, entry.details["person"]) == ("anna", "anna")


def test_a_login_that_was_ended_elsewhere_is_over(app: APIFlask) -> None:
    lost, mine = come_in(app, "anna"), come_in(app, "anna")
    with db.connection():
        number = Login.select().order_by(Login.id).first().id

    send(mine, f"/account/logins/{number}/end", token_of(mine))

    assert is_in(mine)
    assert not is_in(lost)


def test_nobody_ends_anothers_login(app: APIFlask) -> None:
    theirs, mine = come_in(app, "anna"), come_in(app, "bert")
    with db.connection():
        number = Login.get(Login.actor == "anna").id

    answer = send(mine, f"/account/logins/{number}/end", token_of(mine))

    assert answer.status_code == 404
    assert is_in(theirs)


def test_an_idle_login_is_over(app: APIFlask, time: Clock) -> None:
    client = come_in(app, "anna")
    with db.connection():
        Login.change(Login.id > 0, expires_at=time.at + timedelta(days=1))
    idle = app.extensions["console"].settings.session_idle_minutes

    time.passes(minutes=idle - 1)
    assert is_in(client)
    time.passes(minutes=idle - 1)
    assert is_in(client)
    time.passes(minutes=idle + 1)
    assert not is_in(client)


def test_a_login_ends_however_busy_somebody_is(app: APIFlask, time: Clock) -> None:
    client = app.test_client()
    enter(client, "anna")
    settings = app.extensions["console"].settings
    ends = time.at + timedelta(hours=settings.session_hours)

    while time.at < ends:
        assert is_in(client)
        time.passes(minutes=settings.session_idle_minutes - 1)

    assert not is_in(client)


def test_the_database_holds_nothing_that_opens_a_session(app: APIFlask) -> None:
    client = app.test_client()
    enter(client, "anna")
    with client.session_transaction() as cookie:
        token = cookie["login"]

    with db.connection():
        row = Login.get()
        assert token not in str(row.__data__)
        assert row.digest == logins.digest(token)
    forged = app.test_client()
    with forged.session_transaction() as cookie:
        cookie["login"] = row.digest
    assert not is_in(forged)


def test_a_cookie_that_others_signed_is_none(app: APIFlask) -> None:
    client = come_in(app, "anna")
    app.secret_key = "another"

    assert not is_in(client)


def vanish(userid: str) -> None:
    Staff.delete().where(Staff.userid == userid).execute()


@pytest.mark.parametrize("leave", [*leavers.WAYS, vanish])
def test_who_leaves_is_out_with_the_next_request(app: APIFlask, leave: Any) -> None:
    client = come_in(app, "anna")
    kept = cookie_of(client)
    assert is_in(client)

    with db.connection():
        leave("anna")

    assert client.get("/customers").location.startswith("/login?next=")
    assert not is_in(browser_with(app, kept))
    [entry] = entries("login.end")
    assert (entry.actor, entry.details["why"]) == ("anna", "has_left")


def test_on_the_last_day_itself_somebody_still_works(app: APIFlask) -> None:
    client = come_in(app, "anna")

    with db.connection():
        leavers.see_the_last_day_end("anna")
        Handover.update(last_day=(clock.now() + timedelta(hours=8)).date()).execute()

    assert is_in(client)


def test_a_local_administrator_who_is_disabled_is_out_with_the_next_request(app: APIFlask) -> None:
    with db.connection():
        LocalUser.create(name="ops", password_hash="x", created_at=MORNING)
    client = come_in(app, "local:ops")
    assert is_in(client)

    with db.connection():
        LocalUser.change(LocalUser.disabled_at.is_null(), disabled_at=clock.now())

    assert not is_in(client)
    assert [entry.actor for entry in entries("login.end")] == ["local:ops"]


def test_a_role_that_is_taken_back_is_gone_with_the_next_request(app: APIFlask) -> None:
    client = come_in(app, "anna")
    assert client.get("/gaps").status_code == 200

    with db.connection(), transaction():
        roles.revoke("anna", Role.COMPLIANCE_OFFICER, None, BY, app.extensions["console"])

    assert client.get("/gaps").status_code == 403
    with db.connection():
        assert RoleGrant.select().where(RoleGrant.revoked_at.is_null()).count() == 1


def test_who_leads_a_department_no_more_manages_nobody_with_the_next_request(
    app: APIFlask,
) -> None:
    with db.connection():
        add_person("carl", "卡尔", leads=7)
    client = come_in(app, "carl")
    assert client.get("/staff").status_code == 200

    with db.connection():
        Department.update(leaders=["another"]).execute()

    assert client.get("/staff").status_code == 403


def test_a_second_factor_counts_for_ten_minutes(app: APIFlask, time: Clock) -> None:
    client = come_in(app, "anna", stepped_up=True)
    assert client.get("/account/second-factor").status_code == 200

    time.passes(minutes=9, seconds=59)
    assert client.get("/account/second-factor").status_code == 200
    time.passes(seconds=2)

    assert client.get("/account/second-factor").location.startswith("/step-up?next=")
    token = token_of(client)
    answer = send(client, "/account/second-factor/remove", token)
    assert answer.location.startswith("/step-up?next=")


def test_a_second_factor_counts_in_the_browser_where_it_was_shown(app: APIFlask) -> None:
    come_in(app, "anna", stepped_up=True)
    other = come_in(app, "anna", stepped_up=False)

    assert other.get("/account/second-factor").status_code == 302


def test_a_clock_set_back_proves_nothing_for_ever(app: APIFlask, time: Clock) -> None:
    client = come_in(app, "anna", stepped_up=True)

    time.passes(hours=-3)

    assert client.get("/account/second-factor").status_code == 302


def test_what_somebody_looks_for_is_asked_anew_in_the_next_login(app: APIFlask) -> None:
    client = come_in(app, "anna")
    assert client.get("/customers").status_code == 200

    enter(client, "bert")

    assert client.get("/customers").location.startswith("/purpose")


# ------------------------------------------------------------------- the logins of others


def rows_of(client: FlaskClient, path: str = "/rights/logins") -> list[str]:
    """The rows of the list of logins."""
    text = client.get(path).get_data(as_text=True)
    return [part.partition("</tr>")[0] for part in text.split("<tr>")[2:]]


@pytest.fixture
def admin(app: APIFlask) -> FlaskClient:
    """The browser of an administrator who has just proved a second factor."""
    with db.connection():
        add_person("root", "管理员甲", Role.ADMINISTRATOR)
        LocalUser.create(name="ops", password_hash="x", created_at=MORNING)
    return come_in(app, "root")


def test_an_administrator_sees_who_is_in_where_and_since_when(
    app: APIFlask, admin: FlaskClient
) -> None:
    come_in(app, "anna")
    come_in(app, "local:ops")
    with db.connection():
        began = clock.now().replace(hour=1, minute=7) - timedelta(days=1)
        Login.change(Login.actor == "anna", began_at=began, address="10.9.8.7", browser="A phone")

    [row] = [row for row in rows_of(admin) if "安娜" in row]

    assert "10.9.8.7" in row
    assert "A phone" in row
    assert f"{began:%Y-%m-%d} 09:07" in row
    assert 'href="/rights/logins/anna/end"' in row
    assert len(rows_of(admin)) == 3
    assert not any('href="/rights/logins/root/end"' in row for row in rows_of(admin))


@pytest.mark.parametrize("typed", ["安娜", "anna", "ANNA"])
def test_the_logins_of_one_person_are_found_by_name_or_account(
    app: APIFlask, admin: FlaskClient, typed: str
) -> None:
    come_in(app, "anna")

    [row] = rows_of(admin, f"/rights/logins?q={typed}")

    assert "安娜" in row


@pytest.mark.parametrize("typed", ["ops", "local:ops"])
def test_the_logins_of_a_local_administrator_are_found(
    app: APIFlask, admin: FlaskClient, typed: str
) -> None:
    come_in(app, "local:ops")

    [row] = rows_of(admin, f"/rights/logins?q={typed}")

    assert "/rights/logins/local:ops/end" in row


@pytest.mark.parametrize(
    "over",
    [
        {"ended_at": MORNING},
        {"expires_at": MORNING},
        {"seen_at": MORNING - timedelta(days=1)},
    ],
)
def test_a_login_that_is_over_is_not_listed(
    app: APIFlask, admin: FlaskClient, over: dict[str, Any]
) -> None:
    come_in(app, "anna")
    with db.connection():
        Login.change(Login.actor == "anna", **over)

    assert "目前没有登录" in admin.get("/rights/logins?q=anna").get_data(as_text=True)


def test_many_logins_take_no_more_queries(app: APIFlask, admin: FlaskClient) -> None:
    come_in(app, "anna")
    few = queries_of(admin, "/rights/logins")
    for number in range(60):
        with db.connection():
            add_person(f"person{number}", f"成员{number}")
        come_in(app, f"person{number}")

    assert queries_of(admin, "/rights/logins") == few < 15


@pytest.mark.parametrize("actor", ["anna", "local:ops"])
def test_an_administrator_ends_all_logins_of_a_person(
    app: APIFlask, admin: FlaskClient, actor: str
) -> None:
    phone, desk, other = (come_in(app, one) for one in (actor, actor, "bert"))
    page = admin.get(f"/rights/logins/{actor}/end").get_data(as_text=True)
    assert "全部 2 个登录" in page
    assert is_in(phone)

    answer = send(admin, f"/rights/logins/{actor}/end", token_of(admin))

    assert answer.location == "/rights/logins"
    assert "的 2 个登录，立即生效" in admin.get(answer.location).get_data(as_text=True)
    assert (is_in(phone), is_in(desk)) == (False, False)
    assert (is_in(other), is_in(admin)) == (True, True)
    ended = [(one.actor, one.details["person"], one.details["why"]) for one in entries("login.end")]
    assert ended == [("root", actor, "by_an_administrator")] * 2


def test_ending_logins_again_ends_and_writes_down_nothing(
    app: APIFlask, admin: FlaskClient
) -> None:
    come_in(app, "anna")
    token = token_of(admin)
    send(admin, "/rights/logins/anna/end", token)

    again = send(admin, "/rights/logins/anna/end", token)

    assert "目前没有登录" in admin.get(again.location).get_data(as_text=True)
    assert admin.get("/rights/logins/anna/end").location == "/rights/logins"
    assert len(entries("login.end")) == 1


def test_ones_own_logins_are_ended_on_the_page_of_the_account(
    app: APIFlask, admin: FlaskClient
) -> None:
    shown = admin.get("/rights/logins/root/end")
    sent = send(admin, "/rights/logins/root/end", token_of(admin))

    assert shown.location == sent.location == "/account"
    assert is_in(admin)


def test_the_audit_log_says_in_words_who_ended_a_login(app: APIFlask, admin: FlaskClient) -> None:
    come_in(app, "anna")
    send(admin, "/rights/logins/anna/end", token_of(admin))

    log = come_in(app, "bert").get("/audit?act=login.end").get_data(as_text=True)

    assert "由管理员结束" in log


def test_who_may_only_see_logins_is_offered_no_end(app: APIFlask, admin: FlaskClient) -> None:
    come_in(app, "anna")

    rows = rows_of(come_in(app, "bert"))

    assert any("安娜" in row for row in rows)
    assert not any("/end" in row for row in rows)


def test_the_page_of_logins_is_there_for_who_may_open_it_alone(
    app: APIFlask, admin: FlaskClient
) -> None:
    link = 'href="/rights/logins"'

    assert link in admin.get("/rights").get_data(as_text=True)
    assert link not in come_in(app, "anna").get("/rights").get_data(as_text=True)
