"""One human is one person: not two by a token in a colleague's name, nor as local administrator."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock, db
from bot.audit.log import Who
from bot.identity import leavers_access, local_users, roles, tokens
from bot.models import (
    ApiToken,
    AuditEntry,
    Handover,
    LocalUser,
    Login,
    Proposal,
    RoleGrant,
    Staff,
)
from bot.rights import Role
from tests import leavers
from tests.console.conftest import MORNING, add_person, in_days
from tests.console.test_tokens import hidden, secret_in
from tests.console.two_departments import come_in, open_house, send, token_of

TERMINAL = Who("cli:ops")


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[APIFlask]:
    """Root runs the house and sees to leavers as well; anna and bert are colleagues."""
    made = open_house(database_url, KEGUI_QUEUE_URL=f"sqlite:///{tmp_path / 'queue.db'}")
    with db.connection():
        add_person("root", "何平", Role.ADMINISTRATOR, Role.HR)
        add_person("anna", "安娜", Role.COMPLIANCE_OFFICER)
        add_person("bert", "贝特", Role.COMPLIANCE_OFFICER)
        Staff.create(userid="leaver", name="离职", serves=True, seen_at=MORNING)
    yield made
    made.extensions["console"].queue.close()
    cast(Any, db.database.obj).close_all()


@pytest.fixture
def kegui(app: APIFlask) -> Any:
    return app.extensions["console"]


def make_token(app: APIFlask, by: str, owner: str, *scopes: str) -> str:
    """Make a token on the page, as an administrator does."""
    client = come_in(app, by)
    form = {"name": f"系统 {owner}", "scopes": list(scopes) or ["offboarding"], "days": "9"}
    made = client.post(
        "/tokens/new", data={**hidden(client, "/tokens/new"), **form, "owner": owner}
    )
    return secret_in(made)


def call(app: APIFlask, token: str, method: str, path: str, body: Any = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=headers)


def register_leave(app: APIFlask, by: str) -> int:
    """Open a leave on the page; the case's number."""
    client = come_in(app, by)
    sent = send(
        client,
        "/offboardings/new",
        token_of(client),
        userid="leaver",
        last_day=str(in_days(30)),
        reason="离职",
    )
    return int(sent.location.rpartition("/")[2])


def is_approved() -> bool:
    with db.connection():
        return Handover.get().approved_at is not None


def approve_on_the_page(app: APIFlask, by: str, case: int) -> str:
    client = come_in(app, by)
    with db.connection():
        proposal = Proposal.get(Proposal.state == "open").id
    path = f"/offboardings/{case}/approve"
    send(client, path, token_of(client), proposal=proposal)
    return client.get(f"/offboardings/{case}").get_data(as_text=True)


def consent(app: APIFlask, owner: str, answer: str = "consent") -> TestResponse:
    client = come_in(app, owner)
    text = client.get("/account").get_data(as_text=True)
    [path] = re.findall(r'href="(/account/tokens/\d+)"', text)
    assert "何平" in client.get(path).get_data(as_text=True)
    return send(client, path, token_of(client), answer=answer)


# ------------------------------------------------------------ a token in a colleague's name


def test_a_token_in_a_colleagues_name_calls_nothing_before_they_consent(app: APIFlask) -> None:
    client = come_in(app, "root")
    token = make_token(app, "root", "anna")

    refused = call(app, token, "GET", "/offboardings")

    assert refused.status_code == 401
    assert "尚未同意" in refused.get_json()["detail"]
    assert "等待负责人同意" in client.get("/tokens").get_data(as_text=True)
    assert consent(app, "anna").location == "/account"
    assert call(app, token, "GET", "/offboardings").status_code == 200
    with db.connection():
        row = ApiToken.get()
        made, agreed = AuditEntry.select().where(AuditEntry.act.startswith("token."))
    assert (row.owner, row.maker) == ("anna", "root")
    assert (made.actor, made.act) == ("root", "token.create")
    assert (agreed.actor, agreed.act, agreed.details["maker"]) == ("anna", "token.consent", "root")


def test_nobody_consents_for_another(app: APIFlask) -> None:
    token = make_token(app, "root", "anna")
    with db.connection():
        number = ApiToken.get().id

    for other in ("root", "bert"):
        client = come_in(app, other)
        path = f"/account/tokens/{number}"
        assert client.get(path).status_code == 404
        assert send(client, path, token_of(client), answer="consent").status_code == 404

    assert call(app, token, "GET", "/offboardings").status_code == 401


