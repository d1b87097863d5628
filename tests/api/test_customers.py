"""Customers: whose, known by whom, agreed to what, and their story."""

from typing import Any

import pytest

from bot.customers import directory
from bot.models import (
    Allocation,
    Conflict,
    Consent,
    Effect,
    GapDigest,
    Handover,
    HandoverItem,
    InboxEvent,
    Notice,
    Ownership,
    Relation,
    TransferAttempt,
)
from bot.reason import Reason
from tests.api.conftest import Call, add_customer, at

pytestmark = pytest.mark.usefixtures("firm")
ON_BOTH_DATABASES = True


def own(external_userid: str, userid: str) -> None:
    Ownership.create(
        external_userid=external_userid,
        userid=userid,
        since=at(1),
        reason=Reason("added_member_fits"),
        allocation_id=7,
    )


def answer(state: str, minutes: float, **where: Any) -> None:
    Consent.create(
        **{"external_userid": "wm_chen", **where},
        state=state,
        since=at(minutes),
        evidence=f"event {minutes}",
        recorded_at=at(minutes),
    )


def test_a_customer_is_shown_whole(call: Call) -> None:
    own("wm_chen", "zhangsan")
    Relation.finish("wm_chen", "lihua", at=at(30), end="customer_left")
    answer("agreed", 2, userid="zhangsan")
    answer("refused", 3, chat_id="wr_1")

    assert call("GET", "/customers/wm_chen").get_json() == {
        "external_userid": "wm_chen",
        "name": "陈女士",
        "channel": "web",
        "owner": {
            "userid": "zhangsan",
            "since": "2026-11-24T02:01:00Z",
            "reason": "added_member_fits",
            "reason_text": "客户添加的成员符合规则",
            "allocation_id": 7,
        },
        "relations": [
            {
                "userid": "zhangsan",
                "state": "active",
                "added_at": "2026-11-24T02:00:00Z",
                "ended_at": None,
                "end": None,
            },
            {
                "userid": "lihua",
                "state": "ended",
                "added_at": "2026-11-24T02:01:00Z",
                "ended_at": "2026-11-24T02:30:00Z",
                "end": "customer_left",
            },
        ],
        "consent": {
            "platform": [
                {
                    "userid": "zhangsan",
                    "state": "agreed",
                    "since": "2026-11-24T02:02:00Z",
                    "evidence": "event 2",
                },
                {
                    "chat_id": "wr_1",
                    "state": "refused",
                    "since": "2026-11-24T02:03:00Z",
                    "evidence": "event 3",
                },
            ],
            "firm": [],
        },
    }


def consent_of(call: Call, external_userid: str = "wm_chen") -> dict[str, str]:
    shown = call("GET", f"/customers/{external_userid}").get_json()
    return {
        one.get("userid") or one.get("chat_id"): one["state"]
        for one in shown["consent"]["platform"]
    }


def test_the_latest_answer_counts_whatever_the_order_in_which_they_came(call: Call) -> None:
    answer("refused", 9, userid="zhangsan")
    answer("agreed", 2, userid="zhangsan")
    answer("agreed", 5, userid="lihua")
    answer("refused", 5, userid="lihua")

    assert consent_of(call) == {"zhangsan": "refused", "lihua": "refused"}


def test_a_contact_without_an_answer_is_unknown(call: Call) -> None:
    answer("agreed", 2, userid="zhangsan")

    assert consent_of(call) == {"zhangsan": "agreed", "lihua": "unknown"}


def test_a_customer_without_owner_says_so(call: Call) -> None:
    assert call("GET", "/customers/wm_chen").get_json()["owner"] is None


def listed(call: Call, query: str) -> list[str]:
    items = call("GET", f"/customers?{query}").get_json()["items"]
    return [one["external_userid"] for one in items]


def test_customers_are_found_by_owner_name_and_id(call: Call) -> None:
    add_customer("wm_zhao", "赵先生", "wangwu")
    own("wm_chen", "zhangsan")

    assert listed(call, "") == ["wm_chen", "wm_zhao"]
    assert listed(call, "owner=zhangsan") == ["wm_chen"]
    assert listed(call, "owner=lihua") == []
    assert listed(call, "owner=none") == ["wm_zhao"]
    assert listed(call, "q=赵") == ["wm_zhao"]
    assert listed(call, "q=wm_c") == ["wm_chen"]
    assert listed(call, "q=%25") == []
    assert listed(call, "q=赵&owner=zhangsan") == []


