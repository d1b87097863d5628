"""渠道活码: who sees which, and what is made, changed and deleted in WeCom."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest
import responses
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock
from bot.console.channels import contact_ways
from bot.models import (
    Alarm,
    AuditEntry,
    ContactWay,
    Customer,
    Department,
    Lease,
    Ownership,
    Staff,
)
from bot.reason import Reason
from bot.rights import Role
from bot.wecom import (
    ContactWayMade,
    OperatorNeeded,
    Paused,
    Refused,
    Throttled,
    Transient,
    WeComError,
)
from tests.console.conftest import MORNING, add_person, log_in, submit
from tests.queries import counted_queries
from tests.wecom.one_for_all import OneForAll

pytestmark = pytest.mark.usefixtures("database")
PICTURE = b"\x89PNG the code"
QR = "https://p.qpic.cn/wwhead/code/0"


@dataclass
class FakeWeCom(OneForAll):
    """Remembers what it was asked; ``error`` is raised instead."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    error: WeComError | None = None

    def contact_ways_add(self, userids: list[str], state: str, remark: str = "") -> ContactWayMade:
        self._asked("add", userids, state, remark)
        return ContactWayMade("config-1", QR)

    def contact_ways_update(
        self, config_id: str, userids: list[str], *, remark: str | None = None
    ) -> None:
        self._asked("update", config_id, userids, remark)

    def contact_ways_delete(self, config_id: str) -> None:
        self._asked("delete", config_id)

    def _asked(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error


@pytest.fixture
def wecom(app: APIFlask) -> FakeWeCom:
    fake = FakeWeCom()
    app.extensions["console"] = replace(app.extensions["console"], wecom=cast(Any, fake))
    return fake


@pytest.fixture
def house(client: FlaskClient) -> None:
    """Ma leads department 2 with Zhang San; Li Hua is elsewhere; each has a way, two share one."""
    Department.create(id=2, parent_id=1, name="华东", leaders=["ma"])
    for userid, name, number in (
        ("ma", "马经理", 2),
        ("zhangsan", "张三", 2),
        ("lihua", "李华", 3),
    ):
        Staff.create(userid=userid, name=name, departments=[number], serves=True, seen_at=MORNING)
    add_way("own", "zhangsan")
    add_way("other", "lihua")
    add_way("shared", "zhangsan", "lihua")


@pytest.fixture
def manager(app: APIFlask, wecom: FakeWeCom, house: None) -> FlaskClient:
    """The browser of the leader of department 2."""
    browser = app.test_client()
    log_in(browser, "ma")
    return browser


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    contact_ways._images.cache_clear()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
    contact_ways._images.cache_clear()


def add_way(state: str, *userids: str, **values: Any) -> ContactWay:
    known = {"config_id": f"config {state}", "state": state, "channel": f"渠道{state}"}
    known |= {"qr_code": QR, "remark": "备注"}
    return ContactWay.create(
        userids=list(userids), created_at=MORNING, updated_at=MORNING, **(known | values)
    )


def listed(client: FlaskClient, **query: str) -> list[str]:
    page = client.get("/contact-ways", query_string=query)
    assert page.status_code == 200
    return re.findall(r">渠道(\w+)</a>", page.get_data(as_text=True))


@pytest.mark.usefixtures("house")
def test_the_list_counts_as_far_as_is_read_and_the_way_itself_to_the_end(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_ways, "MOST_CUSTOMERS", 3)
    way = ContactWay.get(ContactWay.state == "shared")
    for number in range(4):
        Customer.meet(f"wm_came_{number}", channel="shared", met_at=MORNING)
    Customer.meet("wm_alone", channel="own", met_at=MORNING)

    text = client.get("/contact-ways").get_data(as_text=True)
    counts = re.findall(r"data-label=\"客户数\"[^>]*>\s*([^<\s]+)", text)

    assert counts == ["3+", "0", "1"]
    assert "4 位" in client.get(f"/contact-ways/{way.id}").get_data(as_text=True)


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["shared", "other", "own"]),
        ({"q": "渠道o"}, ["other", "own"]),
        ({"q": "SHARED"}, ["shared"]),
        ({"q": "没有"}, []),
    ],
)
def test_ways_are_found_the_latest_first(
    client: FlaskClient, query: dict[str, str], found: list[str]
) -> None:
    assert listed(client, **query) == found


@pytest.mark.usefixtures("house")
def test_a_way_shows_how_many_customers_it_brought(client: FlaskClient) -> None:
    for number in range(3):
        Customer.create(external_userid=f"wm{number}", channel="own", met_at=MORNING)

    rows = client.get("/contact-ways").get_data(as_text=True).split("<tr>")
    counts = [re.findall(r'class="number[^>]*>(\d+)<', row) for row in rows[2:]]

    assert counts == [["0"], ["0"], ["3"]]