def test_who_does_not_consent_ends_the_token(app: APIFlask) -> None:
    token = make_token(app, "root", "anna")

    consent(app, "anna", "decline")

    assert "已作废" in call(app, token, "GET", "/offboardings").get_json()["detail"]
    assert "等待您同意" not in come_in(app, "anna").get("/account").get_data(as_text=True)


def test_who_made_the_token_does_not_approve_their_own_proposal_by_it(app: APIFlask) -> None:
    token = make_token(app, "root", "anna")
    case = register_leave(app, "root")
    approve = ("POST", f"/offboardings/{case}/approve")

    early = call(app, token, *approve)
    consent(app, "anna")
    late = call(app, token, *approve)

    assert early.status_code == 401
    assert (late.status_code, late.get_json()["type"]) == (403, "urn:kegui:problem:same-person")
    assert not is_approved()
    with db.connection():
        tokens.make(
            "另一人的", ["offboarding"], Who("bert"), app.extensions["console"], owner="", days=9
        )
        RoleGrant.create(actor="bert", role="administrator", granted_by="test", granted_at=MORNING)
    approve_on_the_page(app, "bert", case)
    assert is_approved()


@pytest.mark.parametrize("human", ["anna", "root"])
def test_neither_owner_nor_maker_approves_what_the_token_proposed(
    app: APIFlask, human: str
) -> None:
    with db.connection():
        RoleGrant.create(
            actor="root", role="compliance_officer", granted_by="test", granted_at=MORNING
        )
    token = make_token(app, "root", "anna")
    consent(app, "anna")
    leave = {"userid": "leaver", "last_day": str(in_days(30))}
    case = call(app, token, "POST", "/offboardings", leave).get_json()["id"]

    page = approve_on_the_page(app, human, case)

    assert not is_approved()
    assert "须由另一位主管或合规专员审批" in page
    own = call(app, token, "POST", f"/offboardings/{case}/approve")
    assert own.get_json()["type"] == "urn:kegui:problem:same-person"
    approve_on_the_page(app, "bert", case)
    assert is_approved()


@pytest.mark.parametrize(
    ("owners", "is_one"),
    [(("anna", "anna"), True), (("anna", "bert"), False), (("", ""), False), (("anna", ""), False)],
)
def test_tokens_of_a_terminal_are_their_owners_or_systems_and_work_at_once(
    app: APIFlask, kegui: Any, owners: tuple[str, str], is_one: bool
) -> None:
    with db.connection():
        opens, approves = (
            tokens.make(f"t{number}", ["offboarding"], TERMINAL, kegui, owner=owner, days=9)
            for number, owner in enumerate(owners)
        )
    leave = {"userid": "leaver", "last_day": str(in_days(30))}
    case = call(app, opens, "POST", "/offboardings", leave).get_json()["id"]

    approved = call(app, approves, "POST", f"/offboardings/{case}/approve")

    assert approved.status_code == (403 if is_one else 200)
    assert is_approved() != is_one


def test_a_system_approves_what_it_opened_itself(app: APIFlask, kegui: Any) -> None:
    with db.connection():
        token = tokens.make("hr", ["offboarding"], TERMINAL, kegui, owner="", days=9)
    leave = {"userid": "leaver", "last_day": str(in_days(30))}
    case = call(app, token, "POST", "/offboardings", leave).get_json()["id"]

    assert call(app, token, "POST", f"/offboardings/{case}/approve").status_code == 200


def test_what_a_humans_token_changes_after_the_approval_needs_another_yes(
    app: APIFlask, kegui: Any
) -> None:
    with db.connection():
        token = tokens.make("hr", ["offboarding"], TERMINAL, kegui, owner="anna", days=9)
    case = register_leave(app, "root")
    approve_on_the_page(app, "bert", case)

    changed = call(app, token, "PATCH", f"/offboardings/{case}", {"last_day": str(in_days(20))})

    assert changed.status_code == 200
    assert not is_approved()
    assert "须由另一位" in approve_on_the_page(app, "anna", case)
    assert not is_approved()


# ------------------------------------------------------------ a token ends with its maker


def leave_for_good(userid: str) -> None:
    leavers.leave_in_wecom(userid)


def lose_the_role(userid: str) -> None:
    with db.transaction():
        roles.revoke(userid, Role.ADMINISTRATOR, None, TERMINAL, _kegui())


def _kegui() -> Any:
    return cast(Any, _house[0]).extensions["console"]


_house: list[APIFlask] = []


