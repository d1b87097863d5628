"""审计日志: what is shown of it, found in it, and taken out of it."""

import csv
import io
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

import bot
from bot import clock
from bot.audit import search
from bot.audit.log import AuditLog, Who
from bot.capabilities import CAPABILITIES
from bot.db import database, transaction
from bot.models import AuditAnchor, AuditEntry, Ownership, Staff
from bot.rights import Role
from bot.vault import Vault
from tests.console.conftest import DATA_KEY, MORNING, add_person, at, log_in, submit
from tests.queries import counted_queries

BOT = Path(bot.__file__).parent
pytestmark = pytest.mark.usefixtures("database")


def add_entry(act: str = "login.begin", subject: str = "login 1", **values: Any) -> AuditEntry:
    """An entry as if written at that time by some process."""
    number = AuditEntry.select().count() + 1
    known: dict[str, Any] = {"actor": "lihua", "at": at(number), "details": {}, "mac": "0" * 64}
    return AuditEntry.create(
        writer="w" * 32, number=number, act=act, subject=subject, **(known | values)
    )


def rows(client: FlaskClient, path: str = "/audit", **query: str) -> list[str]:
    """The text of each row of the page, the details with it."""
    page = client.get(path, query_string=query)
    assert page.status_code == 200
    body = page.get_data(as_text=True).partition("<tbody>")[2].partition("</tbody>")[0]
    texts = re.split(r"<tr>", body)[1:]
    return [" ".join(re.sub(r"<[^>]*>", " ", text).split()) for text in texts]


def test_the_latest_is_first_and_the_reading_itself_is_the_latest(client: FlaskClient) -> None:
    add_entry("offboarding.open", "offboarding 7")
    add_entry("staff.set_terms", "staff lihua", details={"capacity": "50"})

    shown = rows(client)

    assert "查阅审计日志" in shown[0]
    assert "账号 boss" in shown[0]
    assert "修改成员的接待设置" in shown[1]
    assert "客户容量 50" in shown[1]
    assert "发起离职继承" in shown[2]


def test_an_act_that_nobody_named_is_shown_as_it_stands(client: FlaskClient) -> None:
    add_entry("thing.do", "<script>alert(1)</script>", details={"<b>": "<i>"})

    text = client.get("/audit").get_data(as_text=True)

    assert "thing.do" in text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert "<i>" not in text


def test_every_act_that_is_written_has_a_name() -> None:
    written = re.compile(
        r'\.record(?:_look)?\((?:(?!\brecord).){0,120}?"([a-z_]+\.[a-z_]+)"', re.DOTALL
    )
    sources = [path.read_text(encoding="utf-8") for path in BOT.rglob("*.py")]
    acts = {act for source in sources for act in written.findall(source)}

    assert len(acts) > 25
    assert acts - {act for one in CAPABILITIES for act in one.acts} == set()


def test_a_subject_leads_to_its_page_for_whoever_may_go_there(client: FlaskClient) -> None:
    add_entry("customer.look", "customer wm_chen")
    add_entry("offboarding.open", "offboarding 7")
    add_entry("pause.lift", "pause app gettoken")

    text = client.get("/audit").get_data(as_text=True)

    assert 'href="/customers/wm_chen"' in text
    assert 'href="/offboardings/7"' in text
    assert "接口暂停 app gettoken" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"person": "李华"}, ["b", "a"]),
        ({"person": "lihua"}, ["b", "a"]),
        ({"person": "api:crm"}, ["c"]),
        ({"person": "nobody"}, []),
        ({"act": "customer.look"}, ["d", "b"]),
        ({"subject": "customer wm_b"}, ["b"]),
        ({"subject": "wm_b"}, ["b"]),
        ({"purpose": "投诉"}, ["d"]),
        ({"person": "李华", "act": "customer.look"}, ["b"]),
        ({"person": "李华", "act": "customer.look", "purpose": "投诉"}, []),
        ({"from": "2026-11-25"}, ["d", "c"]),
        ({"from": "2026-11-25", "to": "2026-11-25"}, ["c"]),
        ({"to": "2026-11-24", "act": "customer.look"}, ["b"]),
    ],
)
def test_a_filter_finds_what_it_says(
    client: FlaskClient, query: dict[str, str], found: list[str]
) -> None:
    Staff.create(userid="lihua", name="李华", seen_at=MORNING)
    add_entry("customer.list", "customer wm_a")
    add_entry("customer.look", "customer wm_b")
    # 1:00 on the 25th in Shanghai, still the 24th in Greenwich.
    add_entry("customer.list", "customer wm_c", actor="api:crm", at=at(15 * 60))
    add_entry("customer.look", "customer wm_d", actor="x", purpose="客户投诉", at=at(48 * 60))

    shown = [row for row in rows(client, **query) if "wm_" in row]

    assert [re.findall(r"客户 wm_(\w)", row)[0] for row in shown] == found


