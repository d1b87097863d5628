"""What holds on every page: language, safety, speed, and what a stranger sees."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import peewee
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock, db
from bot.app import create_app
from bot.consent.gaps import count_gaps, open_gaps
from bot.db import database as current
from bot.models import (
    Alarm,
    Conflict,
    Customer,
    HandoverItem,
    InboxEvent,
    Ownership,
    Relation,
    TransferAttempt,
)
from bot.reason import NO_REASON, Reason
from config import settings
from tests.console.conftest import COMPLETE, MORNING, add_event, add_notice, add_relation, at
from tests.queries import counted_queries

PAGES = [
    "/",
    "/customers",
    "/offboardings",
    "/conflicts",
    "/gaps",
    "/alarms",
    "/events",
    "/operation",
]
DEEP_PAGES = ["/customers/wm_chen", "/customers/wm_zhao", "/offboardings/1"]


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_firm_gets_a_page_that_says_what_that_means(
    client: FlaskClient, database: str, path: str
) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert 'class="empty"' in response.get_data(as_text=True)


@pytest.mark.usefixtures("database")
def test_an_empty_house_is_neither_well_nor_in_trouble(client: FlaskClient) -> None:
    text = client.get("/").get_data(as_text=True)

    assert "还没有数据" in text
    assert "一切正常" not in text
    assert "有事项需要处理" not in text


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("path", PAGES + DEEP_PAGES)
def test_a_page_in_english_has_no_chinese_of_its_own(client: FlaskClient, path: str) -> None:
    response = client.get(path, query_string={"lang": "en"})

    text = response.get_data(as_text=True)
    for theirs in ("中文", "客规", *_stored_in_chinese()):
        text = text.replace(theirs, "")
    assert 'lang="en"' in text
    assert [line for line in text.splitlines() if _has_chinese(line)] == []


def _stored_in_chinese() -> list[str]:
    return ["张三", "李华", "王五", "陈女士", "赵先生", "周敏", "官网", "成员添加的客户归添加人"]


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("path", [*PAGES, *DEEP_PAGES, "/nowhere"])
def test_a_page_in_chinese_has_no_english_of_its_own(client: FlaskClient, path: str) -> None:
    text = client.get(path).get_data(as_text=True)

    visible = re.sub(r"<[^>]*>", " ", text.split("<body>")[1])
    words = set(re.findall(r"[A-Za-z_]{3,}", visible))
    # The switch, the zone, an interface of WeCom's, a process, and what has no Chinese name.
    assert words <= {
        "clock",
        "English",
        "Asia",
        "Shanghai",
        "message",
        "send",
        "wm_",
        "wm_chen",
        "wm_zhao",
        "cfg",
    }


def _has_chinese(line: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in line)


@pytest.mark.usefixtures("database")
def test_the_chosen_language_stays(client: FlaskClient) -> None:
    assert ">概览<" in client.get("/").get_data(as_text=True)

    client.get("/?lang=en")

    assert ">Overview<" in client.get("/").get_data(as_text=True)
    assert ">概览<" in client.get("/?lang=zh").get_data(as_text=True)


@pytest.mark.usefixtures("database")
def test_a_language_nobody_speaks_is_chinese(client: FlaskClient) -> None:
    assert ">概览<" in client.get("/?lang=../../x").get_data(as_text=True)


@pytest.mark.usefixtures("firm")
def test_the_switch_keeps_the_reader_on_the_page(client: FlaskClient) -> None:
    text = client.get("/customers?q=陈").get_data(as_text=True)

    assert 'href="/customers?q=%E9%99%88&amp;lang=en"' in text


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("path", ["/", "/customers", "/customers/wm_evil", "/conflicts", "/events"])
def test_a_customers_name_is_never_code(client: FlaskClient, path: str) -> None:
    evil = "<script>alert(1)</script>"
    Customer.create(external_userid="wm_evil", name=evil, met_at=MORNING)
    Customer.update(name=evil).where(Customer.external_userid == "wm_chen").execute()

    text = client.get(path).get_data(as_text=True)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert evil not in text


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("path", [*PAGES, *DEEP_PAGES, "/nowhere", "/console/static/console.css"])
def test_nothing_foreign_runs_and_nobody_frames_a_page(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    response.close()
    headers = response.headers

    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("path", PAGES + DEEP_PAGES)
def test_a_page_brings_no_inline_code_and_asks_no_other_host(
    client: FlaskClient, path: str
) -> None:
    response = client.get(path)
    text = response.get_data(as_text=True)

    assert " style=" not in text
    assert "<style" not in text
    assert " onclick=" not in text
    assert text.count("<script") == text.count('<script src="/')
    assert "//" not in text.replace("http://localhost", "")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "path",
    [
        *("/nowhere", "/customers/wm_nobody", "/offboardings/9", "/offboardings?kind=x"),
        *("/events?state=x", "/offboardings/99999999999999999999", "/customers?q=%00"),
    ],
)
def test_a_page_that_is_not_there_says_so_in_the_readers_language(
    client: FlaskClient, path: str
) -> None:
    chinese = client.get(path)
    client.set_cookie("lang", "en")
    english = client.get(path)

    assert chinese.status_code == english.status_code == 404
    assert "没有这个页面" in chinese.get_data(as_text=True)
    assert "There is no such page" in english.get_data(as_text=True)


@pytest.mark.parametrize("sandbox", ["1", ""])
def test_without_a_login_every_page_leads_to_the_login(database: str, sandbox: str) -> None:
    environment = COMPLETE | {"KEGUI_DATABASE_URL": database, "KEGUI_SANDBOX": sandbox}

    client = create_app(settings.load(environment)).test_client()

    for path in PAGES:
        response = client.get(path)
        assert response.status_code == 302
        assert response.location.startswith("/login?next=")


@pytest.mark.usefixtures("database")
def test_a_page_that_breaks_says_so_and_nothing_else(app: APIFlask, client: FlaskClient) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    Customer.drop_table()

    response = client.get("/customers?lang=en")

    assert response.status_code == 500
    assert "This page cannot be shown just now" in response.get_data(as_text=True)
    assert "no such table" not in response.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/", "/login", "/customers"])
def test_a_database_that_cannot_be_reached_is_called_one(
    app: APIFlask, client: FlaskClient, path: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    cast(Any, current.obj).close_all()
    cast(Any, db.connect("postgresql://nobody@127.0.0.1:1/kegui"))

    response = client.get(f"{path}?lang=en")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The database cannot be reached just now" in response.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/", "/login"])
def test_when_every_connection_is_taken_the_page_says_so(
    app: APIFlask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(current.obj, "_max_connections", 1)
    monkeypatch.setattr(current.obj, "_wait_timeout", None)

    # The test itself holds the only one.
    with ThreadPoolExecutor(1) as other:
        response = other.submit(client.get, path).result()

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "暂时连不上数据库" in response.get_data(as_text=True)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", ["/api/v1/nothing", "/wecom/nothing", "/healthz/nothing"])
def test_a_machine_gets_its_own_answer(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.is_json
    assert "Content-Security-Policy" not in response.headers


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("number", ["0", "-3", "x", "99999999999999999999999"])
def test_a_page_number_beyond_the_list_is_harmless(client: FlaskClient, number: str) -> None:
    assert client.get(f"/customers?page={number}").status_code == 200


@pytest.mark.usefixtures("database")
def test_a_long_list_is_cut_into_pages(client: FlaskClient) -> None:
    for number in range(51):
        Customer.create(external_userid=f"wm_{number}", name=f"客户{number}", met_at=at(number))

    first = client.get("/customers").get_data(as_text=True)
    second = client.get("/customers?page=2").get_data(as_text=True)

    assert "第 1–50 条，共 51 条" in first
    assert ">客户0<" in second
    assert ">客户0<" not in first


@pytest.mark.usefixtures("firm")
def test_the_rest_api_describes_itself_without_the_console(app: APIFlask) -> None:
    with app.app_context():
        assert not cast(dict[str, Any], app.spec).get("paths")


@pytest.mark.usefixtures("firm")
def test_two_thousand_of_everything_take_no_more_queries(client: FlaskClient) -> None:
    add_many(0, 150)
    # The first entry of a thread in the audit log asks more.
    client.get("/")
    few = {path: queries_of(client, path) for path in PAGES + DEEP_PAGES}

    add_many(150, 2000)

    # Where members own more than home counts, nobody else's customers are looked for.
    few["/"] -= 1
    assert {path: queries_of(client, path) for path in PAGES + DEEP_PAGES if path != "/gaps"} == {
        path: number for path, number in few.items() if path != "/gaps"
    }
    # The list of gaps is read in chunks of 500.
    assert queries_of(client, "/gaps") <= few["/gaps"] + 4
    assert max(few.values()) < 36


def queries_of(client: FlaskClient, path: str) -> int:
    with counted_queries() as sent:
        assert client.get(path).status_code == 200
    assert sent
    return len(sent)


def add_many(first: int, last: int) -> None:
    """Customers with owner, contact and gap; events, conflicts, alarms; items of the handover."""
    ids = [f"wm_{number}" for number in range(first + 10, last + 10)]
    many: dict[Any, dict[str, Any]] = {
        Customer: {"name": "客户", "met_at": MORNING},
        Ownership: {"userid": "lihua", "since": MORNING, **NO_REASON.columns()},
        Relation: {
            **{"userid": "lihua", "state": "active", "source": "event", "added_at": MORNING},
            **{"noted_at": MORNING, "last_add_at": MORNING},
        },
        InboxEvent: {
            **{"source": "customer", "event": "change_external_contact", "userid": "lihua"},
            **{"change_type": "add_external_contact", "lane": "work", "payload": b""},
            **{"received_at": MORNING, "due_at": MORNING},
        },
        Conflict: {"owner": "lihua", "contenders": ["zhangsan"], "opened_at": MORNING},
    }
    with current.atomic():
        for model, values in many.items():
            key = (lambda one: {"key": one}) if model is InboxEvent else (lambda one: {})
            _insert(model, [{"external_userid": one, **key(one), **values} for one in ids])
        item = {"handover": 1, "kind": "customer", "takeover_userid": "lihua", "state": "waiting"}
        _insert(HandoverItem, [item | {"subject": one, "updated_at": MORNING} for one in ids])
        attempt = {"number": 1, "takeover_userid": "lihua", "endpoint": "transfer_customer"}
        attempt |= {"submitted_at": MORNING}
        items = HandoverItem.select(HandoverItem.id).where(HandoverItem.subject.in_(ids))
        _insert(TransferAttempt, [attempt | {"item": row.id} for row in items])
        over = {"kind": "x", **Reason("x").columns(), "since": MORNING, "ended_at": MORNING}
        _insert(Alarm, [over | {"subject": one} for one in ids])


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    for batch in peewee.chunked(rows, 100):
        model.insert_many(batch).execute()


@pytest.mark.usefixtures("firm")
def test_home_counts_the_gaps_that_the_gap_list_shows() -> None:
    for number, state in enumerate(["missed", "awaiting_consent", "by_hand", "unknown"]):
        userid, pair = f"member{number}", f"wm_gap{number}"
        add_relation(pair, userid, number)
        add_notice(add_event("add_external_contact", userid, 1, external_userid=pair), state)
    for number in range(6):
        pair = f"wm_silent{number}"
        add_relation(pair, "silent", number)
        add_notice(add_event("add_external_contact", "silent", 9, external_userid=pair), "no_code")

    for now in (clock.now(), at(1), at(120), at(60 * 30)):
        assert count_gaps(now) == len(open_gaps(now))
    assert InboxEvent.select().count() > 10
