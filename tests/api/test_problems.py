"""Whatever goes wrong under /api/ is a problem document that says what to do."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from apiflask import APIFlask
from flask import Response
from flask.testing import FlaskClient
from peewee import OperationalError
from psycopg.errors import DiskFull
from structlog.testing import capture_logs

from bot import clock
from bot.reason import Reason
from bot.wecom import OperatorNeeded, Paused, Refused, Throttled, Transient
from tests.api.conftest import Call, FakeWeCom, in_days, problem


def _sqlite_refusing(statement: str) -> sqlite3.Error:
    """What SQLite's driver raises for a statement."""
    refused = pytest.raises(sqlite3.OperationalError)
    with closing(sqlite3.connect(":memory:")) as small, refused as raised:
        small.execute(statement)
    return raised.value


def _sqlite_without_room() -> sqlite3.Error:
    """What SQLite's driver raises when nothing more can be written."""
    with closing(sqlite3.connect(":memory:")) as small:
        small.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as raised:
            small.execute("CREATE TABLE customer (name TEXT)")
    return raised.value


pytestmark = pytest.mark.usefixtures("firm")
WAY = {"userids": ["zhangsan"], "state": "expo"}


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1/nothing", "/api/v2/staff"])
def test_an_address_that_is_not_there_is_a_problem_too(client: FlaskClient, path: str) -> None:
    problem(client.get(path), 404)


def test_no_cache_keeps_an_answer_and_nothing_in_it_is_taken_for_a_page(
    client: FlaskClient, call: Call
) -> None:
    answers = [
        *(call("GET", "/customers"), call("GET", "/customers/nobody")),
        *(call("DELETE", "/customers"), call("POST", "/offboardings", {})),
        *(client.get(f"/api/v1{path}") for path in ("", "/nowhere", "/customers", "/openapi.json")),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 405, 422, 404, 404, 401, 200]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_address_elsewhere_is_answered_as_before(client: FlaskClient) -> None:
    response = client.get("/nowhere")

    assert response.status_code == 404
    assert response.mimetype == "application/json"


def test_a_method_that_is_not_there_names_those_that_are(call: Call) -> None:
    response = call("DELETE", "/staff")

    problem(response, 405)
    assert "GET" in response.headers["Allow"]


def test_chinese_is_spoken_unless_english_is_asked_for(call: Call) -> None:
    chinese = problem(call("GET", "/offboardings/7"), 404)
    english = problem(call("GET", "/offboardings/7", Accept_Language="en-GB,zh;q=0.5"), 404)

    assert chinese["title"] == "不存在"
    assert "离职继承 7" in chinese["detail"]
    assert english["title"] == "Not Found"
    assert english["detail"] == "there is no offboarding 7: check the identifier"


@pytest.mark.parametrize(
    "path",
    [
        "/offboardings/99999999999999999999999",
        "/handovers/1",
        "/conflicts/1",
        "/contact-ways/1",
        "/events/1",
        "/allocations/1",
        "/customers/nobody",
        "/customers/nobody/timeline",
        "/staff/nobody",
        "/offboardings/1/items",
        "/offboardings/abc",
    ],
)
def test_an_unknown_identifier_is_not_found(call: Call, path: str) -> None:
    problem(call("GET", path), 404)


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000])
def test_a_body_that_is_no_json_is_a_bad_request(
    client: FlaskClient, call: Call, data: bytes
) -> None:
    authorization = call("GET", "/staff").request.headers["Authorization"]

    response = client.post(
        "/api/v1/offboardings", data=data, headers={"Authorization": authorization}
    )

    problem(response, 400)


