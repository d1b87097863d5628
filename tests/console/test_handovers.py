"""Registering leavers and moving customers: whom one means, by name or account."""

import re
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock
from bot.console.handover import moves, offboardings
from bot.models import (
    AuditEntry,
    Department,
    Handover,
    HandoverItem,
    HandWork,
    Ownership,
    Staff,
    TransferAttempt,
)
from bot.rights import Role
from tests.console.conftest import MORNING, add_person, log_in, submit

BY_HAND = "/offboardings?kind=by_hand"


@pytest.fixture(autouse=True)
def of_one_department(firm: None, client: FlaskClient) -> None:
    """All of them work under the boss."""
    Staff.update(departments=[1]).execute()
    assert Department.get_by_id(1).leaders == ["boss"]


def register(client: FlaskClient, **typed: Any) -> TestResponse:
    day = (clock.now() + timedelta(days=7)).date().isoformat()
    return submit(client, "/offboardings/new", **{"last_day": day, **typed})


def add_two_of_one_name() -> None:
    for userid in ("zhangwei", "zhangwei2"):
        Staff.create(userid=userid, name="张伟", serves=True, departments=[1], seen_at=MORNING)


@pytest.mark.parametrize(("leaver", "successor"), [("张三", "李华"), ("ZhangSan", "LIHUA")])
def test_a_leaver_and_who_takes_over_are_typed_by_name_or_account(
    client: FlaskClient, leaver: str, successor: str
) -> None:
    response = register(client, userid=leaver, successors=successor)

    case = Handover.get(Handover.userid == "zhangsan")
    assert response.location == f"/offboardings/{case.id}"
    assert (case.successors, case.mode) == (["lihua"], "approve")


@pytest.mark.parametrize("field", ["userid", "successors"])
def test_a_name_that_several_have_is_asked_for_again(client: FlaskClient, field: str) -> None:
    add_two_of_one_name()
    before = Handover.select().count()

    response = register(client, **({"userid": "zhangsan"} | {field: "张伟"}))

    text = response.get_data(as_text=True)
    assert response.status_code == 422
    assert "有多位成员叫这个名字，请填写账号：zhangwei、zhangwei2" in text
    assert 'value="张伟"' in text
    assert Handover.select().count() == before


def test_where_members_are_many_a_page_lists_none_and_takes_a_name(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = client.get("/offboardings/new").get_data(as_text=True)
    monkeypatch.setattr(offboardings, "MOST_LISTED", 2)
    monkeypatch.setattr(moves, "MOST_LISTED", 2)
    Ownership.update(userid="zhangsan").execute()

    many = client.get("/offboardings/new").get_data(as_text=True)
    asked = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)
    refused = submit(client, "/moves/new", external_userid="wm_chen", takeover_userid="nobody")

    assert ('value="lihua"' in few, 'value="lihua"' in many) == (True, False)
    assert "<select" not in asked
    assert refused.status_code == 422
    assert "请选择您所辖部门中的一位接替成员" in refused.get_data(as_text=True)
    submit(client, "/moves/new", external_userid="wm_chen", takeover_userid="李华", key="k")
    moved = Handover.get(Handover.request_key == "form k")
    assert (moved.userid, moved.successors) == ("zhangsan", ["lihua"])


def test_only_who_can_take_over_is_there_to_be_chosen(client: FlaskClient) -> None:
    """The owner has the customer, and who leaves or is on leave would be refused."""
    Ownership.update(userid="zhangsan").execute()
    before = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)
    Staff.update(on_leave=True).where(Staff.userid == "lihua").execute()

    after = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)

    assert ('value="zhangsan"' in before, 'value="lihua"' in before) == (False, True)
    assert 'value="lihua"' not in after


def test_a_leave_that_is_open_already_or_late_says_so(client: FlaskClient) -> None:
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()

    late = client.get(register(client, userid="lihua", last_day=yesterday, past=yesterday).location)
    again = client.get(register(client, userid="lihua").location)

    assert "另一人审批后立即开始转接" in late.get_data(as_text=True)
    assert "刚填写的内容没有采用" in again.get_data(as_text=True)
    assert "发起人 " in again.get_data(as_text=True)