@pytest.mark.parametrize("end", [*leavers.WAYS, lose_the_role])
def test_a_token_ends_with_who_made_it(app: APIFlask, end: Callable[[str], None]) -> None:
    _house[:] = [app]
    token = make_token(app, "root", "anna")
    consent(app, "anna")
    assert call(app, token, "GET", "/offboardings").status_code == 200

    with db.connection():
        end("root")

    assert call(app, token, "GET", "/offboardings").status_code == 401
    with db.connection():
        add_person("boss", "老板", Role.ADMINISTRATOR)
    ended = come_in(app, "boss").get("/tokens?state=ended").get_data(as_text=True)
    assert "系统 anna" in ended


def test_a_token_whose_maker_lost_the_right_stays_ended(app: APIFlask) -> None:
    _house[:] = [app]
    token = make_token(app, "root", "root")
    with db.connection():
        lose_the_role("root")
        with db.transaction():
            roles.grant("root", Role.ADMINISTRATOR, None, TERMINAL, _kegui())
        [entry] = AuditEntry.select().where(AuditEntry.act == "token.revoke")

    assert call(app, token, "GET", "/offboardings").status_code == 401
    assert entry.details["reason"] == "maker_lost_the_right"


# ------------------------------------------------------------ a local administrator beside oneself


@pytest.fixture
def ops(app: APIFlask, kegui: Any) -> FlaskClient:
    """The browser of a local administrator whom nobody has bound to a member yet."""
    with db.connection():
        local_users.create_admin("ops", "a long password of the tests", TERMINAL, kegui)
    return come_in(app, "local:ops")


def propose_role(app: APIFlask, by: str, person: str = "leaver", role: Role = Role.REVIEWER) -> int:
    client = come_in(app, by)
    form = {"kind": "role.grant", "person": person, "role": str(role), "reason": "新岗位"}
    send(client, "/rights/proposals", token_of(client), **form)
    with db.connection():
        return int(Proposal.get(Proposal.state == "open").id)


def decide(client: FlaskClient, number: int, answer: str = "approve") -> TestResponse:
    path = f"/rights/proposals/{number}/decision"
    return send(client, path, token_of(client), answer=answer, reason="核对无误")


def state_of(number: int) -> str:
    with db.connection():
        return str(Proposal.get_by_id(number).state)


def bind(name: str, userid: str, kegui: Any) -> None:
    with db.connection():
        local_users.bind(name, userid, TERMINAL, kegui)


