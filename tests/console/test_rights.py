"""角色与权限: who has which role, what it allows, and how that changes."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock
from bot.capabilities import RIGHTS
from bot.console.words import ROLES
from bot.identity.access import access_of
from bot.identity.tokens import create_token
from bot.models import (
    ApiToken,
    AuditEntry,
    Department,
    Handover,
    LocalUser,
    Login,
    Proposal,
    RoleGrant,
    SecondFactor,
    Staff,
)
from bot.rights import Role
from tests.console.conftest import MORNING, add_person, log_in, submit
from tests.console.test_every_page import queries_of

pytestmark = pytest.mark.usefixtures("database")
TODAY = clock.now().date()


@pytest.fixture
def officer(client: FlaskClient) -> FlaskClient:
    """The browser of Chen Min, a compliance officer, beside the boss's."""
    add_person("chenmin", "陈敏", Role.COMPLIANCE_OFFICER)
    other = client.application.test_client()
    log_in(other, "chenmin", stepped_up=True)
    return other


def propose(client: FlaskClient, person: str, role: Role | str, **form: Any) -> TestResponse:
    asked = {"kind": "role.grant", "reason": "新岗位", "department": "", **form}
    return submit(client, "/rights/proposals", person=person, role=str(role), **asked)


def decide(client: FlaskClient, number: int, answer: str, reason: str = "核对无误") -> TestResponse:
    return submit(client, f"/rights/proposals/{number}/decision", answer=answer, reason=reason)


