"""成员与部门: who is listed, and what managers set for whom."""

import io
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from markupsafe import escape

from bot import clock
from bot.models import (
    AuditEntry,
    Conflict,
    Customer,
    Department,
    Handover,
    Ownership,
    RoleGrant,
    Staff,
)
from bot.reason import Reason
from bot.rights import Role
from bot.staff import members, staff
from bot.staff.members import STATES
from tests.console.conftest import MORNING, add_person, add_relation, log_in, submit
from tests.queries import counted_queries

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def house(client: FlaskClient) -> None:
    """Departments 2 (led by Ma) and 4 below it, and 3; one member in each."""
    Department.update(name="总部").where(Department.id == 1).execute()
    for number, parent, name in ((2, 1, "华东"), (3, 1, "华南"), (4, 2, "浦东")):
        leaders = ["ma"] if number == 2 else []
        Department.create(id=number, parent_id=parent, name=name, leaders=leaders)
    for userid, name, number in (
        ("ma", "马经理", 2),
        ("zhangsan", "张三", 4),
        ("lihua", "李华", 3),
    ):
        Staff.create(userid=userid, name=name, departments=[number], serves=True, seen_at=MORNING)


@pytest.fixture
def manager(app: APIFlask, house: None) -> FlaskClient:
    """The browser of the leader of department 2."""
    browser = app.test_client()
    log_in(browser, "ma")
    return browser


def offboard(userid: str, state: str, **values: Any) -> Handover:
    return Handover.create(
        kind="offboarding",
        userid=userid,
        mode="auto",
        state=state,
        source="api",
        created_at=MORNING,
        updated_at=MORNING,
        **values,
    )


def listed(client: FlaskClient, **query: str) -> list[str]:
    page = client.get("/staff", query_string=query)
    assert page.status_code == 200
    return re.findall(r'href="/staff/members/(\w+)"', page.get_data(as_text=True))


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "张"}, ["zhangsan"]),
        ({"q": "lihua"}, ["lihua"]),
        ({"department": "2"}, ["zhangsan", "ma"]),
        ({"department": "3"}, ["lihua"]),
        ({"department": "2", "q": "马"}, ["ma"]),
        ({"q": "nobody"}, []),
    ],
)
def test_members_are_found_by_name_and_department_with_all_below(
    client: FlaskClient, query: dict[str, str], found: list[str]
) -> None:
    assert listed(client, **query) == found


def test_each_state_lists_its_members_and_every_member_has_one(client: FlaskClient) -> None:
    kept: dict[str, dict[str, Any]] = {
        "serving": {"serves": True},
        "on_leave": {"serves": True, "on_leave": True},
        "off_duty": {"serves": True, "on_duty": False},
        "leaving": {"serves": True, "on_leave": True},
        "offboarded": {"serves": True},
        "returned": {"serves": True, "returned_at": MORNING + timedelta(days=1)},
        "cancelled": {"serves": True},
        "left": {"left_at": MORNING, "status": 5},
        "gone": {"status": 5},
        "disabled": {"status": 2, "on_leave": True},
        "office": {},
    }
    for userid, values in kept.items():
        Staff.create(userid=userid, name=userid, seen_at=MORNING, **values)
    offboard("leaving", "running")
    for userid in ("offboarded", "returned", "left"):
        offboard(userid, "done")
    offboard("cancelled", "cancelled")

    found = {state: sorted(listed(client, state=state)) for state in STATES}

    assert found == {
        "serving": ["cancelled", "returned", "serving"],
        "on_leave": ["off_duty", "on_leave"],
        "leaving": ["leaving", "offboarded"],
        "left": ["gone", "left"],
        "inactive": ["disabled"],
        "not_serving": ["boss", "office"],
    }
    # What the page calls fit is what the rules call fit.
    lines = members.lines(list(Staff.select()), None)
    said = {line.member.userid: line.state for line in lines}
    assert said == {userid: state for state, userids in found.items() for userid in userids}