def test_a_manager_sees_only_ways_that_lead_to_nobody_else(manager: FlaskClient) -> None:
    assert listed(manager) == ["own"]
    assert manager.get("/contact-ways/1").status_code == 200
    for number in (2, 3, 4):
        for page in ("", "/qr", "/edit", "/remove"):
            assert manager.get(f"/contact-ways/{number}{page}").status_code == 404
        for page in ("edit", "remove"):
            assert submit(manager, f"/contact-ways/{number}/{page}").status_code == 404
    assert ContactWay.select().count() == 3


def test_a_way_tells_no_manager_how_many_customers_came_to_another_department(
    manager: FlaskClient,
) -> None:
    way = add_way("shared", "zhangsan", config_id="a mark of another department's")
    for number in range(5):
        Customer.meet(f"wm_came_{number}", channel="shared", met_at=MORNING)
        owner = "zhangsan" if number < 2 else "lihua"
        Ownership.claim(f"wm_came_{number}", owner, at=MORNING, reason=Reason(""))

    text = manager.get("/contact-ways").get_data(as_text=True)
    counts = re.findall(r"data-label=\"客户数\"[^>]*>\s*([^<\s]+)", text)

    assert counts == ["2", "0"]
    assert "客户数只计您可见的客户" in text
    assert "2 位" in manager.get(f"/contact-ways/{way.id}").get_data(as_text=True)


@pytest.mark.usefixtures("wecom", "house")
def test_compliance_sees_all_ways_and_changes_none(app: APIFlask) -> None:
    add_person("officer", "合规", Role.COMPLIANCE_OFFICER)
    browser = app.test_client()
    log_in(browser, "officer")

    assert listed(browser) == ["shared", "other", "own"]
    assert "/contact-ways/1/edit" not in browser.get("/contact-ways/1").get_data(as_text=True)
    assert "/contact-ways/new" not in browser.get("/contact-ways").get_data(as_text=True)
    for path in ("/contact-ways/new", "/contact-ways/1/edit", "/contact-ways/1/remove"):
        assert browser.get(path).status_code == 403
        assert submit(browser, path).status_code == 403


@pytest.mark.usefixtures("house")
def test_staff_have_no_business_with_ways(app: APIFlask) -> None:
    browser = app.test_client()
    log_in(browser, "zhangsan")

    for path in ("/contact-ways", "/contact-ways/1", "/contact-ways/1/qr", "/contact-ways/new"):
        assert browser.get(path).status_code == 403


NEW = {
    "state": "expo",
    "channel": "展会",
    "remark": "展台",
    "userids": ["zhangsan", "ma"],
    "key": "of this form",
}


def test_a_way_is_made_in_wecom_kept_and_recorded(manager: FlaskClient, wecom: FakeWeCom) -> None:
    answer = submit(manager, "/contact-ways/new", **NEW)

    assert answer.location == "/contact-ways/4"
    assert wecom.calls == [("add", ["zhangsan", "ma"], "expo", "展台")]
    way = ContactWay.get_by_id(4)
    assert (way.config_id, way.state, way.channel) == ("config-1", "expo", "展会")
    entries = AuditEntry.select().where(AuditEntry.act.startswith("contact_way."))
    assert [(one.act, one.actor) for one in entries.order_by(AuditEntry.id)] == [
        ("contact_way.make", "ma"),
        ("contact_way.made", "ma"),
    ]