def test_whoever_settles_a_conflict_sees_since_when_and_how_each_is_in_contact(
    client: FlaskClient,
) -> None:
    text = client.get("/conflicts/1/resolve").get_data(as_text=True)

    for said in ("张三（现归属）", "李华", "自 2026-11-24", "客户添加", "名下客户 1 位"):
        assert said in text


def test_whoever_reads_the_audit_log_finds_who_looked_at_a_customer(client: FlaskClient) -> None:
    text = client.get("/customers/wm_chen").get_data(as_text=True)
    assert 'href="/audit?subject=customer+wm_chen"' in text

    found = client.get("/audit?subject=customer+wm_chen").get_data(as_text=True)

    assert "查看客户详情" in found
    assert "没有符合条件" not in found


def test_who_looks_for_a_customer_is_told_where_else_the_customer_was_seen(
    client: FlaskClient,
) -> None:
    HandoverItem.update(subject="wm_chen").where(HandoverItem.subject == "wm_zhao").execute()

    other = client.get("/audit?subject=conflict+1").get_data(as_text=True)
    text = client.get("/audit?subject=customer+wm_chen").get_data(as_text=True)

    assert "记在各自的对象下" not in other
    assert "记在各自的对象下" in text
    for subject in ("conflict+1", "offboarding+1"):
        assert f'href="/audit?subject={subject}"' in text


def test_the_approver_is_called_by_name(client: FlaskClient) -> None:
    Handover.update(approved_by="lihua", approved_at=MORNING).execute()

    text = client.get("/offboardings/1").get_data(as_text=True)

    assert "审批人 李华" in text


def test_work_by_hand_is_on_the_home_page_until_somebody_did_it(client: FlaskClient) -> None:
    Handover.update(state="done").execute()
    waits, left = "交接事项需要人工处理", "标记为处理完成</button>"

    before = [client.get(path).get_data(as_text=True) for path in ("/", BY_HAND)]
    done = submit(client, "/offboardings/1/hand-work/1")
    again = submit(client, "/offboardings/1/hand-work/1")
    after = [client.get(path).get_data(as_text=True) for path in ("/", BY_HAND)]
    case = client.get(done.location).get_data(as_text=True)
    submit(client, "/offboardings/1/hand-work/1", done="0")
    reopened = [client.get(path).get_data(as_text=True) for path in ("/", "/offboardings/1")]

    assert (waits in before[0], waits in after[0], waits in reopened[0]) == (True, False, True)
    assert '"/offboardings/1"' in before[1]
    assert "没有需要人工处理的事项" in after[1]
    assert again.location == done.location == "/offboardings/1"
    assert (left in case, left in reopened[1]) == (False, True)
    assert "88 ·" in case
    entries = AuditEntry.select().where(AuditEntry.act.startswith("hand_work"))
    told = [(one.act, one.actor, one.subject, one.details["config_id"]) for one in entries]
    assert told == [
        ("hand_work.done", "boss", "offboarding 1", "cfg1"),
        ("hand_work.reopen", "boss", "offboarding 1", "cfg1"),
    ]


def test_work_by_hand_is_not_said_to_be_done_by_whoever_leaves(client: FlaskClient) -> None:
    other = Handover.get_by_id(1)
    Handover.insert(other.__data__ | {"id": 2, "state": "done"}).execute()
    Handover.update(userid="boss").where(Handover.id == 1).execute()

    page = client.get("/offboardings/1").get_data(as_text=True)
    submit(client, "/offboardings/1/hand-work/1")
    told = client.get("/offboardings/1").get_data(as_text=True)
    elsewhere = submit(client, "/offboardings/2/hand-work/1")

    assert "标记为处理完成" not in page
    assert "这是您本人的离职继承" in told
    assert elsewhere.status_code == 404
    assert HandWork.get_by_id(1).done_at is None