def text_of(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def roles_of(userid: str) -> list[Role]:
    access = access_of(userid, TODAY)
    assert access is not None
    return access.roles


# ------------------------------------------------------------ people


def test_people_are_shown_with_roles_second_factor_and_last_login(client: FlaskClient) -> None:
    add_person("chenmin", "陈敏", Role.COMPLIANCE_OFFICER)
    SecondFactor.create(actor="chenmin", secret=b"x", created_at=MORNING, confirmed_at=MORNING)
    log_in(client.application.test_client(), "chenmin")
    seen = MORNING + timedelta(days=3)
    Login.update(seen_at=seen).where(Login.actor == "chenmin").execute()

    text = text_of(client, "/rights?role=compliance_officer")
    row = _row(text, "陈敏")

    assert ">合规专员<" in row
    assert "动态码" in row
    assert "2026-11-27 10:00" in row
    assert "从未登录" not in row


def test_who_leads_a_department_in_wecom_is_a_sales_manager_from_wecom(
    client: FlaskClient,
) -> None:
    add_person("lihua", "李华")
    Department.create(id=7, name="财富管理部", parent_id=1, leaders=["lihua"])

    text = text_of(client, "/rights?role=sales_manager")

    assert "来自企业微信：部门负责人" in _row(text, "李华")
    assert "部门1 / 财富管理部" in _row(text, "李华")


def test_the_list_narrows_to_one_role(client: FlaskClient) -> None:
    add_person("chenmin", "陈敏", Role.AUDITOR)
    add_person("lihua", "李华", Role.HR)

    text = text_of(client, "/rights?role=hr")

    assert "李华" in text
    assert "陈敏" not in text
    assert client.get("/rights?role=staff").status_code == 404


def test_local_administrators_are_listed_and_those_disabled_marked(client: FlaskClient) -> None:
    LocalUser.create(name="root", password_hash="x", created_at=MORNING)
    LocalUser.create(name="former", password_hash="x", created_at=MORNING, disabled_at=MORNING)

    text = text_of(client, "/rights")

    assert "本地管理员" in _row(text, "root")
    assert "无法登录" not in _row(text, "root")
    assert "无法登录" in _row(text, "former")


@pytest.mark.parametrize("days", [1, 0])
def test_a_leaver_with_a_role_is_marked_from_the_day_after_the_last(
    client: FlaskClient, days: int
) -> None:
    add_person("wangwu", "王五", Role.HR)
    now = clock.now()
    Handover.create(
        kind="offboarding",
        userid="wangwu",
        last_day=(now + timedelta(hours=8)).date() - timedelta(days=days),
        mode="approve",
        state="running",
        approved_at=now,
        source="api",
        successors=[],
        created_at=now,
        updated_at=now,
    )

    assert ("无法登录" in _row(text_of(client, "/rights"), "王五")) == bool(days)


def test_many_people_take_no_more_queries(client: FlaskClient) -> None:
    few = queries_of(client, "/rights")
    for number in range(60):
        add_person(f"auditor{number}", f"审计{number}", Role.AUDITOR, leads=number + 10)

    assert queries_of(client, "/rights") == few < 20


# ------------------------------------------------------------ the table


def test_the_table_names_every_right_and_every_role(client: FlaskClient) -> None:
    text = text_of(client, "/rights/table")

    for right in RIGHTS:
        assert text.count(f">{right.title}<") == 2, right  # on a desk, and on a phone
    for role in Role:
        assert str(ROLES[role]) in text


def test_who_may_read_the_rights_and_not_propose_sees_no_button(client: FlaskClient) -> None:
    add_person("shen", "沈", Role.AUDITOR)
    log_in(client, "shen", stepped_up=True)

    assert "提出角色变更" not in text_of(client, "/rights")
    assert client.get("/rights/proposals/new").status_code == 403
    assert propose(client, "shen", Role.HR).status_code == 403
    assert client.get("/rights/proposals/1/decision").status_code == 403


@pytest.mark.parametrize("path", ["/rights", "/rights/table", "/rights/proposals"])
def test_who_may_not_see_the_rights_gets_no_page(client: FlaskClient, path: str) -> None:
    add_person("lihua", "李华", Role.HR)
    log_in(client, "lihua")

    assert client.get(path).status_code == 403


# ------------------------------------------------------------ proposing


def test_a_role_is_had_only_when_another_has_approved_it(
    client: FlaskClient, officer: FlaskClient
) -> None:
    add_person("lihua", "李华")

    propose(client, "李华", Role.REVIEWER, reason="负责质检")

    [proposal] = Proposal.select()
    assert roles_of("lihua") == []
    row = _row(text_of(officer, "/rights/proposals"), "李华")
    assert "质检审核员" in row
    assert 'title="boss"' in row
    assert "负责质检" in row

    decide(officer, proposal.id, "approve", "已核对")

    assert roles_of("lihua") == [Role.REVIEWER]
    after = text_of(client, "/rights/proposals")
    assert "没有等待复核的变更" in after
    assert "已批准" in _row(after, "李华")
    assert "已核对" in _row(after, "李华")
    acts = [(row.act, row.actor) for row in AuditEntry.select().order_by(AuditEntry.id)]
    assert [one for one in acts if one[0].startswith("role.")] == [
        ("role.grant.propose", "boss"),
        ("role.grant.approve", "chenmin"),
        ("role.grant", "chenmin"),
    ]


def test_a_role_is_taken_back_in_the_same_way(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华", Role.HR)

    propose(client, "lihua", Role.HR, kind="role.revoke")
    decide(officer, Proposal.get().id, "approve")

    assert roles_of("lihua") == []
    assert RoleGrant.get(RoleGrant.actor == "lihua").revoked_by == "chenmin"


def revoke_from_wang(client: FlaskClient, officer: FlaskClient, answer: str = "approve") -> str:
    """Let the boss propose that Wang Wu is no reviewer, the officer decide; what is said then."""
    add_person("wangwu", "王五", Role.REVIEWER)
    propose(client, "wangwu", Role.REVIEWER, kind="role.revoke")
    answered = decide(officer, Proposal.get().id, answer)
    return text_of(officer, answered.location)


def test_who_takes_a_role_back_is_told_of_the_tokens_that_still_call(
    client: FlaskClient, officer: FlaskClient
) -> None:
    for name, owner in (("CRM", "wangwu"), ("HR", "wangwu"), ("old", "wangwu"), ("other", "boss")):
        create_token(name, ["read"], owner=owner, days=9)
    ApiToken.change(ApiToken.name == "old", revoked_at=MORNING)

    text = revoke_from_wang(client, officer)

    assert "对方仍是 2 个有效接口令牌的负责人" in text
    # A compliance officer may not see the tokens.
    assert '<a href="/tokens">' not in text


def test_an_administrator_is_led_to_the_tokens_that_still_call(
    client: FlaskClient, officer: FlaskClient
) -> None:
    create_token("CRM", ["read"], owner="wangwu", days=9)
    RoleGrant.create(actor="chenmin", role="administrator", granted_by="test", granted_at=MORNING)

    text = revoke_from_wang(client, officer)

    assert '<a href="/tokens">查看接口令牌</a>' in text


@pytest.mark.parametrize(("owner", "answer"), [("boss", "approve"), ("wangwu", "reject")])
def test_where_no_token_is_concerned_nobody_is_told_of_any(
    client: FlaskClient, officer: FlaskClient, owner: str, answer: str
) -> None:
    create_token("CRM", ["read"], owner=owner, days=9)

    assert "有效接口令牌的负责人" not in revoke_from_wang(client, officer, answer)


def test_the_last_administrator_stays_one(client: FlaskClient, officer: FlaskClient) -> None:
    response = propose(officer, "boss", Role.ADMINISTRATOR, kind="role.revoke")
    assert response.status_code == 422
    assert "最后一位能登录的管理员" in response.get_data(as_text=True)

    LocalUser.create(name="root", password_hash="x", created_at=MORNING)
    RoleGrant.create(
        actor="local:root", role=str(Role.ADMINISTRATOR), granted_by="x", granted_at=MORNING
    )
    propose(client, "local:root", Role.ADMINISTRATOR, kind="role.revoke")
    Staff.update(left_at=MORNING).where(Staff.userid == "boss").execute()
    response = decide(officer, Proposal.get().id, "approve")

    assert response.status_code == 422
    assert "最后一位能登录的管理员" in response.get_data(as_text=True)
    assert Proposal.get().state == "open"
    assert roles_of("local:root") == [Role.ADMINISTRATOR]


def test_the_button_beside_a_person_fills_the_form(client: FlaskClient) -> None:
    add_person("lihua", "李华")
    RoleGrant.create(
        actor="lihua",
        role="sales_manager",
        department_id=1,
        granted_by="x",
        granted_at=MORNING,
    )
    [address] = [
        part.partition('"')[0]
        for part in _row(text_of(client, "/rights"), "李华").split('href="')[1:]
    ]

    form = text_of(client, address.replace("&amp;", "&"))

    assert 'value="role.revoke" checked' in form
    assert 'value="lihua"' in form
    assert 'value="sales_manager" checked' in form
    assert '<option value="1" selected>' in form


def test_a_rejected_proposal_changes_nothing(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.AUDITOR)

    decide(officer, Proposal.get().id, "reject", "岗位冲突")

    assert roles_of("lihua") == []
    assert "岗位冲突" in text_of(client, "/rights/proposals")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"person": "nobody"}, "没有找到此人"),
        ({"person": "wangwu"}, "没有找到此人"),
        ({"person": "local:nobody"}, "没有找到此人"),
        ({"person": ""}, "请填写成员的姓名或账号"),
        ({"person": "张伟"}, "请填写账号：zhangwei、zhangwei2"),
        ({"role": "sales_manager"}, "请选择部门"),
        ({"role": "sales_manager", "department": "99"}, "没有这个部门"),
        ({"role": "sales_manager", "department": "x"}, "没有这个部门"),
        ({"department": "1"}, "适用于全公司"),
        ({"role": "staff"}, "请选择角色"),
        ({"role": "hr"}, "已经有这个角色"),
        ({"kind": "role.revoke"}, "没有被授予这个角色"),
        ({"kind": "x"}, "请选择授予还是收回"),
        ({"reason": " "}, "请写明理由"),
    ],
)
def test_what_cannot_be_proposed_is_said_and_what_was_typed_stays(
    client: FlaskClient, form: dict[str, str], sentence: str
) -> None:
    add_person("lihua", "李华", Role.HR)
    add_person("wangwu", "王五")
    Staff.update(left_at=MORNING).where(Staff.userid == "wangwu").execute()
    add_person("zhangwei", "张伟")
    add_person("zhangwei2", "张伟")

    asked = {"person": "lihua", "role": "auditor", "reason": "typed before"} | form
    response = propose(client, **asked)

    text = response.get_data(as_text=True)
    assert response.status_code == 422
    assert sentence in text
    assert f'value="{asked["person"]}"' in text
    assert asked["reason"].strip() in text
    assert Proposal.select().count() == 0


