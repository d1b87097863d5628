"""A list is read page by page: everything once, nothing twice."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.api.paging import PageQuery, make_cursor, page_of_list, read_cursor
from bot.api.problems import Problem
from bot.models import Alarm, Relation
from tests.api.conftest import Call, add_customer, at, problem

LISTS = [
    "/offboardings",
    "/handovers",
    "/customers",
    "/conflicts",
    "/contact-ways",
    "/events",
    "/gaps",
    "/alarms",
    "/staff",
]


def test_an_empty_list_is_one_empty_page(call: Call) -> None:
    for path in LISTS:
        assert call("GET", path).get_json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", ""])
def test_a_limit_outside_one_to_two_hundred_is_refused(call: Call, limit: str) -> None:
    for path in LISTS:
        body = problem(call("GET", f"{path}?limit={limit}"), 422)

        assert body["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("cursor", ["", "x", "%25", "bnVsbA", "dHJ1ZQ", "eyJhIjoxfQ", "é"])
def test_a_cursor_that_is_none_of_ours_is_refused(call: Call, cursor: str) -> None:
    for path in LISTS:
        body = problem(call("GET", f"{path}?cursor={cursor}"), 422)

        assert body["errors"][0]["field"] == "cursor"


def test_a_cursor_of_another_kind_of_list_is_refused(call: Call) -> None:
    problem(call("GET", f"/staff?cursor={make_cursor(5)}"), 422)
    problem(call("GET", f"/events?cursor={make_cursor('wm_chen')}"), 422)
    problem(call("GET", f"/events?cursor={make_cursor(2**70)}"), 422)


def read_all(call: Call, path: str, limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(100):
        page = call("GET", f"{path}?limit={limit}{cursor}").get_json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        assert len(page["items"]) == limit
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("a list without end")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 200])
def test_every_item_comes_exactly_once_whatever_the_limit(call: Call, limit: int) -> None:
    for number in range(6):
        Alarm.create(kind="k", subject=str(number), reason_code="t", since=at(number))
        add_customer(f"wm_{number}", f"客户{number}", "zhangsan")
    Relation.update(last_add_at=at(-10)).execute()

    assert [one["subject"] for one in read_all(call, "/alarms", limit)] == list("543210")
    customers = [one["external_userid"] for one in read_all(call, "/customers", limit)]
    assert customers == [f"wm_{number}" for number in range(6)]


def test_what_is_added_while_one_reads_moves_nothing(call: Call) -> None:
    for number in range(4):
        Alarm.create(kind="k", subject=str(number), reason_code="t", since=at(number))
    page = call("GET", "/alarms?limit=2").get_json()

    Alarm.create(kind="k", subject="new", reason_code="t", since=at(9))

    rest = call("GET", f"/alarms?limit=2&cursor={page['next_cursor']}").get_json()
    assert [one["subject"] for one in page["items"] + rest["items"]] == list("3210")
    assert rest["next_cursor"] is None


KEYS = st.lists(st.text(max_size=3), min_size=1, max_size=2)


@given(st.lists(KEYS, unique_by=tuple, max_size=30), st.integers(1, 7))
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_pages_of_any_list_together_are_the_list(rows: list[list[str]], limit: int) -> None:
    seen: list[list[str]] = []
    cursor = None
    while True:
        page, cursor = page_of_list(rows, lambda row: row, PageQuery(cursor=cursor, limit=limit))
        seen += page
        if cursor is None:
            break

    assert seen == sorted(rows)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_cursor_breaks_the_reader(cursor: str) -> None:
    for kind in (int, str, list):
        try:
            key = read_cursor(cursor, kind)
        except RuntimeError:
            continue  # a problem speaks the caller's language, and nobody is calling here
        except Problem:
            continue
        assert isinstance(key, kind)