def test_of_a_cancelled_handover_nothing_is_to_be_done_by_hand(client: FlaskClient) -> None:
    Handover.update(state="cancelled").execute()

    pages = [
        client.get(path).get_data(as_text=True)
        for path in ("/", BY_HAND, "/offboardings", "/offboardings/1")
    ]
    submit(client, "/offboardings/1/hand-work/1")

    assert not any("需要人工处理</h2>" in page or "需要人工处理 1" in page for page in pages)
    assert "交接事项需要人工处理" not in pages[0]
    assert "没有需要人工处理的事项" in pages[1]
    assert "标记为处理完成" not in pages[3]
    assert HandWork.get_by_id(1).done_at is None


def test_who_sees_no_customers_sees_how_many_each_successor_gets(
    client: FlaskClient, app: APIFlask
) -> None:
    HandoverItem.update(takeover_userid=None).where(HandoverItem.state == "failed").execute()
    hr = app.test_client()
    add_person("heping", "何平", Role.HR, Role.STAFF)
    log_in(hr, "heping")

    whole = hr.get("/offboardings/1").get_data(as_text=True)
    part = hr.get("/offboardings/1?state=waiting").get_data(as_text=True)
    mine = client.get("/offboardings/1").get_data(as_text=True)

    summary = "按接替成员汇总"
    assert (summary in whole, summary in part, summary in mine) == (True, True, False)
    rows = re.findall(r"<tr>(.*?)</tr>", whole.partition(summary)[2], re.DOTALL)[1:]
    assert len(rows) == 2
    assert re.findall(r"(\w+) <b>(\d+)</b>", rows[0]) == [
        ("已接替", "1"),
        ("等待接替", "1"),
        ("客户拒绝", "1"),
    ]
    assert "尚未确定接替成员" in rows[1]
    assert "失败 <b>1</b>" in rows[1]
    assert "客户拒绝" not in part.partition(summary)[2]


def test_a_customer_who_is_being_moved_is_not_moved_once_more(client: FlaskClient) -> None:
    """The second successor would wait for a customer whom the first gets."""
    Ownership.update(userid="wangwu").execute()
    HandoverItem.update(subject="wm_chen").where(HandoverItem.state == "waiting").execute()
    before = Handover.select().count()

    story = client.get("/customers/wm_chen").get_data(as_text=True)
    asked = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)
    sent = submit(client, "/moves/new", external_userid="wm_chen", takeover_userid="lihua", key="k")

    assert "正在转接给" in story
    assert "转接给其他成员" not in story
    for page in (asked, sent.get_data(as_text=True)):
        assert "1 位客户正在转接，不能再次转接" in page
        assert '<a href="/offboardings/1">离职继承 1</a>' in page
    assert Handover.select().count() == before


@pytest.mark.parametrize(
    ("state", "item_state"),
    [("planned", "planned"), ("running", "waiting"), ("cancelled", "waiting")],
)
def test_a_form_that_is_sent_twice_moves_once_and_shows_the_same(
    client: FlaskClient, state: str, item_state: str
) -> None:
    """Before anybody had time to begin it, while it runs, and while WeCom has no recall."""
    Ownership.update(userid="zhangsan").execute()
    form = {"external_userid": "wm_chen", "takeover_userid": "lihua", "key": "k"}
    first = submit(client, "/moves/new", **form)
    opened = Handover.get(Handover.request_key == "form k")
    Handover.update(state=state).where(Handover.id == opened.id).execute()
    HandoverItem.update(state=item_state).where(HandoverItem.handover == opened).execute()

    again = submit(client, "/moves/new", **form)
    other = submit(client, "/moves/new", **form | {"key": "another"})

    assert first.location == again.location == f"/offboardings/{opened.id}"
    assert "不能再次转接" in other.get_data(as_text=True)
    assert Handover.select().where(Handover.source.startswith("console")).count() == 1


def test_a_form_that_is_sent_again_when_all_is_done_moves_nobody_back(client: FlaskClient) -> None:
    Ownership.update(userid="zhangsan").execute()
    form = {"external_userid": "wm_chen", "takeover_userid": "by rule", "key": "k"}
    first = submit(client, "/moves/new", **form)
    Handover.update(state="done").where(Handover.request_key == "form k").execute()
    HandoverItem.update(state="done").where(HandoverItem.subject == "wm_chen").execute()
    Ownership.update(userid="lihua").execute()

    again = submit(client, "/moves/new", **form)

    assert again.location == first.location
    assert Handover.select().where(Handover.source.startswith("console")).count() == 1