@pytest.mark.parametrize("body", [[], "text", 1, {"userid": 5}, {"userid": "a\x00b"}])
def test_a_body_of_another_shape_says_what_is_wrong_where(call: Call, body: Any) -> None:
    body = problem(call("POST", "/offboardings", body), 422)

    assert body["errors"]
    assert {"in", "field", "message"} == set(body["errors"][0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"external_userids": 5},
            [
                ("external_userids", "Input should be 'all'"),
                ("external_userids", "Input should be a valid list"),
            ],
        ),
        ({"takeover_userid": 5}, [("takeover_userid", "Input should be a valid string")]),
        ({"all": 1}, [("all", "Extra inputs are not permitted")]),
        (
            {"external_userids": ["wm_chen", 5]},
            [
                ("external_userids", "Input should be 'all'"),
                ("external_userids.1", "Input should be a valid string"),
            ],
        ),
        (
            {"by_rule": False},
            [("body", "exactly one of takeover_userid and by_rule is needed")],
        ),
    ],
)
def test_a_field_is_named_as_the_caller_wrote_it(
    call: Call, changes: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    whole = {"handover_userid": "zhangsan", "external_userids": "all", "by_rule": True}

    body = problem(call("POST", "/handovers", whole | changes, Accept_Language="en"), 422)

    assert [(one["field"], one["message"]) for one in body["errors"]] == told
    assert {one["in"] for one in body["errors"]} == {"body"}


def test_a_null_is_no_body_and_neither_is_a_list(client: FlaskClient, call: Call) -> None:
    authorization = call("GET", "/staff").request.headers["Authorization"]

    null = client.put("/api/v1/staff/lihua", data=" null", headers={"Authorization": authorization})
    empty = call("PUT", "/staff/lihua", [])

    for response in (null, empty):
        assert problem(response, 422)["errors"] == [
            {"in": "body", "field": "body", "message": "须为 JSON 对象"}
        ]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("POST", "/offboardings", {}, ["缺少此项", "缺少此项"]),
        (
            "POST",
            "/offboardings",
            {"userid": "", "last_day": "2026-02-30", "mode": "now", "reason": "x" * 2001},
            ["至少 1 个字符", "没有这一天", "至多 2000 个字符", "须为 'auto' 或 'approve'"],
        ),
        ("POST", "/offboardings", {"userid": "a\x00", "last_day": 5, "x": 1}, None),
        ("PATCH", "/offboardings/1", {"successors": None}, ["不需要时请省略，不要写 null"]),
        ("PATCH", "/offboardings/1", {"successors": ["a"] * 101}, ["至多 100 项"]),
        ("PUT", "/staff/lihua", {"capacity": 10**7, "on_duty": 1}, None),
        ("PUT", "/staff/lihua", {"capacity": -1, "licences": 1}, ["须为列表", "不得小于 0"]),
        ("PUT", "/staff/lihua", {"capacity": "5"}, ["须为整数"]),
        ("POST", "/contact-ways", {"userids": [], "state": "a"}, ["至少 1 项"]),
        ("POST", "/handovers", {"handover_userid": "a", "external_userids": "all"}, None),
        ("GET", "/staff?limit=0", None, ["不得小于 1"]),
        ("GET", "/staff?limit=x", None, ["须为整数"]),
        ("GET", f"/staff?limit={'9' * 5000}", None, ["数字过大"]),
        ("GET", "/events?cursor=ä&state=open", None, None),
        ("GET", "/staff?cursor=x", None, ["无效"]),
        ("POST", "/handovers", {"handover_userid": "a\ud800", "external_userids": ["a"]}, None),
    ],
)
def test_what_is_wrong_with_a_field_is_said_in_the_callers_language(
    call: Call, method: str, path: str, body: Any, told: list[str] | None
) -> None:
    call("POST", "/offboardings", {"userid": "zhangsan", "last_day": in_days(3)})

    chinese = problem(call(method, path, body), 422)["errors"]
    english = problem(call(method, path, body, Accept_Language="en"), 422)["errors"]

    said = [one["message"] for one in chinese]
    assert told is None or said == told
    assert all(re.search("[\u4e00-\u9fff]", text) for text in said)
    assert all(one["message"].isascii() for one in english)
    assert [one["field"] for one in chinese] == [one["field"] for one in english]