def test_days_are_found_among_many_entries(client: FlaskClient) -> None:
    for number in range(200):
        add_entry(subject=f"login {number}", at=MORNING + timedelta(hours=number))

    shown = rows(client, **{"from": "2026-11-27", "to": "2026-11-27"})

    assert len(shown) == 24
    assert "登录 85" in shown[0]
    assert "登录 62" in shown[-1]


def test_a_name_of_two_people_asks_which(client: FlaskClient) -> None:
    for userid in ("lihua", "lihua2"):
        Staff.create(userid=userid, name="李华", seen_at=MORNING)
    add_entry()

    text = client.get("/audit?person=李华").get_data(as_text=True)

    assert "有 2 位成员叫这个名字" in text
    assert 'href="/audit?person=lihua2"' in text
    assert "<tbody>" not in text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": "24/11/2026"}, "请按 2026-11-24 的格式填写日期"),
        ({"from": "2026-11-25", "to": "2026-11-24"}, "结束日期早于开始日期"),
    ],
)
def test_a_day_that_is_none_is_said_and_what_was_typed_is_kept(
    client: FlaskClient, query: dict[str, str], message: str
) -> None:
    text = client.get("/audit", query_string={**query, "purpose": "投诉"}).get_data(as_text=True)

    assert message in text
    assert 'value="投诉"' in text
    assert f'value="{query["from"]}"' in text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_time_breaks_nothing(client: FlaskClient, day: str) -> None:
    add_entry()

    assert client.get("/audit", query_string={"from": day, "to": day}).status_code == 200


def test_pages_neither_repeat_nor_skip_while_the_log_grows(client: FlaskClient) -> None:
    for number in range(120):
        add_entry("event.replay", f"event {number}")

    seen: list[str] = []
    path: str | None = "/audit?act=event.replay"
    while path is not None:
        page = client.get(path).get_data(as_text=True)
        seen += re.findall(r">(\d+) 号事件<", page)
        add_entry("event.replay", f"event {900 + len(seen)}")
        link = re.search(r'rel="next" href="([^"]+)"', page)
        path = link and link[1].replace("&amp;", "&")

    assert seen == [str(number) for number in range(119, -1, -1)]


def test_a_search_without_an_index_is_broken_off_and_goes_on(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 20)
    add_entry("event.replay", "event 1", purpose="重大投诉")
    for _ in range(50):
        add_entry()

    path, looks = "/audit?purpose=重大", 0
    while "1 号事件" not in (page := client.get(path).get_data(as_text=True)):
        looks += 1
        assert "已查找最近的" in page
        link = re.search(r'rel="next" href="([^"]+)"', page)
        assert link is not None
        path = link[1].replace("&amp;", "&")

    assert looks >= 2


def test_each_entry_says_whether_it_is_sealed_and_the_page_how_far_the_chain_goes(
    client: FlaskClient,
) -> None:
    log = AuditLog(Vault(DATA_KEY))
    with transaction():
        for number in range(3):
            log.record(Who("lihua"), "event.replay", f"event {number}")
    log.seal()
    log.anchor(clock.now())
    with transaction():
        log.record(Who("lihua"), "event.replay", "event 3")

    shown = rows(client, act="event.replay")
    text = client.get("/audit").get_data(as_text=True)

    assert ["已封存" in row for row in shown] == [False, True, True, True]
    assert "封存位置 3" in shown[1]
    assert "已签名至第 3 条" in text
    assert "等待封存超过一分钟" not in text
    assert search.proof().waiting == AuditEntry.select().count() - 3
    assert f"以 {log.public_key.public_bytes_raw().hex()[:16]} 开头" in text
    assert "kegui audit verify" in text