def test_what_the_list_calls_serving_is_whom_the_rules_give_customers(
    app: APIFlask, client: FlaskClient
) -> None:
    for userid, values in (("a", {}), ("b", {"on_leave": True}), ("c", {"status": 4}), ("d", {})):
        Staff.create(userid=userid, serves=True, seen_at=MORNING, **values)
    offboard("d", "done")

    fit = [one.userid for one in staff.candidates(app.extensions["console"]) if not one.unfit]

    assert listed(client, state="serving") == fit == ["a"]


def test_a_member_with_as_many_customers_as_allowed_is_full(client: FlaskClient) -> None:
    for userid in ("full", "free"):
        Staff.create(userid=userid, name=userid, serves=True, capacity=2, seen_at=MORNING)
    for number, userid in enumerate(["full", "full", "free"]):
        Ownership.create(
            external_userid=f"wm{number}", userid=userid, since=MORNING, reason=Reason("x")
        )
    Ownership.create(
        external_userid="wm9", userid="free", since=MORNING, until=MORNING, reason=Reason("x")
    )

    text = client.get("/staff").get_data(as_text=True)

    assert text.count("已满") == 1
    assert "已满" in client.get("/staff/members/full").get_data(as_text=True)
    assert "客户 1 / 2" in client.get("/staff/members/free").get_data(as_text=True)


def test_a_manager_sees_the_own_departments_and_nobody_else(manager: FlaskClient) -> None:
    tree = manager.get("/staff/departments").get_data(as_text=True)

    assert listed(manager) == ["zhangsan", "ma"]
    assert ("浦东" in tree, "华南" in tree, "总部" in tree) == (True, False, False)
    assert manager.get("/staff/members/zhangsan").status_code == 200
    for path in ("/staff/members/lihua", "/staff/members/lihua/edit", "/staff?department=3"):
        assert manager.get(path).status_code == 404
    assert submit(manager, "/staff/members/lihua/edit", capacity="1").status_code == 404
    assert Staff.get_by_id("lihua").capacity is None


def test_whoever_has_no_business_with_staff_sees_none(app: APIFlask, house: None) -> None:
    browser = app.test_client()
    log_in(browser, "zhangsan")

    for path in ("/staff", "/staff/departments", "/staff/members/zhangsan"):
        assert browser.get(path).status_code == 403
    assert submit(browser, "/staff/members/zhangsan/edit").status_code == 403


def test_audit_sees_the_staff_and_changes_nothing(app: APIFlask, house: None) -> None:
    add_person("auditor", "审计员", Role.AUDITOR)
    browser = app.test_client()
    log_in(browser, "auditor")

    text = browser.get("/staff/members/zhangsan").get_data(as_text=True)

    assert "/staff/members/zhangsan/edit" not in text
    assert browser.get("/staff/members/zhangsan/edit").status_code == 403
    assert submit(browser, "/staff/members/zhangsan/edit", capacity="1").status_code == 403


@pytest.mark.usefixtures("house")
def test_the_tree_shows_leaders_and_counts_each_member_once(client: FlaskClient) -> None:
    Staff.update(departments=[2, 4]).where(Staff.userid == "zhangsan").execute()
    Staff.create(userid="gone", departments=[4], left_at=MORNING, seen_at=MORNING)

    text = client.get("/staff/departments").get_data(as_text=True)
    lines = re.findall(
        r'department=(\d)">.*?</a>\s*<small[^>]*>(.*?)</small>\s*<', text, flags=re.DOTALL
    )
    counts = {number: re.sub(r"<[^>]*>", "", said).split(" · ")[0] for number, said in lines}

    assert counts["1"] == "4 人（直属 1）"
    assert counts["2"] == "2 人"
    assert counts["4"] == "1 人"
    assert "马经理" in text


def test_departments_in_a_circle_break_nothing(client: FlaskClient) -> None:
    Department.create(id=8, parent_id=9, name="甲")
    Department.create(id=9, parent_id=8, name="乙")
    Staff.create(userid="x", departments=[8], seen_at=MORNING)

    for path in ("/staff", "/staff/departments", "/staff?department=8", "/staff/members/x"):
        assert client.get(path).status_code == 200