def test_whom_wecom_called_full_today_is_marked_where_one_chooses(client: FlaskClient) -> None:
    Ownership.update(userid="zhangsan").execute()
    full = "李华（名下客户 0 位，企业微信今天提示已满）"
    before = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)
    TransferAttempt.update(status="limit", submitted_at=clock.now()).execute()

    now = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)
    two_days_ago = clock.now() - timedelta(days=2)
    TransferAttempt.update(submitted_at=two_days_ago, settled_at=clock.now()).execute()
    polled = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)
    TransferAttempt.update(settled_at=two_days_ago).execute()
    later = client.get("/moves/new?external_userid=wm_chen").get_data(as_text=True)

    assert [full in page for page in (before, now, polled, later)] == [False, True, True, False]


def test_what_a_leaver_left_behind_waits_on_the_home_page(client: FlaskClient) -> None:
    """An offboarding is over, and could not move everybody."""
    Ownership.update(userid="wangwu").execute()
    waits = "客户的归属成员已离职，没有进行中的交接"
    here = client.get("/").get_data(as_text=True)
    Staff.update(left_at=clock.now()).where(Staff.userid == "wangwu").execute()
    moving = client.get("/").get_data(as_text=True)
    Handover.update(state="done_with_exceptions").execute()

    home = client.get("/").get_data(as_text=True)
    listed = client.get("/customers?owner=left").get_data(as_text=True)
    story = client.get("/customers/wm_chen").get_data(as_text=True)
    opened = register(client, userid="wangwu")

    assert [waits in page for page in (here, moving, home)] == [False, False, True]
    assert ("陈女士" in listed, "赵先生" in listed) == (True, False)
    assert 'href="/offboardings/new?userid=wangwu"' in story
    assert opened.location.startswith("/offboardings/")
    assert waits not in client.get("/").get_data(as_text=True)
    assert "wangwu" in client.get("/offboardings?kind=done_with_exceptions").get_data(as_text=True)


def test_the_approver_sees_who_gets_how_many(client: FlaskClient) -> None:
    Handover.update(state="awaiting_approval").execute()

    text = client.get("/offboardings/1/approve").get_data(as_text=True)

    assert re.search(r"目前的计划</span> 李华 4 位", text)


def test_the_approver_sees_who_of_the_plan_cannot_take_over_any_more(client: FlaskClient) -> None:
    Handover.update(state="awaiting_approval").execute()
    Staff.update(on_leave=True).where(Staff.userid == "lihua").execute()

    text = client.get("/offboardings/1/approve").get_data(as_text=True)

    assert re.search(r"李华 4 位 <span[^>]*>休假中，转接前会改由其他成员接替</span>", text)


def test_a_move_names_who_began_it(client: FlaskClient) -> None:
    Ownership.update(userid="zhangsan").execute()

    moved = submit(client, "/moves/new", external_userid="wm_chen", takeover_userid="lihua")
    text = client.get(moved.location).get_data(as_text=True)

    assert "发起人 88" in text


def test_who_sees_no_customers_is_not_promised_any(client: FlaskClient, app: APIFlask) -> None:
    TransferAttempt.delete().execute()
    HandoverItem.delete().execute()
    hr = app.test_client()
    add_person("heping", "何平", Role.HR, Role.STAFF)
    log_in(hr, "heping")

    told = hr.get("/offboardings/1").get_data(as_text=True)
    mine = client.get("/offboardings/1").get_data(as_text=True)

    assert "计划做好后，这里按接替成员汇总" in told
    assert "每位客户和每个客户群都会列在这里" in mine


def test_home_leads_straight_to_what_is_to_be_decided(client: FlaskClient) -> None:
    text = client.get("/").get_data(as_text=True)

    assert 'href="/offboardings/new"' in text
    assert 'href="/conflicts/1/resolve"' in text