def test_a_signature_that_is_not_ours_is_said(client: FlaskClient) -> None:
    AuditAnchor.create(position=3, link="0" * 64, at=MORNING, signature="00" * 64)

    assert "所用的密钥不是本机的密钥" in client.get("/audit").get_data(as_text=True)


def test_sealing_that_stands_still_is_said(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = clock.now() - timedelta(minutes=5)
    with monkeypatch.context() as moved, transaction():
        moved.setattr(clock, "now", lambda: earlier)
        AuditLog(Vault(DATA_KEY)).record(Who("lihua"), "event.replay", "event 3")

    assert "封存滞后" in client.get("/audit").get_data(as_text=True)


@pytest.mark.parametrize("role", [Role.HR, Role.ADMINISTRATOR, Role.REVIEWER])
def test_whoever_may_not_read_it_does_not(app: APIFlask, role: Role) -> None:
    add_person("other", "某人", role, leads=4)
    other = app.test_client()
    log_in(other, "other", stepped_up=True)

    assert other.get("/audit").status_code == 403
    assert submit(other, "/audit/export").status_code == 403


def exported(client: FlaskClient, **form: str) -> list[list[str]]:
    log_in(client, "boss", stepped_up=True)
    answer = submit(client, "/audit/export", **form)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-')
    text = answer.get_data(as_text=True)
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:])))


def test_an_export_asks_for_a_second_factor_and_a_form_of_ours(client: FlaskClient) -> None:
    assert submit(client, "/audit/export").location.startswith("/step-up")

    log_in(client, "boss", stepped_up=True)
    assert client.post("/audit/export").status_code == 400
    assert AuditEntry.select().where(AuditEntry.act == "audit.export").count() == 0


def test_an_export_has_what_the_filter_finds_and_is_recorded(client: FlaskClient) -> None:
    Staff.create(userid="lihua", name="李华", seen_at=MORNING)
    add_entry("event.replay", "event 1", details={"why": "again"}, origin="10.0.0.1")
    add_entry("pause.lift", "pause x")

    head, *lines = exported(client, act="event.replay")

    assert head[:4] == ["编号", "时间", "账号", "姓名"]
    assert [line[1:] for line in lines] == [
        [
            *("2026-11-24 10:01:00+08:00", "lihua", "李华", "event.replay", "重新处理事件"),
            *("event 1", "", "10.0.0.1", '{"why": "again"}', ""),
        ]
    ]
    entry = AuditEntry.get(AuditEntry.act == "audit.export")
    assert (entry.actor, entry.details) == ("boss", {"rows": "1", "act": "event.replay"})


@pytest.mark.parametrize("start", [*"=+-@＝＋－＠", "\t", "\r", "\n", " =", "\ufeff=", "\u200b＝"])
def test_no_cell_of_an_export_is_a_formula(client: FlaskClient, start: str) -> None:
    evil = f"{start}cmd|'/C calc'!A0"
    add_entry("event.replay", evil, purpose=evil, actor=evil, origin=evil)

    [_, line] = exported(client, act="event.replay")

    assert [cell for cell in line if cell.startswith(start)] == []
    assert line.count(f"'{evil}") == 5


def test_a_long_export_ends_and_says_so(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "EXPORTED", 7)
    monkeypatch.setattr(search, "EXPORTED_AT_ONCE", 3)
    for number in range(9):
        add_entry("event.replay", f"event {number}")

    _, *lines, last = exported(client, act="event.replay")

    assert [line[6] for line in lines] == [f"event {number}" for number in range(8, 1, -1)]
    assert last == ["只导出了较近的 7 条。更早的请缩小日期范围后再导出。"]