@pytest.mark.parametrize("few", [1, 1000])
def test_a_name_is_found_whatever_the_case_of_its_letters(
    call: Call, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(directory, "FEW", few)
    add_customer("wm_ann", "Ann 陈_李")
    add_customer("wm_joan", "JoANN")

    for text in ("ann", "ANN", "Ann"):
        assert listed(call, f"q={text}") == ["wm_ann", "wm_joan"]
    assert listed(call, "q=ann 陈_") == ["wm_ann"]
    assert listed(call, "q=ann_") == []


def test_customers_are_found_by_consent_as_it_is_shown(call: Call) -> None:
    add_customer("wm_zhao", "赵先生", "wangwu")
    add_customer("wm_qian", "钱女士")
    answer("agreed", 1, userid="wangwu", external_userid="wm_zhao")
    answer("refused", 2, userid="wangwu", external_userid="wm_zhao")
    answer("agreed", 1, userid="zhangsan")

    for state in ("agreed", "refused", "unknown"):
        shown = [
            customer
            for customer in ("wm_chen", "wm_qian", "wm_zhao")
            if state in consent_of(call, customer).values()
        ]
        assert listed(call, f"consent={state}") == shown
    assert listed(call, "consent=unknown") == ["wm_chen"]
    assert listed(call, "consent=refused&q=钱") == []


def test_a_page_of_many_customers_costs_as_many_queries_as_one_of_few(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.db import database

    def queries() -> int:
        asked: list[str] = []
        execute = database.obj.execute_sql

        def counted(sql: str, *args: Any, **options: Any) -> Any:
            asked.append(sql)
            return execute(sql, *args, **options)

        with monkeypatch.context() as patched:
            patched.setattr(database.obj, "execute_sql", counted)
            call("GET", "/customers")
            call("GET", "/staff")
        return len(asked)

    call("GET", "/customers")  # notes, once a minute, that the token is in use
    few = queries()
    for number in range(20):
        add_customer(f"wm_{number}", "某", "zhangsan", "wangwu")
        own(f"wm_{number}", "wangwu")

    assert queries() == few


def _add_story() -> None:
    event = InboxEvent.create(
        key="k1",
        source="customer",
        event="change_external_contact",
        change_type="add_external_contact",
        userid="zhangsan",
        external_userid="wm_chen",
        lane="work",
        payload=b"sealed",
        state="done",
        received_at=at(0),
        due_at=at(0),
    )
    Notice.create(
        event_id=event.id,
        external_userid="wm_chen",
        userid="zhangsan",
        template="consent",
        version="1",
        text_sha256="0" * 64,
        state="delivered",
        at=at(1),
    )
    Allocation.create(
        event_id=event.id,
        external_userid="wm_chen",
        added_userid="zhangsan",
        owner="zhangsan",
        outcome="owned",
        rules_version="1",
        reason=Reason("added_member_fits"),
        decided_at=at(2),
    )
    own("wm_chen", "zhangsan")
    Ownership.update(since=at(3)).execute()
    answer("agreed", 4, userid="zhangsan")
    Effect.create(
        identity="message:lihua:1",
        kind="app_message",
        event_id=event.id,
        state="done",
        started_at=at(5),
        lease_until=at(5),
    )
    Conflict.create(
        external_userid="wm_chen",
        owner="zhangsan",
        contenders=["lihua"],
        state="resolved",
        opened_at=at(6),
        resolved_at=at(7),
        resolution={"owner": "zhangsan", "reason": "先加", "by": "api:x"},
    )
    GapDigest.create(userid="lihua", external_userid="wm_chen", added_at=at(6), told_at=at(8))
    handover = Handover.create(
        kind="handover",
        userid="zhangsan",
        mode="auto",
        source="api",
        created_at=at(9),
        updated_at=at(9),
    )
    item = HandoverItem.create(
        handover=handover,
        kind="customer",
        subject="wm_chen",
        state="waiting",
        takeover_userid="lihua",
        updated_at=at(9),
    )
    TransferAttempt.create(
        item=item,
        number=1,
        takeover_userid="lihua",
        endpoint="transfer_customer",
        submitted_at=at(9),
    )


STORY = [
    "event",
    "notice",
    "allocation",
    "ownership",
    "consent",
    "message",
    "conflict",
    "settlement",
    "digest",
    "handover",
]


def test_the_timeline_tells_all_that_happened_in_its_order(call: Call) -> None:
    _add_story()

    items = call("GET", "/customers/wm_chen/timeline").get_json()["items"]

    assert [one["kind"] for one in items] == STORY
    assert [one["at"] for one in items] == sorted(one["at"] for one in items)
    assert all(one["text"] for one in items)
    by_kind = {one["kind"]: one for one in items}
    assert by_kind["event"]["change_type"] == "add_external_contact"
    assert by_kind["message"]["userid"] == "lihua"
    assert by_kind["settlement"]["resolution"]["reason"] == "先加"
    assert by_kind["handover"]["attempts"][0]["submitted_at"] == "2026-11-24T02:09:00Z"
    assert "sealed" not in str(items)


def test_the_timeline_is_read_page_by_page(call: Call) -> None:
    _add_story()

    kinds, cursor = [], ""
    while True:
        page = call("GET", f"/customers/wm_chen/timeline?limit=3{cursor}").get_json()
        kinds += [one["kind"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert kinds == STORY


@pytest.mark.parametrize("state", ["agreed", "refused"])
def test_an_answer_to_a_former_contact_is_no_consent_of_today(call: Call, state: str) -> None:
    answer(state, 2, userid="zhangsan")
    before = call("GET", f"/customers?consent={state}").get_json()["items"]
    Relation.finish("wm_chen", "zhangsan", at=at(30), end="deleted_by_customer")

    after = call("GET", f"/customers?consent={state}").get_json()["items"]

    assert [one["external_userid"] for one in before] == ["wm_chen"]
    assert after == []
