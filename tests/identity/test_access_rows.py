"""Who can write to the database lets nobody in: rows that grant access are Kegui's or nobody's."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import peewee
import pyotp
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import bot
from bot import clock, db, jobs
from bot.app import create_app
from bot.audit.log import Who
from bot.capabilities import JOBS
from bot.identity import local_users, logins, roles, second_factors, tokens
from bot.kegui import Kegui
from bot.models import (
    TABLES,
    Alarm,
    ApiToken,
    LocalUser,
    Login,
    RoleGrant,
    SecondFactor,
)
from bot.models.granting import Granting
from bot.operations import data_keys
from bot.reason import in_words
from bot.rights import Role
from bot.sync import renames
from config import settings
from tests.console.conftest import COMPLETE, add_person, log_in, submit
from tests.test_cli import Kegui as Command
from tests.test_cli import environment, kegui, network

__all__ = ["environment", "kegui", "network"]
[LOOK] = [job for job in JOBS if job.name == "access.look_for_forged"]
PASSWORD = "a lantern beneath nine bridges"
TERMINAL = Who("cli:test")
# An administrator has it, and no auditor.
GRANTING = "/rights/proposals/new"
COOKIE = "a token of somebody who was never let in"
# Columns of these tables that let nobody do anything.
DECIDE_NOTHING = {
    ApiToken: {"id", "last_used_at"},
    LocalUser: set(),
    Login: {"id", "seen_at", "address", "browser"},
    RoleGrant: {"id"},
    SecondFactor: {"last_step"},
}


@pytest.fixture
def app(database_url: str, queue_url: str) -> Iterator[APIFlask]:
    """The whole application: boss is an administrator, anna an auditor; both are logged in."""
    made = create_app(
        settings.load(
            {**COMPLETE, "KEGUI_DATABASE_URL": database_url, "KEGUI_QUEUE_URL": queue_url}
        )
    )
    with db.connection():
        add_person("boss", "老板", Role.ADMINISTRATOR)
        add_person("anna", "安娜", Role.AUDITOR)
    yield made
    cast(Any, db.database.obj).close_all()


@pytest.fixture
def house(app: APIFlask) -> Kegui:
    """What the application acts with."""
    return cast(Kegui, app.extensions["console"])


def browser_of(app: APIFlask, actor: str) -> FlaskClient:
    browser = app.test_client()
    with db.connection():
        log_in(browser, actor)
    return browser


def call(app: APIFlask, token: str) -> TestResponse:
    return app.test_client().get("/api/v1/staff", headers={"Authorization": f"Bearer {token}"})


# ------------------------------------------------------------------ what somebody with SQL does


def table(name: str) -> Any:
    return peewee.Table(name).bind(db.database)


def edit(name: str, where: dict[str, Any], /, **changes: Any) -> None:
    """Change a row as somebody does who has the database and not the key."""
    row = table(name)
    with db.connection():
        query = row.update({getattr(row.c, column): value for column, value in changes.items()})
        for column, value in where.items():
            query = query.where(getattr(row.c, column) == value)
        assert query.execute() == 1


def copy(name: str, where: dict[str, Any], /, **changes: Any) -> None:
    """Insert a row that is another one but for these changes, and has its MAC."""
    with db.connection():
        query = table(name).select(peewee.SQL("*"))
        for column, value in where.items():
            query = query.where(getattr(table(name).c, column) == value)
        [row] = list(query.dicts())
        row = {column: value for column, value in row.items() if column != "id"} | changes
        if "scopes" in row and not isinstance(row["scopes"], str):
            row["scopes"] = peewee.Value(db_json(row["scopes"]), converter=False)
        made = table(name)
        made.insert({getattr(made.c, column): value for column, value in row.items()}).execute()


def db_json(value: Any) -> Any:
    return ApiToken.scopes.db_value(value)


# ------------------------------------------------------------------------------------- roles


def test_a_role_that_was_inserted_grants_nothing(app: APIFlask) -> None:
    anna = browser_of(app, "anna")
    assert anna.get("/audit").status_code == 200
    assert anna.get(GRANTING).status_code == 403

    copy("role_grant", {"actor": "boss"}, actor="anna")

    assert anna.get(GRANTING).status_code == 403
    assert anna.get("/audit").status_code == 200
    assert "安娜" not in who_is(browser_of(app, "boss"), "管理员")


def who_is(boss: FlaskClient, role: str) -> str:
    """The lines of the page of roles that name a role."""
    page = boss.get("/rights").get_data(as_text=True)
    return "\n".join(line for line in re.findall(r"(?s)<tr.*?</tr>", page) if role in line)


@pytest.mark.parametrize("change", [{"role": "administrator"}, {"actor": "bert"}])
def test_a_role_that_was_edited_grants_nothing(app: APIFlask, change: dict[str, str]) -> None:
    with db.connection():
        add_person("bert", "贝特")
    edit("role_grant", {"actor": "anna"}, **change)

    for actor in ("anna", "bert"):
        for page in (GRANTING, "/audit"):
            assert browser_of(app, actor).get(page).status_code == 403


def test_a_role_that_was_taken_back_does_not_come_back_by_its_mark(
    app: APIFlask, house: Kegui
) -> None:
    with db.connection(), db.transaction():
        roles.revoke("anna", Role.AUDITOR, None, TERMINAL, house)

    edit("role_grant", {"actor": "anna"}, revoked_at=None, revoked_by=None)

    assert browser_of(app, "anna").get("/audit").status_code == 403


def test_a_forged_role_is_not_in_the_way_of_a_real_one(app: APIFlask, house: Kegui) -> None:
    copy("role_grant", {"actor": "boss"}, actor="anna")

    with db.connection(), db.transaction():
        assert roles.grant("anna", Role.AUDITOR, None, TERMINAL, house) is False
        roles.revoke("anna", Role.AUDITOR, None, TERMINAL, house)
        assert roles.grant("anna", Role.ADMINISTRATOR, None, TERMINAL, house) is True

    assert browser_of(app, "anna").get(GRANTING).status_code == 200


def test_the_last_administrator_stays_beside_a_forged_one(app: APIFlask, house: Kegui) -> None:
    copy("role_grant", {"actor": "boss"}, actor="anna")

    with db.connection(), pytest.raises(roles.NotPossible) as refused:
        roles.propose(roles.REVOKE, "boss", Role.ADMINISTRATOR, None, Who("boss"), house)

    assert refused.value.why is roles.Obstacle.LAST_ADMINISTRATOR


# ------------------------------------------------------------------------------------ logins


def test_a_login_that_was_inserted_lets_nobody_in(app: APIFlask) -> None:
    browser_of(app, "boss")
    copy("login", {"actor": "boss"}, digest=logins.digest(COOKIE))
    browser = app.test_client()
    with browser.session_transaction() as cookie:
        cookie["login"] = COOKIE

    answer = browser.get("/account")

    assert answer.status_code == 302
    assert "/login" in answer.location


@pytest.mark.parametrize("column", ["actor", "stepped_up_at", "expires_at"])
def test_a_login_that_was_edited_is_over(app: APIFlask, column: str) -> None:
    anna = browser_of(app, "anna")
    assert anna.get("/account").status_code == 200
    later = (clock.now() + timedelta(hours=9)).isoformat(sep=" ", timespec="microseconds")

    edit("login", {"actor": "anna"}, **{column: "boss" if column == "actor" else later})

    assert anna.get("/account").status_code == 302


def token_in(browser: FlaskClient) -> str:
    with browser.session_transaction() as cookie:
        return str(cookie["login"])


def test_a_login_that_ended_stays_over(app: APIFlask) -> None:
    anna = browser_of(app, "anna")
    token = token_in(anna)
    submit(anna, "/login/out")
    with anna.session_transaction() as cookie:
        cookie["login"] = token
    edit("login", {"actor": "anna"}, ended_at=None)

    assert anna.get("/account").status_code == 302


def test_a_login_is_seen_and_goes_on(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = browser_of(app, "anna")
    later = clock.now() + timedelta(minutes=5)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert anna.get("/account").status_code == 200
    assert anna.get("/account").status_code == 200


# ------------------------------------------------------------------------------------ tokens


@pytest.fixture
def token(app: APIFlask, house: Kegui) -> str:
    """May read, and answers to boss."""
    with db.connection():
        made = tokens.make("hr", ["read"], Who("boss"), house, days=30)
    assert call(app, made).status_code == 200
    return made


def test_a_token_that_was_inserted_calls_nothing(app: APIFlask, token: str) -> None:
    copy("api_token", {"name": "hr"}, name="mine", digest=tokens.digest("kgt_mine"))

    assert call(app, "kgt_mine").status_code == 401
    assert call(app, token).status_code == 200


def test_a_token_that_was_edited_calls_nothing(app: APIFlask, token: str) -> None:
    edit("api_token", {"name": "hr"}, scopes=peewee.Value(db_json(["admin"]), converter=False))

    assert call(app, token).status_code == 401
    page = browser_of(app, "boss").get("/tokens?state=ended").get_data(as_text=True)
    assert "记录并非客规写入或被改动，已失效" in page


def test_a_token_that_was_revoked_stays_so(app: APIFlask, house: Kegui, token: str) -> None:
    with db.connection():
        tokens.revoke(ApiToken.get(ApiToken.name == "hr"), TERMINAL, house)
    edit("api_token", {"name": "hr"}, revoked_at=None)

    assert call(app, token).status_code == 401


def test_nobody_consents_to_a_token_that_was_inserted(app: APIFlask, token: str) -> None:
    digest = tokens.digest("kgt_mine")
    copy("api_token", {"name": "hr"}, name="x", digest=digest, owner="anna", consented_at=None)
    anna = browser_of(app, "anna")
    assert ">x<" not in anna.get("/account").get_data(as_text=True)
    with db.connection():
        number = ApiToken.get(ApiToken.name == "x").id

    submit(anna, f"/account/tokens/{number}/consent")

    assert call(app, "kgt_mine").status_code == 401


def test_the_use_of_a_token_is_noted_and_changes_nothing(app: APIFlask, token: str) -> None:
    with db.connection():
        assert ApiToken.get(ApiToken.name == "hr").last_used_at is not None
    assert call(app, token).status_code == 200


# ------------------------------------------------------------------------ local administrators


@pytest.fixture
def secret(app: APIFlask, house: Kegui) -> str:
    """That of ops, a local administrator whose app is confirmed."""
    with db.connection():
        made = local_users.create_admin("ops", PASSWORD, TERMINAL, house)
        code = pyotp.TOTP(made).at(clock.now() - timedelta(seconds=30))
        assert second_factors.confirm("local:ops", code, TERMINAL, house)
    return made


def come_in(app: APIFlask, name: str, secret: str) -> bool:
    """Whether name, password and code let somebody in."""
    browser = app.test_client()
    code = pyotp.TOTP(secret).at(clock.now())
    submit(browser, "/login/local", name=name, password=PASSWORD, code=code)
    return browser.get("/account").status_code == 200


def test_a_local_administrator_comes_in(app: APIFlask, secret: str) -> None:
    assert come_in(app, "ops", secret)


def test_a_local_administrator_who_was_inserted_stays_out(app: APIFlask, secret: str) -> None:
    copy("local_user", {"name": "ops"}, name="evil")
    copy("role_grant", {"actor": "local:ops"}, actor="local:evil")
    copy("second_factor", {"actor": "local:ops"}, actor="local:evil")

    assert not come_in(app, "evil", secret)


@pytest.mark.parametrize(
    ("name", "column"),
    [("local_user", "created_at"), ("local_user", "userid"), ("second_factor", "created_at")],
)
def test_a_local_administrator_who_was_edited_stays_out(
    app: APIFlask, secret: str, name: str, column: str
) -> None:
    key = {"name": "ops"} if name == "local_user" else {"actor": "local:ops"}
    value = "anna" if column == "userid" else "2026-01-01 00:00:00.000000+00:00"
    edit(name, key, **{column: value})

    assert not come_in(app, "ops", secret)


def test_a_local_administrator_who_is_in_goes_out_with_an_edit(app: APIFlask, secret: str) -> None:
    browser = browser_of(app, "local:ops")
    assert browser.get(GRANTING).status_code == 200

    edit("local_user", {"name": "ops"}, userid="anna")

    assert browser.get(GRANTING).status_code == 302


def test_a_forged_app_is_not_in_the_way_of_a_new_one(app: APIFlask, house: Kegui) -> None:
    with db.connection():
        first = second_factors.prepare("anna", house.vault)
        assert second_factors.confirm("anna", pyotp.TOTP(first).now(), TERMINAL, house)
    edit("second_factor", {"actor": "anna"}, created_at="2026-01-01 00:00:00.000000+00:00")

    anna = app.test_client()
    with db.connection():
        log_in(anna, "anna", stepped_up=True)
    page = anna.get("/account/second-factor").get_data(as_text=True)

    with db.connection():
        new = second_factors.pending_secret("anna", house.vault)
        assert new is not None
        assert new != first
    assert new in page.replace(" ", "")


# --------------------------------------------------------------------- what Kegui changes itself


def test_under_a_new_userid_all_that_is_genuine_goes_on(
    app: APIFlask, house: Kegui, token: str
) -> None:
    boss = browser_of(app, "boss")
    with db.connection():
        app_secret = second_factors.prepare("boss", house.vault)
        code = pyotp.TOTP(app_secret).at(clock.now() - timedelta(seconds=30))
        assert second_factors.confirm("boss", code, TERMINAL, house)
    copy("role_grant", {"actor": "anna"}, actor="boss")

    with db.connection():
        renames.rename("boss", "bossy", clock.now(), TERMINAL, house)

    assert boss.get(GRANTING).status_code == 200
    assert boss.get("/audit").status_code == 403
    assert call(app, token).status_code == 200
    with db.connection():
        assert second_factors.proves("bossy", pyotp.TOTP(app_secret).now(), house.vault)


def test_what_is_sealed_anew_proves_as_before(app: APIFlask, house: Kegui) -> None:
    with db.connection():
        secret = second_factors.prepare("anna", house.vault)
        code = pyotp.TOTP(secret).at(clock.now() - timedelta(seconds=30))
        assert second_factors.confirm("anna", code, TERMINAL, house)
        data_keys.establish(COMPLETE["KEGUI_DATA_KEY"], house.vault, TERMINAL)
        data_keys.add(COMPLETE["KEGUI_DATA_KEY"], house.vault, TERMINAL)
        data_keys.reseal(house.vault)

        assert second_factors.proves("anna", pyotp.TOTP(secret).now(), house.vault)


# -------------------------------------------------------------------------- what is told of it


def test_a_forged_row_is_an_alarm_until_it_is_taken_back(
    app: APIFlask, house: Kegui, token: str, secret: str
) -> None:
    browser_of(app, "boss")
    copy("role_grant", {"actor": "boss"}, actor="anna")
    copy("api_token", {"name": "hr"}, name="x", digest="x")
    copy("login", {"actor": "boss"}, digest="x")
    copy("local_user", {"name": "ops"}, name="evil")
    copy("second_factor", {"actor": "local:ops"}, actor="anna")

    jobs.run_once(LOOK, house)

    with db.connection():
        told = {alarm.subject.split()[0] for alarm in forged()}
        assert told == {"role_grant", "api_token", "login", "local_user", "second_factor"}
        [about_role] = [one for one in forged() if one.subject.startswith("role_grant")]
        assert "kegui user revoke anna administrator" in in_words(about_role.advice)
        with db.transaction():
            assert roles.revoke("anna", Role.ADMINISTRATOR, None, TERMINAL, house)
        tokens.revoke(ApiToken.get(ApiToken.name == "x"), TERMINAL, house)
        logins.end_all_of("boss", TERMINAL, house)
        assert local_users.disable("evil", TERMINAL, house)
        assert second_factors.remove("anna", TERMINAL, house)

    jobs.run_once(LOOK, house)

    with db.connection():
        assert forged() == []


def forged() -> list[Alarm]:
    return list(Alarm.select().where(Alarm.kind == "access_row_forged", Alarm.ended_at.is_null()))


def test_without_the_keys_of_the_database_nothing_is_believed(
    kegui: Command, app: APIFlask
) -> None:
    assert kegui("migrate").exit_code == 0
    anna = browser_of(app, "anna")
    copy("role_grant", {"actor": "boss"}, actor="anna", mac=None)
    with db.connection():
        db.database.execute_sql("DELETE FROM data_key")

    assert kegui("migrate").exit_code == 1

    assert anna.get(GRANTING).status_code == 503


def test_the_lists_of_the_terminal_name_no_forged_role(
    kegui: Command, app: APIFlask, token: str
) -> None:
    copy("role_grant", {"actor": "boss"}, actor="anna")
    edit("api_token", {"name": "hr"}, owner="anna")

    people = kegui("user", "list")
    listed = kegui("token", "list")

    assert people.exit_code == listed.exit_code == 0
    [anna] = [line for line in people.stdout.splitlines() if line.startswith("anna")]
    assert "administrator" not in anna
    assert listed.stdout.rstrip().endswith("not genuine")


# ------------------------------------------------------------------------------ how it is written


def test_every_column_that_decides_is_signed() -> None:
    granting = [model for model in TABLES if issubclass(model, Granting)]

    assert set(granting) == set(DECIDE_NOTHING)
    for model in granting:
        fields = set(cast(Any, model)._meta.fields) - {"mac"}
        assert fields - set(model.signed()) == DECIDE_NOTHING[model], model.__name__


@pytest.mark.parametrize("model", DECIDE_NOTHING, ids=lambda model: model.__name__)
def test_what_is_signed_is_changed_with_its_mac_only(model: type[Granting]) -> None:
    for name in [*model.signed(), "mac"]:
        for given in (lambda name: {name: None}, lambda name: {getattr(model, name): None}):
            with pytest.raises(TypeError, match="only change"):
                model.update(given(name))
        with pytest.raises(TypeError, match="only change"):
            model.update(**{name: None})


WRITES = ("update", "insert", "replace", "bulk", "set_by", "raw")
UNSIGNED = {model.__name__: decide_nothing for model, decide_nothing in DECIDE_NOTHING.items()}


def test_no_code_writes_such_rows_in_another_way() -> None:
    names = {model.__name__ for model in DECIDE_NOTHING}
    tables = "|".join(sorted(cast(Any, model)._meta.table_name for model in DECIDE_NOTHING))
    written = []
    for path in sorted(Path(bot.__file__).parent.rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            model, act = ast.unparse(node.func.value), node.func.attr
            if model not in names or not act.startswith(WRITES):
                continue
            free = set() if node.args else {given.arg for given in node.keywords}
            if act != "update" or not free or not free <= UNSIGNED[model]:
                written.append(f"{path.name}: {ast.unparse(node)}")
        if re.search(rf"(?i)\b(UPDATE|INTO)\s+({tables})\b", text):
            written.append(f"{path.name}: SQL")

    assert written == []