@pytest.mark.usefixtures("house")
def test_a_member_shows_what_is_under_way(client: FlaskClient) -> None:
    Staff.update(direct_leader="ma").where(Staff.userid == "zhangsan").execute()
    RoleGrant.create(actor="zhangsan", role="reviewer", granted_by="boss", granted_at=MORNING)
    handover = offboard("zhangsan", "running")
    Customer.create(external_userid="wm_a", name="王女士", met_at=MORNING)
    add_relation("wm_a", "zhangsan", 0)
    Conflict.create(
        external_userid="wm_a", owner="lihua", contenders=["zhangsan"], opened_at=MORNING
    )
    Ownership.create(external_userid="wm_b", userid="zhangsan", since=MORNING, reason=Reason("x"))

    text = client.get("/staff/members/zhangsan").get_data(as_text=True)

    assert "总部 / 华东 / 浦东" in text
    assert 'href="/staff/members/ma"' in text
    assert f'href="/offboardings/{handover.id}"' in text
    assert re.search(r"归属冲突等待处理.*>1<", text)
    assert "质检审核员" in text
    assert 'href="/customers?owner=zhangsan"' in text
    assert "王女士" not in text


def terms_of(userid: str) -> tuple[Any, ...]:
    member = Staff.get_by_id(userid)
    return member.capacity, member.licences, member.on_duty, member.on_leave, member.returned_at


def test_a_manager_sets_what_a_member_takes_and_the_log_has_what_changed(
    manager: FlaskClient,
) -> None:
    answer = submit(
        manager,
        "/staff/members/zhangsan/edit",
        capacity=" 50 ",
        daily_quota="3",
        licences="fund，F1，2026-01-01，2027/12/31\n\n证券从业\nfund, F1, 2026-01-01, 2027-12-31",
        skills="英语、粤语，英语",
        availability="2026-12-24, 2026-12-26, 休假\n2026-12-28 09:00, 2026-12-28 18:00, 当班",
        on_duty="1",
        on_leave="1",
    )

    assert answer.location == "/staff/members/zhangsan"
    assert "已保存" in manager.get(answer.location).get_data(as_text=True)
    member = Staff.get_by_id("zhangsan")
    assert terms_of("zhangsan")[0::2] == (50, True, None)
    assert member.licences == [
        {"kind": "fund", "number": "F1", "valid_from": "2026-01-01", "valid_to": "2027-12-31"},
        {"kind": "证券从业", "number": "", "valid_from": None, "valid_to": None},
    ]
    assert (member.skills, member.daily_quota) == (["英语", "粤语"], 3)
    assert member.availability == [
        {"from": "2026-12-24", "to": "2026-12-26", "kind": "leave"},
        {"from": "2026-12-28T01:00:00Z", "to": "2026-12-28T10:00:00Z", "kind": "duty"},
    ]
    entry = AuditEntry.get(AuditEntry.act == "staff.set_terms")
    assert (entry.actor, entry.subject) == ("ma", "staff zhangsan")
    # Duty did not change, and writing it would take back somebody who is offboarded.
    assert set(entry.details) == {
        "capacity",
        "daily_quota",
        "licences",
        "skills",
        "availability",
        "on_leave",
    }
    # What the form shows is what it takes.
    form = manager.get("/staff/members/zhangsan/edit").get_data(as_text=True)
    sent = {
        name: unescape(
            re.findall(rf'<textarea[^>]* name="{name}"[^>]*>(.*?)</textarea>', form, re.S)[0]
        )
        for name in ("licences", "availability")
    }
    more = {"capacity": "50", "daily_quota": "3", "skills": "英语、粤语", "on_duty": "1"}
    submit(manager, "/staff/members/zhangsan/edit", on_leave="1", **more, **sent)
    assert Staff.get_by_id("zhangsan").availability == member.availability
    assert Staff.get_by_id("zhangsan").licences == member.licences