def test_a_form_sent_twice_makes_one_way(manager: FlaskClient, wecom: FakeWeCom) -> None:
    submit(manager, "/contact-ways/new", **NEW)

    again = submit(manager, "/contact-ways/new", **NEW)
    without = submit(manager, "/contact-ways/new", **{**NEW, "key": ""})

    assert (again.location, without.location) == ("/contact-ways", "/contact-ways")
    assert len(wecom.calls) == 1
    assert ContactWay.select().where(ContactWay.state == "expo").count() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"userids": []}, "请至少选择一位成员"),
        ({"userids": ["zhangsan", "lihua"]}, "只能选择您管辖的成员，请去掉：lihua"),
        ({"userids": ["nobody"]}, "只能选择您管辖的成员，请去掉：nobody"),
        ({"userids": [f"m{number}" for number in range(101)]}, "最多选择 100 位成员"),
        ({"state": " "}, "请填写渠道标识"),
        ({"state": "长" * 31}, "不超过 30 个字"),
        ({"remark": "长" * 31}, "不超过 30 个字"),
        ({"channel": "长" * 65}, "不超过 64 个字"),
        ({"remark": "a\x01b"}, "不超过 30 个字"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_typed_is_lost(
    manager: FlaskClient, wecom: FakeWeCom, change: dict[str, Any], message: str
) -> None:
    form = {**NEW, **change}

    answer = submit(manager, "/contact-ways/new", **form)
    text = answer.get_data(as_text=True)

    assert answer.status_code == 422
    assert message in text
    assert f'value="{form["channel"]}"' in text
    for userid in form["userids"]:
        assert re.search(f'value="{userid}" checked', text)
    assert wecom.calls == []
    assert ContactWay.select().count() == 3


def test_members_are_found_by_name_while_the_form_keeps_its_rest(
    manager: FlaskClient, wecom: FakeWeCom
) -> None:
    Staff.create(userid="unfit", name="张四", departments=[2], seen_at=MORNING)

    answer = submit(
        manager, "/contact-ways/new", **{**NEW, "userids": ["ma"]}, do="find", search="张"
    )
    text = answer.get_data(as_text=True)

    assert answer.status_code == 200
    assert re.findall(r'name="userids" value="(\w+)"( checked)?', text) == [
        ("ma", " checked"),
        ("zhangsan", ""),
    ]
    assert 'value="expo"' in text
    assert 'value="展台"' in text
    assert wecom.calls == []


SET_X = Reason("do_set_variable", {"variable": "KEGUI_X"})
ERRORS = [
    (Refused("x", 41054, "not active"), 422, "尚未激活企业微信、未实名认证"),
    (Refused("x", 49999, "new"), 422, "错误码 49999"),
    (Transient("x", None, "network"), 503, "暂时无法连接企业微信，没有做任何改动"),
    (Transient("x", None, "network", maybe_executed=True), 503, "可能已经生效"),
    (Throttled("x", 45009, "freq", wait_seconds=300), 503, "约5 分钟后可再试"),
    (
        OperatorNeeded(
            "x", 41045, "", what_to_do=Reason("do_set_variable", {"variable": "KEGUI_X"})
        ),
        503,
        "请设置 KEGUI_X",
    ),
    (Paused("x", clock.now() + timedelta(days=3), "48002"), 503, "约3 天后恢复"),
]


@pytest.mark.parametrize(("error", "status", "message"), ERRORS)
@pytest.mark.parametrize("page", ["new", "1/edit", "1/remove"])
def test_what_wecom_does_not_do_is_said_and_changes_nothing_here(
    manager: FlaskClient,
    wecom: FakeWeCom,
    page: str,
    error: WeComError,
    status: int,
    message: str,
) -> None:
    wecom.error = error

    answer = submit(manager, f"/contact-ways/{page}", **{**NEW, "remark": "新备注"})
    text = answer.get_data(as_text=True)

    assert answer.status_code == status
    assert message in text
    assert page == "1/remove" or 'value="新备注"' in text
    assert ContactWay.select().count() == 3
    assert (ContactWay.get_by_id(1).remark, ContactWay.get_by_id(1).userids) == (
        "备注",
        ["zhangsan"],
    )
    # What only an operator can mend, an operator hears of.
    assert Alarm.select().count() == isinstance(error, OperatorNeeded)


def test_members_and_remark_change_in_wecom_first(manager: FlaskClient, wecom: FakeWeCom) -> None:
    answer = submit(manager, "/contact-ways/1/edit", userids=["zhangsan", "ma"], remark="新")

    assert answer.location == "/contact-ways/1"
    assert wecom.calls == [("update", "config own", ["zhangsan", "ma"], "新")]
    way = ContactWay.get_by_id(1)
    assert (way.userids, way.remark, way.state) == (["zhangsan", "ma"], "新", "own")
    assert AuditEntry.get(AuditEntry.act == "contact_way.change").details == {
        "userids": "zhangsan,ma",
        "remark": "新",
    }


def test_nobody_hands_a_way_to_another_department(manager: FlaskClient, wecom: FakeWeCom) -> None:
    answer = submit(manager, "/contact-ways/1/edit", userids=["zhangsan", "lihua"], remark="备注")

    assert answer.status_code == 422
    assert wecom.calls == []


def test_a_form_sent_as_it_was_asks_wecom_nothing(manager: FlaskClient, wecom: FakeWeCom) -> None:
    answer = submit(manager, "/contact-ways/1/edit", userids=["zhangsan"], remark="备注")

    assert "没有改动" in manager.get(answer.location).get_data(as_text=True)
    assert wecom.calls == []


def test_a_way_is_deleted_after_a_yes(manager: FlaskClient, wecom: FakeWeCom) -> None:
    asked = manager.get("/contact-ways/1/remove").get_data(as_text=True)
    assert "二维码立即失效" in asked
    assert wecom.calls == []

    answer = submit(manager, "/contact-ways/1/remove")

    assert answer.location == "/contact-ways"
    assert wecom.calls == [("delete", "config own")]
    assert listed(manager) == []
    assert AuditEntry.get(AuditEntry.act == "contact_way.remove").actor == "ma"


def test_a_way_that_another_changes_at_this_moment_is_not_deleted(
    manager: FlaskClient, wecom: FakeWeCom
) -> None:
    with Lease.held("contact way 1"):
        answer = submit(manager, "/contact-ways/1/remove")

    assert answer.status_code == 409
    assert "他人正在修改" in answer.get_data(as_text=True)
    assert wecom.calls == []
    assert ContactWay.select().count() == 3


def test_a_form_that_is_not_ours_does_nothing(manager: FlaskClient, wecom: FakeWeCom) -> None:
    for page in ("new", "1/edit", "1/remove"):
        assert manager.post(f"/contact-ways/{page}", data=NEW).status_code == 400
    assert wecom.calls == []


def test_the_code_comes_from_this_host_and_is_fetched_once(
    manager: FlaskClient, network: responses.RequestsMock
) -> None:
    network.get(QR, body=PICTURE, content_type="image/png")

    text = manager.get("/contact-ways/1").get_data(as_text=True)
    image = manager.get("/contact-ways/1/qr")
    saved = manager.get("/contact-ways/1/qr?download=1")

    assert 'src="/contact-ways/1/qr"' in text
    assert "qpic.cn" not in text
    assert (image.data, image.mimetype) == (PICTURE, "image/png")
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in image.headers["Cache-Control"]
    assert saved.headers["Content-Disposition"] == 'attachment; filename="qr-1.png"'
    assert len(network.calls) == 1


def test_a_code_that_cannot_be_fetched_is_a_link_in_words(
    manager: FlaskClient, network: responses.RequestsMock
) -> None:
    network.get(QR, status=404)

    text = manager.get("/contact-ways/1").get_data(as_text=True)

    assert "二维码无法显示" in text
    assert QR in text
    assert f'href="{QR}"' not in text
    assert manager.get("/contact-ways/1/qr").status_code == 404


def test_a_way_without_a_code_says_so(
    manager: FlaskClient, network: responses.RequestsMock
) -> None:
    add_way("bare", "zhangsan", qr_code="")

    assert "没有二维码" in manager.get("/contact-ways/4").get_data(as_text=True)
    assert len(network.calls) == 0


def test_thousands_of_ways_take_no_more_queries(manager: FlaskClient, client: FlaskClient) -> None:
    def queries(browser: FlaskClient, path: str) -> int:
        with counted_queries() as sent:
            assert browser.get(path).status_code == 200
        return len(sent)

    asked = [(client, "/contact-ways"), (manager, "/contact-ways"), (manager, "/contact-ways/new")]
    few = [queries(*one) for one in asked]
    now = {"created_at": MORNING, "updated_at": MORNING}
    ContactWay.insert_many(
        {"config_id": f"c{number}", "state": f"s{number}", "userids": ["zhangsan"], **now}
        for number in range(1000)
    ).execute()

    assert [queries(*one) for one in asked] == few
    assert max(few) < 20


@pytest.mark.parametrize("page", ["", "/new", "/1", "/1/edit", "/1/remove"])
def test_a_page_in_english_has_no_chinese_of_its_own(
    manager: FlaskClient, network: responses.RequestsMock, page: str
) -> None:
    Staff.update(name=Staff.userid).execute()
    ContactWay.update(channel="fair", remark="").execute()

    text = manager.get(f"/contact-ways{page}?lang=en").get_data(as_text=True)

    text = text.replace("中文", "").replace("客规", "")
    assert [line for line in text.splitlines() if re.search("[\u4e00-\u9fff]", line)] == []


def test_a_form_does_not_put_back_what_another_has_changed_meanwhile(
    manager: FlaskClient, wecom: FakeWeCom
) -> None:
    way = add_way("team", "zhangsan", "ma")
    page = manager.get(f"/contact-ways/{way.id}/edit").get_data(as_text=True)
    [seen] = re.findall(r'name="seen" value="([^"]+)"', page)
    ContactWay.update(userids=["ma"], updated_at=clock.now()).where(
        ContactWay.id == way.id
    ).execute()

    form = {"seen": seen, "userids": ["zhangsan", "ma"], "remark": "新备注"}
    refused = submit(manager, f"/contact-ways/{way.id}/edit", **form)

    assert refused.status_code == 409
    text = refused.get_data(as_text=True)
    assert "刚刚被他人修改" in text
    assert wecom.calls == []
    [seen] = re.findall(r'name="seen" value="([^"]+)"', text)
    form = {"seen": seen, "userids": ["ma"], "remark": "新备注"}
    assert submit(manager, f"/contact-ways/{way.id}/edit", **form).status_code == 302
    assert wecom.calls == [("update", "config team", ["ma"], "新备注")]