def test_the_same_is_not_proposed_twice(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)

    response = propose(officer, "lihua", Role.HR)

    assert "正在等待复核" in response.get_data(as_text=True)
    assert Proposal.select().count() == 1


def test_a_local_administrator_can_get_a_role(client: FlaskClient, officer: FlaskClient) -> None:
    LocalUser.create(name="root", password_hash="x", created_at=MORNING)

    propose(client, "local:root", Role.AUDITOR)
    decide(officer, Proposal.get().id, "approve")

    assert roles_of("local:root") == [Role.AUDITOR]


# ------------------------------------------------------------ deciding


def test_nobody_decides_on_what_they_proposed(client: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)
    log_in(client, "boss", stepped_up=True)
    number = Proposal.get().id

    shown = client.get(f"/rights/proposals/{number}/decision", follow_redirects=True)
    decide(client, number, "approve")

    assert "须由另一人复核" in shown.get_data(as_text=True)
    assert "须由另一人复核" in text_of(client, "/rights/proposals")
    assert roles_of("lihua") == []
    assert ">复核<" not in text_of(client, "/rights/proposals")


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_nobody_decides_on_a_role_of_their_own(
    client: FlaskClient, officer: FlaskClient, answer: str
) -> None:
    propose(client, "chenmin", Role.HR)
    number = Proposal.get().id

    shown = officer.get(f"/rights/proposals/{number}/decision", follow_redirects=True)
    decide(officer, number, answer)

    assert "涉及您本人" in shown.get_data(as_text=True)
    assert "涉及您本人" in text_of(officer, "/rights/proposals")
    assert Role.HR not in roles_of("chenmin")
    assert Proposal.get().state == "open"