def test_a_form_sent_as_it_was_changes_nothing(manager: FlaskClient) -> None:
    answer = submit(manager, "/staff/members/zhangsan/edit", capacity="", licences="", on_duty="1")

    assert "没有改动" in manager.get(answer.location).get_data(as_text=True)
    assert AuditEntry.select().where(AuditEntry.act == "staff.set_terms").count() == 0


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("capacity", "many", "请填写 0 到 1,000,000 的整数"),
        ("capacity", "-1", "请填写 0 到 1,000,000 的整数"),
        ("capacity", "1000001", "请填写 0 到 1,000,000 的整数"),
        ("capacity", "١", "请填写 0 到 1,000,000 的整数"),
        ("daily_quota", "x", "请填写 0 到 10,000 的整数"),
        ("licences", "fund\n" + "长" * 65, "第 2 行：最多 64 字"),
        ("licences", "fund, F1, 明天", "第 1 行：不是日期或时间"),
        ("licences", "\n".join(f"L{number}" for number in range(101)), "最多 100 项资质"),
        ("skills", "长" * 65, "每项不超过 64 个字"),
        ("availability", "2026-12-24, 2026-12-26, 出游", "第 1 行：须为 duty"),
        (
            "availability",
            "2026-12-01, 2026-12-31, 当班\n2026-12-24, 2026-12-26, 休假",
            "两段时间重叠",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_typed_is_lost(
    manager: FlaskClient, field: str, typed: str, message: str
) -> None:
    form = {"capacity": "7", "licences": "基金从业", "on_leave": "1"} | {field: typed}

    answer = submit(manager, "/staff/members/zhangsan/edit", **form)
    text = answer.get_data(as_text=True)

    assert answer.status_code == 422
    assert message in text
    assert f'value="{form["capacity"]}"' in text
    assert str(escape(form["licences"])) in text
    assert re.search(r'name="on_leave"[^>]* checked', text)
    assert not re.search(r'name="on_duty"[^>]* checked', text)
    assert terms_of("zhangsan") == (None, [], True, False, None)


def test_a_calendar_is_taken_or_its_line_is_named(manager: FlaskClient) -> None:
    path = "/staff/members/zhangsan/calendar"
    event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20991224\nSUMMARY:{}\nEND:VEVENT"
    whole = f"BEGIN:VCALENDAR\n{event}\nEND:VCALENDAR\n"

    wrong = submit(manager, path, calendar=(io.BytesIO(whole.format("聚餐").encode()), "a.ics"))
    taken = submit(manager, path, calendar=(io.BytesIO(whole.format("年假").encode()), "a.ics"))

    assert wrong.status_code == 422
    assert "第 2 行" in wrong.get_data(as_text=True)
    assert taken.status_code == 302
    [one] = Staff.get_by_id("zhangsan").availability
    assert one["kind"] == "leave"
    assert "2099-12-24 00:00" in manager.get("/staff/members/zhangsan").get_data(as_text=True)


def test_a_form_that_is_not_ours_changes_nothing(manager: FlaskClient) -> None:
    assert manager.post("/staff/members/zhangsan/edit", data={"capacity": "1"}).status_code == 400
    assert Staff.get_by_id("zhangsan").capacity is None


def test_nobody_comes_back_from_an_offboarding_by_accident(manager: FlaskClient) -> None:
    offboard("zhangsan", "done", last_day=clock.now().date())
    Staff.update(on_duty=False).where(Staff.userid == "zhangsan").execute()
    path = "/staff/members/zhangsan/edit"

    refused = submit(manager, path, on_duty="1")
    assert refused.status_code == 422
    assert "确认继续任职时" in refused.get_data(as_text=True)
    assert terms_of("zhangsan")[2:] == (False, False, None)

    assert submit(manager, path, on_duty="1", returns="1").status_code == 302
    assert Staff.get_by_id("zhangsan").returned_at is not None
    assert listed(manager, state="serving") == ["zhangsan", "ma"]


def test_whoever_is_on_duty_comes_back_by_saying_so(manager: FlaskClient) -> None:
    offboard("zhangsan", "done")

    submit(manager, "/staff/members/zhangsan/edit", on_duty="1", capacity="9")
    assert Staff.get_by_id("zhangsan").returned_at is None

    submit(manager, "/staff/members/zhangsan/edit", on_duty="1", capacity="9", returns="1")
    assert Staff.get_by_id("zhangsan").returned_at is not None


def test_duty_waits_until_an_open_offboarding_is_cancelled(manager: FlaskClient) -> None:
    offboard("zhangsan", "running")
    Staff.update(on_duty=False).where(Staff.userid == "zhangsan").execute()

    answer = submit(manager, "/staff/members/zhangsan/edit", on_duty="1", returns="1")

    assert answer.status_code == 422
    assert "请先取消交接" in answer.get_data(as_text=True)
    assert terms_of("zhangsan")[2:] == (False, False, None)


@pytest.mark.parametrize("browser", ["client", "manager"])
def test_thousands_of_members_take_no_more_queries(
    request: pytest.FixtureRequest, house: None, browser: str
) -> None:
    client: FlaskClient = request.getfixturevalue(browser)
    paths = ["/staff", "/staff?department=2&state=serving", "/staff/departments"]
    paths += ["/staff/members/zhangsan"]

    def queries(path: str) -> int:
        with counted_queries() as sent:
            assert client.get(path).status_code == 200
        return len(sent)

    few = [queries(path) for path in paths]
    Staff.insert_many(
        {"userid": f"m{number}", "name": "某", "departments": [10 + number % 200], "serves": True}
        | {"seen_at": MORNING}
        for number in range(2000)
    ).execute()
    Department.insert_many(
        {"id": 10 + number, "parent_id": 2, "name": f"部{number}", "leaders": [f"m{number}"]}
        for number in range(200)
    ).execute()

    assert [queries(path) for path in paths] == few
    assert max(few) < 25


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    "path",
    ["/staff", "/staff/departments", "/staff/members/zhangsan", "/staff/members/ma/edit"],
)
def test_a_page_in_english_has_no_chinese_of_its_own(client: FlaskClient, path: str) -> None:
    Staff.update(name=Staff.userid).execute()
    Department.update(name="Department").execute()
    offboard("zhangsan", "running")

    text = client.get(path, query_string={"lang": "en"}).get_data(as_text=True)

    text = text.replace("中文", "").replace("客规", "")
    assert [line for line in text.splitlines() if re.search("[\u4e00-\u9fff]", line)] == []