def test_a_filter_that_does_not_exist_is_refused(call: Call) -> None:
    body = problem(call("GET", "/offboardings?user=zhangsan"), 422)

    assert body["errors"][0]["field"] == "user"


@pytest.mark.parametrize(
    "path", ["/customers/a%00b", "/customers?q=%00", "/customers?q=a&q=%00", "/staff/%00"]
)
def test_a_nul_in_the_address_is_refused(call: Call, path: str) -> None:
    problem(call("GET", path), 422)


def test_a_refusal_of_wecom_comes_with_its_code(call: Call, wecom: FakeWeCom) -> None:
    wecom.error = Refused("externalcontact/add_contact_way", 40003, "invalid userid")

    body = problem(call("POST", "/contact-ways", WAY), 422)

    assert (body["errcode"], body["errmsg"]) == (40003, "invalid userid")
    assert "invalid" not in body["detail"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Throttled("x", 45009, wait_seconds=60), "60"),
        (Paused("x", clock.now() - timedelta(seconds=5), "45009"), "1"),
    ],
)
def test_when_wecom_wants_us_to_wait_the_caller_is_told_how_long(
    call: Call, wecom: FakeWeCom, error: Exception, seconds: str
) -> None:
    wecom.error = error

    response = call("POST", "/contact-ways", WAY)

    problem(response, 503)
    assert response.headers["Retry-After"] == seconds


def test_trouble_with_wecom_is_a_bad_gateway_with_what_to_do(call: Call, wecom: FakeWeCom) -> None:
    wecom.error = Transient("x", None, "time-out", maybe_executed=True)
    problem(call("POST", "/contact-ways", WAY), 502)

    wecom.error = OperatorNeeded("x", 60020, what_to_do=Reason("do_trust_address"))
    body = problem(call("POST", "/contact-ways", WAY), 502)
    assert "企业可信IP" in body["detail"]
    english = problem(call("POST", "/contact-ways", WAY, Accept_Language="en"), 502)["detail"]
    assert "企业可信IP" not in english
    assert "60020" in english


class Answers:
    """Lets a view do something else."""

    def __init__(self, app: APIFlask, patch: pytest.MonkeyPatch) -> None:
        self._app, self._patch = app, patch

    def raising(self, endpoint: str, error: Exception) -> None:
        def view(**_: Any) -> Response:
            raise error

        view.needed_scopes = ("read",)  # type: ignore[attr-defined]
        self._patch.setitem(self._app.view_functions, f"api.{endpoint}", view)


@pytest.fixture
def answers(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> Answers:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return Answers(app, monkeypatch)


def test_a_busy_database_and_an_error_of_ours_are_problems_as_well(
    answers: Answers, call: Call
) -> None:
    away = psycopg.OperationalError("connection failed")
    answers.raising("alarms.index", OperationalError(away, *away.args))
    answers.raising("gaps.index", KeyError("secret"))

    busy = call("GET", "/alarms")
    assert problem(busy, 503)["type"].endswith(":busy")
    assert busy.headers["Retry-After"] == "5"
    broken = call("GET", "/gaps")
    assert "secret" not in str(problem(broken, 500))
    assert broken.headers["Cache-Control"] == "no-store"


def test_a_statement_that_cannot_run_is_an_error_of_ours(answers: Answers, call: Call) -> None:
    broken = _sqlite_refusing("SELECT * FROM nothing")
    answers.raising("alarms.index", OperationalError(broken, *broken.args))

    assert "nothing" not in str(problem(call("GET", "/alarms"), 500))


@pytest.mark.parametrize("error", [DiskFull("no room"), _sqlite_without_room()])
def test_a_full_disk_is_called_one(answers: Answers, call: Call, error: Exception) -> None:
    answers.raising("alarms.index", OperationalError(error, *error.args))

    with capture_logs() as logs:
        body = problem(call("GET", "/alarms", Accept_Language="en"), 503)

    assert body["type"].endswith(":no-room")
    assert "disk is full" in body["detail"]
    assert [line["is_full"] for line in logs if line["event"] == "database_refused"] == [True]