def test_a_local_administrator_is_bound_before_they_decide_or_propose(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    number = propose_role(app, "root")

    refused = decide(ops, number)
    form = {"kind": "role.grant", "person": "leaver", "role": "hr", "reason": "新岗位"}
    proposed = send(ops, "/rights/proposals", token_of(ops), **form)

    for answer in (refused, proposed):
        assert answer.status_code == 403
        assert "kegui user bind ops USERID" in answer.get_data(as_text=True)
    assert state_of(number) == "open"
    with db.connection():
        assert Proposal.select().count() == 1
        add_person("other", "别人")
    bind("ops", "other", kegui)
    decide(ops, number)
    assert state_of(number) == "approved"


def test_who_proposed_does_not_approve_as_local_administrator(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    bind("ops", "root", kegui)
    number = propose_role(app, "root")

    shown = ops.get(f"/rights/proposals/{number}/decision", follow_redirects=True)
    decide(ops, number)

    assert "须由另一人复核" in shown.get_data(as_text=True)
    assert state_of(number) == "open"
    with db.connection():
        assert RoleGrant.select().where(RoleGrant.actor == "leaver").count() == 0


def test_who_proposed_as_local_administrator_does_not_approve_as_a_member(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    bind("ops", "root", kegui)
    number = propose_role(app, "local:ops")

    decide(come_in(app, "root"), number)
    assert state_of(number) == "open"

    decide(come_in(app, "bert"), number)
    assert state_of(number) == "approved"


def test_nobody_gives_a_role_to_themselves_under_another_name(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    bind("ops", "leaver", kegui)
    number = propose_role(app, "anna", "leaver", Role.HR)

    shown = ops.get(f"/rights/proposals/{number}/decision", follow_redirects=True)
    decide(ops, number)

    assert "涉及您本人" in shown.get_data(as_text=True)
    assert state_of(number) == "open"


def test_a_proposal_from_before_the_binding_is_still_the_same_humans(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    """Also one that stands in the table since before anybody was bound."""
    number = propose_role(app, "root")
    bind("ops", "root", kegui)

    decide(ops, number)

    assert state_of(number) == "open"


def test_a_token_of_a_local_administrator_is_their_members(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    token = make_token(app, "local:ops", "local:ops")
    case = register_leave(app, "root")
    approve = ("POST", f"/offboardings/{case}/approve")

    unbound = call(app, token, *approve)
    bind("ops", "root", kegui)
    bound = call(app, token, *approve)

    assert unbound.get_json()["type"] == "urn:kegui:problem:not-bound"
    assert "kegui user bind ops" in unbound.get_json()["detail"]
    assert bound.get_json()["type"] == "urn:kegui:problem:same-person"
    assert not is_approved()


def test_a_local_administrator_goes_with_the_member_they_are(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    bind("ops", "root", kegui)
    token = make_token(app, "local:ops", "local:ops", "read")
    assert ops.get("/operation").status_code == 200

    with db.connection():
        leavers.see_the_last_day_end("root")
    assert ops.get("/operation").location.startswith("/login")
    with db.connection():
        leavers_access.take_from_all(kegui)
        assert LocalUser.get().disabled_at is not None

    assert call(app, token, "GET", "/staff").status_code == 401


def test_who_is_disabled_is_out_at_once_and_so_are_their_tokens(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    token = make_token(app, "local:ops", "local:ops", "read")

    with db.connection():
        local_users.disable("ops", TERMINAL, kegui)
        still_open = Login.select().where(Login.actor == "local:ops", Login.ended_at.is_null())
        assert still_open.count() == 0
        assert ApiToken.get().revoked_at is not None

    assert call(app, token, "GET", "/staff").status_code == 401


def test_a_token_lasts_while_its_days_last(app: APIFlask) -> None:
    token = make_token(app, "root", "root")
    with db.connection():
        ends = ApiToken.get().expires_at

    assert ends - clock.now() > timedelta(days=8)
    assert call(app, token, "GET", "/offboardings").status_code == 200


# ------------------------------------------------------------ roles that never meet in one person


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR])
def test_a_role_that_must_not_meet_another_is_not_proposed(app: APIFlask, role: Role) -> None:
    client = come_in(app, "anna")
    form = {"kind": "role.grant", "person": "root", "role": str(role), "reason": "新岗位"}

    answer = send(client, "/rights/proposals", token_of(client), **form)

    assert answer.status_code == 422
    assert "对方已是系统管理员：这些角色不能由同一人兼任" in answer.get_data(as_text=True)
    with db.connection():
        assert Proposal.select().count() == 0


def test_what_has_met_meanwhile_is_not_approved(app: APIFlask, kegui: Any) -> None:
    number = propose_role(app, "anna", "leaver")
    with db.connection(), db.transaction():
        roles.grant("leaver", Role.ADMINISTRATOR, None, TERMINAL, kegui)

    answer = decide(come_in(app, "bert"), number)

    assert "不能由同一人兼任" in answer.get_data(as_text=True)
    assert state_of(number) == "open"


def test_they_do_not_meet_in_a_member_who_is_a_local_administrator(
    app: APIFlask, ops: FlaskClient, kegui: Any
) -> None:
    with pytest.raises(local_users.NotPossible, match="compliance_officer"):
        bind("ops", "anna", kegui)
    bind("ops", "leaver", kegui)

    client = come_in(app, "anna")
    form = {"kind": "role.grant", "person": "leaver", "role": "auditor", "reason": "新岗位"}
    assert send(client, "/rights/proposals", token_of(client), **form).status_code == 422


def test_what_wecom_says_gives_no_role_that_must_not_meet_another(
    app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.identity import access

    today = clock.now().date()
    with db.connection():
        Staff.update(serves=True).where(Staff.userid == "root").execute()
        assert Role.STAFF in cast(Any, access.access_of("root", today)).roles
        rule = {"apart": [["administrator", "staff"]]}
        monkeypatch.setattr(access, "table", lambda _name: rule)

        assert cast(Any, access.access_of("root", today)).roles == [Role.ADMINISTRATOR, Role.HR]
        assert cast(Any, access.access_of("leaver", today)).roles == [Role.STAFF]


def test_those_in_whom_roles_met_before_keep_them_and_are_named(app: APIFlask) -> None:
    with db.connection():
        RoleGrant.create(actor="anna", role="administrator", granted_by="test", granted_at=MORNING)
    client = come_in(app, "bert")

    text = client.get("/rights").get_data(as_text=True)

    note = text.partition("有人兼任了按规定应由不同人员担任的角色")[2].partition(
        "之前授予的角色仍然有效"
    )[0]
    assert "安娜" in note
    assert "系统管理员" in note
    assert "何平" not in note
    assert come_in(app, "anna").get("/operation").status_code == 200