@pytest.mark.parametrize("path", ["/staff?state=x", "/staff?department=x", "/staff/members/none"])
def test_what_is_not_there_is_no_page(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_form_writes_only_what_was_typed_and_not_over_what_another_has_changed(
    manager: FlaskClient,
) -> None:
    path = "/staff/members/zhangsan/edit"
    Staff.update(capacity=100).where(Staff.userid == "zhangsan").execute()
    [shown] = re.findall(r'name="shown" value="([^"]+)"', manager.get(path).get_data(as_text=True))
    shown = unescape(shown)
    Staff.update(capacity=50, on_duty=False).where(Staff.userid == "zhangsan").execute()

    # Only the leave was ticked; the rest is as it was shown.
    form = {"shown": shown, "capacity": "100", "licences": "", "on_duty": "1", "on_leave": "1"}
    assert submit(manager, path, **form).status_code == 302

    assert terms_of("zhangsan")[:4] == (50, [], False, True)
    again = submit(manager, path, **{**form, "licences": "x" * 65})
    assert again.status_code == 422
    # What is typed anew is compared with what the form showed at first.
    assert f'name="shown" value="{escape(shown)}"' in again.get_data(as_text=True)
    refused = submit(manager, path, **{**form, "capacity": "70"})
    assert refused.status_code == 409
    text = refused.get_data(as_text=True)
    assert "刚刚被他人修改" in text
    assert re.search(r'name="capacity"[^>]* value="50"', text)
    assert terms_of("zhangsan")[0] == 50