def test_who_asks_for_a_role_does_not_give_it_to_themselves(
    client: FlaskClient, officer: FlaskClient
) -> None:
    propose(officer, "chenmin", Role.HR)
    decide(officer, Proposal.get().id, "approve")
    assert Role.HR not in roles_of("chenmin")

    log_in(client, "boss", stepped_up=True)
    decide(client, Proposal.get().id, "approve")

    assert Role.HR in roles_of("chenmin")


def test_what_is_decided_stays_decided(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)
    number = Proposal.get().id
    decide(officer, number, "reject")

    decide(officer, number, "approve")

    assert "已办结" in text_of(officer, "/rights/proposals")
    assert roles_of("lihua") == []


def test_a_decision_needs_a_reason(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)

    response = decide(officer, Proposal.get().id, "approve", " ")

    assert response.status_code == 422
    assert "请写明理由" in response.get_data(as_text=True)
    assert Proposal.get().state == "open"


def test_who_left_meanwhile_gets_no_role(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)
    Staff.update(left_at=MORNING).where(Staff.userid == "lihua").execute()

    response = decide(officer, Proposal.get().id, "approve", "typed before")

    assert response.status_code == 422
    assert "请改为驳回" in response.get_data(as_text=True)
    assert "typed before" in response.get_data(as_text=True)
    assert Proposal.get().state == "open"
    assert RoleGrant.get_or_none(RoleGrant.actor == "lihua") is None


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_decision_asks_for_a_second_factor(client: FlaskClient, method: str) -> None:
    add_person("chenmin", "陈敏", Role.COMPLIANCE_OFFICER)
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)
    log_in(client, "chenmin")
    path = f"/rights/proposals/{Proposal.get().id}/decision"

    response = (
        client.get(path) if method == "GET" else submit(client, path, answer="approve", reason="x")
    )

    assert response.location.startswith("/step-up")
    assert Proposal.get().state == "open"


def test_a_proposal_about_something_else_is_not_decided_here(
    client: FlaskClient, officer: FlaskClient
) -> None:
    other = Proposal.create(
        kind="offboarding.approve", subject="x", proposed_by="boss", proposed_at=MORNING
    )

    assert officer.get(f"/rights/proposals/{other.id}/decision").status_code == 404
    assert decide(officer, other.id, "approve").status_code == 404
    assert submit(client, f"/rights/proposals/{other.id}/withdrawal").status_code == 404


# ------------------------------------------------------------ withdrawing


def test_one_withdraws_ones_own_proposal_only(client: FlaskClient, officer: FlaskClient) -> None:
    add_person("lihua", "李华")
    propose(client, "lihua", Role.HR)
    number = Proposal.get().id

    submit(officer, f"/rights/proposals/{number}/withdrawal")
    assert "只能撤回自己提出的变更" in text_of(officer, "/rights/proposals")
    assert Proposal.get().state == "open"

    submit(client, f"/rights/proposals/{number}/withdrawal")
    assert Proposal.get().state == "withdrawn"
    assert AuditEntry.select().where(AuditEntry.act == "role.grant.withdraw").count() == 1


def test_without_the_forms_token_nothing_is_proposed(client: FlaskClient) -> None:
    add_person("lihua", "李华")

    response = client.post(
        "/rights/proposals",
        data={"kind": "role.grant", "person": "lihua", "role": "hr", "reason": "x"},
    )

    assert response.status_code == 400
    assert Proposal.select().count() == 0


@pytest.mark.parametrize(
    "path",
    ["/rights", "/rights/table", "/rights/logins", "/rights/proposals", "/rights/proposals/new"],
)
def test_the_pages_are_english_for_who_reads_english(client: FlaskClient, path: str) -> None:
    Department.update(name="Sales").execute()

    text = text_of(client, f"{path}?lang=en")

    for theirs in ("中文", "客规"):
        text = text.replace(theirs, "")
    assert [
        line for line in text.splitlines() if any("\u4e00" <= c <= "\u9fff" for c in line)
    ] == []


def _row(text: str, name: str) -> str:
    """The row of a list that speaks of somebody first."""
    [row] = [
        part.partition("</tr>")[0]
        for part in text.split("<tr>")
        if f">{name}<" in part.partition("</td>")[0]
    ]
    return row


def test_home_counts_the_proposals_about_roles_and_no_others(client: FlaskClient) -> None:
    add_person("chenmin", "陈敏", Role.COMPLIANCE_OFFICER)
    propose(client, "chenmin", Role.AUDITOR)
    Proposal.create(
        kind="offboarding", subject="offboarding 1", proposed_by="chenmin", proposed_at=MORNING
    )

    text = re.sub(r"<[^>]*>", " ", text_of(client, "/"))

    assert re.search(r"\b1\s+角色变更等待另一人复核", text)