def test_an_export_that_just_fits_is_whole(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "EXPORTED", 7)
    for number in range(7):
        add_entry("event.replay", f"event {number}")

    assert len(exported(client, act="event.replay")) == 1 + 7


def test_an_export_that_gives_up_its_search_says_so(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 3)
    monkeypatch.setattr(search, "LOOKS", 2)
    for number in range(20):
        add_entry(purpose="投诉" if number in (0, 19) else "")

    _, *lines, last = exported(client, purpose="投诉")

    assert len(lines) == 1
    assert last == ["只导出了较近的 1 条。更早的请缩小日期范围后再导出。"]


@pytest.mark.parametrize(
    ("typed", "language", "found"),
    [
        ("客户 wm_chen", "zh", "查看客户详情"),
        ("Customer wm_chen", "en", "View a customer"),
        ("1 号归属冲突", "zh", "处理归属冲突"),
        ("客户列表", "zh", "查看客户列表"),
    ],
)
def test_a_subject_is_found_by_the_words_that_the_page_shows(
    client: FlaskClient, typed: str, language: str, found: str
) -> None:
    add_entry("customer.look", "customer wm_chen")
    add_entry("conflict.resolve", "conflict 1")
    add_entry("customer.list", "customers")

    shown = rows(client, subject=typed, lang=language)

    assert len(shown) == 1
    assert typed in shown[0]


def test_a_longer_log_takes_no_more_queries(client: FlaskClient) -> None:
    def queries(**query: str) -> int:
        with counted_queries() as sent:
            assert client.get("/audit", query_string=query).status_code == 200
        return len(sent)

    for number in range(60):
        add_entry(subject=f"customer wm_{number}", actor=f"member{number}", purpose="x")
    filters: list[dict[str, str]] = [{}, {"act": "login.begin"}, {"purpose": "x"}]
    few = [queries(**query) for query in filters]

    later = datetime(2026, 11, 30, tzinfo=MORNING.tzinfo)
    for number in range(600):
        add_entry(subject=f"staff x{number}", actor=f"person{number}", purpose="x", at=later)

    assert [queries(**query) for query in filters] == few
    assert max(few) < 25
    # Halving: twice ten for a thousand entries, twice 26 for fifty million.
    assert queries(**{"from": "2026-11-25", "to": "2026-11-26"}) < max(few) + 24


@pytest.mark.parametrize("before", ["x", "0", "-1", "99999999999999999999999"])
def test_a_place_that_is_none_is_harmless(client: FlaskClient, before: str) -> None:
    assert client.get(f"/audit?before={before}").status_code in (200, 404)


def test_the_page_in_english_has_no_chinese_of_its_own(client: FlaskClient) -> None:
    Staff.update(name="Boss").execute()
    add_entry("offboarding.open", "offboarding 7", details={"mode": "approve", "userid": "lihua"})

    text = client.get("/audit?lang=en").get_data(as_text=True)

    assert "Open an offboarding" in text
    text = text.replace("中文", "").replace("客规", "")
    assert [line for line in text.splitlines() if re.search("[\u4e00-\u9fff]", line)] == []


def latest(act: str) -> dict[str, str]:
    found: AuditEntry = (
        AuditEntry.select().where(AuditEntry.act == act).order_by(AuditEntry.id.desc()).first()
    )
    return found.details


def test_what_was_looked_for_is_kept_whole_where_the_log_has_it_and_else_without_phones(
    client: FlaskClient,
) -> None:
    Staff.create(userid="10012345", name="工号", seen_at=MORNING)
    add_entry(actor="10012345", subject="customer wm_20001234")

    client.get("/audit?person=10012345&subject=wm_20001234&purpose=回电 138-0013-8000")
    client.get("/audit?subject=138-0013-8000")

    kept = AuditEntry.select().where(AuditEntry.act == "audit.look").order_by(AuditEntry.id)
    assert [entry.details for entry in kept] == [
        {"person": "10012345", "subject": "wm_20001234", "purpose": "回电 138…"},
        {"subject": "138…"},
    ]
    client.get("/customers?q=10012345")
    assert latest("customer.list")["q"] == "10012345"
    client.get("/customers?q=138-0013-8000")
    assert latest("customer.list")["q"] == "138…"


def test_a_look_at_a_list_says_which_customers_it_was(client: FlaskClient, firm: None) -> None:
    Staff.update(departments=[1]).execute()
    Ownership.update(userid="zhangsan").execute()

    client.get("/moves/new?external_userid=wm_chen&external_userid=wm_chen")
    assert latest("customer.list") == {"to_move": "1", "external_userids": "wm_chen"}
    client.get("/moves/new?owner=zhangsan&external_userid=wm_other")
    assert latest("customer.list") == {"to_move": "1", "owner": "zhangsan"}
    client.get("/customers?owner=10012345&channel=web&consent=agreed&page=3")
    assert latest("customer.list") == {
        "owner": "100…",
        "channel": "web",
        "consent": "agreed",
        "page": "1",
    }
    client.get("/conflicts")
    assert latest("conflict.list") == {"state": "open", "page": "1"}
    client.get("/")
    assert "wm_chen" in latest("home.look")["external_userids"].split(",")


def looks(client: FlaskClient, path: str) -> list[tuple[str, str, dict[str, str]]]:
    """What a page leaves in the log."""
    before = AuditEntry.select().count()
    assert client.get(path).status_code == 200
    written = AuditEntry.select().order_by(AuditEntry.id).offset(before)
    return [(entry.act, entry.subject, entry.details) for entry in written]


PAGES_ABOUT_MEMBERS = {
    "/staff?q=138-0013-8000": ("staff.list", "staff", {"q": "138…", "page": "1"}),
    "/staff?q=10012345&state=left&department=1": (
        "staff.list",
        "staff",
        {"q": "10012345", "state": "left", "department_id": "1", "page": "1"},
    ),
    "/staff/members/lihua": ("staff.look", "staff lihua", {}),
    "/staff/members/lihua/edit": ("staff.look", "staff lihua", {}),
    "/offboardings?kind=open": (
        "offboarding.list",
        "offboardings",
        {"kind": "open", "page": "1"},
    ),
    "/offboardings/1": ("offboarding.look", "offboarding 1", {"customers": "4"}),
    "/offboardings/1/change": ("offboarding.look", "offboarding 1", {}),
    "/offboardings/1/cancel": ("offboarding.look", "offboarding 1", {}),
    "/offboardings/1/approve": ("offboarding.look", "offboarding 1", {}),
}


@pytest.mark.parametrize("path", PAGES_ABOUT_MEMBERS)
def test_a_look_at_members_and_leavers_is_written_down_once(
    client: FlaskClient, firm: None, path: str
) -> None:
    Staff.update(departments=[1]).execute()
    Staff.create(userid="10012345", name="工号", seen_at=MORNING)

    assert looks(client, path) == [PAGES_ABOUT_MEMBERS[path]]


@pytest.mark.parametrize("path", PAGES_ABOUT_MEMBERS)
def test_what_cannot_be_written_down_is_not_shown(
    client: FlaskClient, firm: None, path: str
) -> None:
    Staff.update(departments=[1]).execute()
    database.execute_sql(
        "CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'full'); END"
    )

    response = client.get(path)

    assert response.status_code == 503
    text = response.get_data(as_text=True)
    assert "审计日志" in text
    assert "张三" not in text
    assert "李华" not in text


def test_hr_who_sees_no_customers_is_in_the_log_as_whoever_saw_none(
    app: APIFlask, firm: None
) -> None:
    add_person("hr", "人事", Role.HR)
    client = app.test_client()
    log_in(client, "hr")

    assert looks(client, "/offboardings/1") == [
        ("offboarding.look", "offboarding 1", {"customers": "0"})
    ]


@pytest.mark.parametrize("path", ["/staff/departments", "/offboardings?kind=handover"])
def test_names_of_leaders_and_an_empty_list_are_no_look(
    client: FlaskClient, firm: None, path: str
) -> None:
    assert looks(client, path) == []
