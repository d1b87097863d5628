"""The checker, tried on books that are right and on books in which one thing was made wrong."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import checker
from tests.faults.checker import RULES, Books, violations

NOON = "2026-11-25T12:00:00+00:00"
NOON_SECONDS = 1_795_608_000
LATER = NOON_SECONDS + 120


def wecom_event(seq: int, change_type: str, userid: str, external_userid: str) -> dict[str, Any]:
    fields = {
        "FromUserName": "sys",
        "CreateTime": NOON_SECONDS + seq,
        "Event": "change_external_contact",
        "ChangeType": change_type,
        "UserID": userid,
        "ExternalUserID": external_userid,
    }
    return {"seq": seq, "door": "customer", "change_type": change_type, "fields": fields}


def kegui_event(seq: int, *what: str, state: str = "done") -> dict[str, Any]:
    fields = {name: str(one) for name, one in wecom_event(seq, *what)["fields"].items()}
    return {
        "id": seq,
        "source": "customer",
        "change_type": what[0],
        "state": state,
        "error": None,
        "error_code": None,
        "received_at": NOON,
        "fields": fields,
    }


def effect(name: str, **what: Any) -> dict[str, Any]:
    return {"effect": name, **what}


def relation(userid: str, external_userid: str, status: str) -> dict[str, Any]:
    return {"userid": userid, "external_userid": external_userid, "status": status}


def notice(userid: str, state: str, reason: str = "") -> dict[str, Any]:
    return {"kind": "notice", "userid": userid, "state": state, "reason": reason}


def customer(external_userid: str, owner: str, **states: str) -> dict[str, Any]:
    return {
        "external_userid": external_userid,
        "owner": {"userid": owner},
        "relations": [{"userid": userid, "state": state} for userid, state in states.items()],
        "consent": {"platform": []},
    }


def attempt(takeover: str, status: str) -> dict[str, Any]:
    return {"takeover_userid": takeover, "status": status, "errcode": None}


def right_books() -> Books:
    """Chen was welcomed by zhangsan, and by lisi it is unknown; wangwu has left, and Wu with two
    groups went to lisi; Li was not welcomed, and has agreed."""
    wecom = [
        ("add_external_contact", "zhangsan", "wm_chen"),
        ("add_external_contact", "lisi", "wm_chen"),
        ("add_external_contact", "zhangsan", "wm_li"),
        ("msg_audit_approved", "zhangsan", "wm_li"),
    ]
    told = "【撞单提醒】您的客户“陈先生”刚刚添加了李四。"
    told_second = "【撞单提醒】您刚添加的客户“陈先生”已归属张三。"
    names = {"wm_chen": "陈先生", "wm_li": "李女士", "wm_wu": "吴先生"}
    relations = {
        "wm_chen": [relation("zhangsan", "wm_chen", "full"), relation("lisi", "wm_chen", "full")],
        "wm_li": [relation("zhangsan", "wm_li", "full")],
        "wm_wu": [relation("wangwu", "wm_wu", "transferred"), relation("lisi", "wm_wu", "full")],
    }
    consented = customer("wm_li", "zhangsan", zhangsan="active")
    consented["consent"]["platform"] = [{"userid": "zhangsan", "state": "agreed"}]
    move = {"handover": "wangwu", "takeover": "lisi"}
    return Books(
        events=[wecom_event(seq, *one) for seq, one in enumerate(wecom, 1)],
        deliveries=[{"event_seq": seq, "status": 200} for seq in (1, 2, 2, 3, 4)],
        executed=[
            effect("welcome_sent", userid=who, external_userid="wm_chen", welcome_code=who)
            for who in ("zhangsan", "lisi")
        ]
        + [
            effect("app_message", recipient="zhangsan", content=told),
            effect("app_message", recipient="lisi", content=told_second),
            effect("app_message", recipient="zhangsan", content="【存档告知提醒】\n· 李女士\n——"),
            effect("transfer_started", external_userid="wm_wu", **move),
            effect("transfer_completed", external_userid="wm_wu", **move),
            effect("group_transferred", chat_id="wr_1", **move),
        ],
        state={
            "staff": [
                {"userid": "zhangsan", "name": "张三", "left_at": None},
                {"userid": "lisi", "name": "李四", "left_at": None},
                {"userid": "wangwu", "name": "王五", "left_at": NOON_SECONDS},
            ],
            "customers": [
                {"external_userid": one, "name": name, "relations": relations[one]}
                for one, name in names.items()
            ],
            "groups": [{"chat_id": "wr_1", "owner": "lisi", "is_dismissed": False}],
        },
        kegui_events=[kegui_event(seq, *one) for seq, one in enumerate(wecom, 1)],
        gaps=[
            {"userid": "lisi", "external_userid": "wm_chen", "reason": "no answer came"},
            {"userid": "zhangsan", "external_userid": "wm_li", "reason": "no code"},
        ],
        customers=[
            customer("wm_chen", "zhangsan", zhangsan="active", lisi="active"),
            consented,
            customer("wm_wu", "lisi", wangwu="ended", lisi="active"),
        ],
        timelines={
            "wm_chen": [notice("zhangsan", "delivered"), notice("lisi", "unknown", "no answer")],
            "wm_li": [notice("zhangsan", "no_code", "WeCom sent no welcome code")],
            "wm_wu": [],
        },
        cases=[{"id": 1, "kind": "offboarding", "userid": "wangwu", "state": "done"}],
        items={
            1: [
                {
                    "id": 1,
                    "kind": "customer",
                    "external_userid": "wm_wu",
                    "state": "done",
                    "takeover_userid": "lisi",
                    "reason": "same department",
                    "attempts": [attempt("lisi", "not_sent"), attempt("lisi", "done")],
                },
                {
                    "id": 2,
                    "kind": "group",
                    "chat_id": "wr_1",
                    "state": "done",
                    "takeover_userid": "lisi",
                    "reason": "",
                    "attempts": [attempt("lisi", "done")],
                },
            ]
        },
        conflicts=[
            {"id": 1, "external_userid": "wm_chen", "owner": "zhangsan", "contenders": ["lisi"]}
        ],
        now=LATER,
    )


def test_right_books_pass() -> None:
    assert violations(right_books()) == []


def _again(rows: list[dict[str, Any]], **equal: Any) -> dict[str, Any]:
    """Repeat the one row that is so."""
    [row] = [row for row in rows if all(row.get(name) == one for name, one in equal.items())]
    rows.append(copy.deepcopy(row))
    return rows[-1]


def _event_is_lost(books: Books) -> None:
    books.kegui_events.pop()


def _event_is_there_twice(books: Books) -> None:
    _again(books.kegui_events, id=1)


def _event_was_made_up(books: Books) -> None:
    books.kegui_events[0]["fields"]["CreateTime"] = "1"


def _event_is_stuck(books: Books) -> None:
    books.kegui_events[0]["state"] = "claimed"


def _event_is_dead(books: Books) -> None:
    books.kegui_events[0]["state"] = "dead"


def _welcomed_twice_by_one_code(books: Books) -> None:
    _again(books.executed, effect="welcome_sent", welcome_code="lisi")


def _welcomed_twice(books: Books) -> None:
    _again(books.executed, effect="welcome_sent", welcome_code="lisi")["welcome_code"] = "other"


def _message_came_twice(books: Books) -> None:
    _again(books.executed, effect="app_message", recipient="lisi")


def _message_came_twice_once_without_a_name(books: Books) -> None:
    row = _again(books.executed, effect="app_message", recipient="lisi")
    row["content"] = row["content"].replace("陈先生", "wm_chen").replace("张三", "zhangsan")


def _digest_came_twice(books: Books) -> None:
    digest = next(row for row in books.executed if "存档告知" in str(row.get("content")))
    books.executed.append({**digest, "content": f"{digest['content']}\n· 陈先生"})


def _conflict_was_not_told(books: Books) -> None:
    books.executed = [row for row in books.executed if row.get("recipient") != "lisi"]


def _transfer_began_twice(books: Books) -> None:
    _again(books.executed, effect="transfer_started")


def _transfer_of_which_nobody_knows(books: Books) -> None:
    _again(books.executed, effect="transfer_started")["takeover"] = "zhangsan"


def _attempt_that_wecom_never_saw(books: Books) -> None:
    books.items[1][0]["attempts"].append(attempt("zhangsan", "accepted"))


def _transfer_done_is_not_recorded(books: Books) -> None:
    books.items[1][0]["state"] = "failed"


def _failed_without_a_reason(books: Books) -> None:
    books.items[1][0] |= {"state": "failed", "reason": ""}


def _done_but_never_completed(books: Books) -> None:
    books.executed = [row for row in books.executed if row["effect"] != "transfer_completed"]


def _group_moved_twice(books: Books) -> None:
    _again(books.executed, effect="group_transferred")


def _group_is_not_recorded(books: Books) -> None:
    books.items[1].pop()


def _group_is_still_the_leavers(books: Books) -> None:
    books.state["groups"][0]["owner"] = "wangwu"


def _welcome_is_recorded_as_missed(books: Books) -> None:
    books.timelines["wm_chen"][0]["state"] = "missed"


def _welcome_is_made_up(books: Books) -> None:
    books.timelines["wm_li"][0]["state"] = "delivered"


def _unknown_is_not_listed(books: Books) -> None:
    books.gaps.pop(0)


def _gap_is_missing(books: Books) -> None:
    books.gaps.pop(1)


def _gap_has_no_reason(books: Books) -> None:
    books.gaps[1]["reason"] = ""


def _gap_of_strangers(books: Books) -> None:
    books.gaps.append({"userid": "wangwu", "external_userid": "wm_wu", "reason": "?"})


def _nothing_says_why_within_a_minute(books: Books) -> None:
    books.now = NOON_SECONDS + 10
    books.timelines["wm_li"].clear()


def _agreement_is_lost(books: Books) -> None:
    books.customers[1]["consent"]["platform"].clear()


def _customer_is_unknown(books: Books) -> None:
    books.customers.pop(1)


def _customer_has_no_owner(books: Books) -> None:
    books.customers[0]["owner"] = None


def _customer_stands_there_twice(books: Books) -> None:
    _again(books.customers, external_userid="wm_chen")


def _owner_is_not_in_contact(books: Books) -> None:
    books.customers[1]["owner"]["userid"] = "lisi"


def _contact_is_unknown(books: Books) -> None:
    books.customers[0]["relations"].pop()


def _contact_is_made_up(books: Books) -> None:
    books.state["customers"][0]["relations"][1]["status"] = "deleted_by_member"


def _case_never_ended(books: Books) -> None:
    books.cases[0]["state"] = "running"


def _item_never_ended(books: Books) -> None:
    books.items[1][0]["state"] = "waiting"


def _leaver_is_forgotten(books: Books) -> None:
    books.state["staff"][1]["left_at"] = NOON_SECONDS


def _customer_is_left_behind(books: Books) -> None:
    books.state["customers"][2]["relations"][0]["status"] = "full"


PLANTED: list[tuple[Callable[[Books], None], str]] = [
    (_event_is_lost, "answered_callbacks_are_events"),
    (_event_is_there_twice, "answered_callbacks_are_events"),
    (_event_was_made_up, "answered_callbacks_are_events"),
    (_event_is_stuck, "events_have_ended"),
    (_event_is_dead, "events_have_ended"),
    (_welcomed_twice_by_one_code, "welcomes_were_sent_once"),
    (_welcomed_twice, "welcomes_were_sent_once"),
    (_message_came_twice, "messages_were_sent_once"),
    (_message_came_twice_once_without_a_name, "messages_were_sent_once"),
    (_digest_came_twice, "digests_name_nobody_twice"),
    (_conflict_was_not_told, "conflicts_were_told"),
    (_transfer_began_twice, "transfers_began_once"),
    (_transfer_of_which_nobody_knows, "transfers_began_once"),
    (_attempt_that_wecom_never_saw, "transfers_began_once"),
    (_transfer_done_is_not_recorded, "transfers_ended_as_recorded"),
    (_failed_without_a_reason, "transfers_ended_as_recorded"),
    (_done_but_never_completed, "transfers_ended_as_recorded"),
    (_group_moved_twice, "groups_moved_once"),
    (_group_is_not_recorded, "groups_moved_once"),
    (_group_is_still_the_leavers, "groups_moved_once"),
    (_welcome_is_recorded_as_missed, "welcomes_are_recorded"),
    (_welcome_is_made_up, "welcomes_are_recorded"),
    (_unknown_is_not_listed, "untold_pairs_are_gaps"),
    (_gap_is_missing, "untold_pairs_are_gaps"),
    (_gap_has_no_reason, "untold_pairs_are_gaps"),
    (_gap_of_strangers, "untold_pairs_are_gaps"),
    (_nothing_says_why_within_a_minute, "untold_pairs_are_gaps"),
    (_agreement_is_lost, "agreements_are_recorded"),
    (_customer_is_unknown, "customers_have_one_owner"),
    (_customer_has_no_owner, "customers_have_one_owner"),
    (_customer_stands_there_twice, "customers_have_one_owner"),
    (_owner_is_not_in_contact, "customers_have_one_owner"),
    (_contact_is_unknown, "relations_agree"),
    (_contact_is_made_up, "relations_agree"),
    (_case_never_ended, "cases_have_ended"),
    (_item_never_ended, "cases_have_ended"),
    (_leaver_is_forgotten, "cases_have_ended"),
    (_customer_is_left_behind, "nobody_is_left_behind"),
]


@pytest.mark.parametrize(("doctor", "rule"), PLANTED, ids=[one.__name__ for one, _ in PLANTED])
def test_the_rule_sees_what_is_wrong(doctor: Callable[[Books], None], rule: str) -> None:
    books = right_books()
    doctor(books)

    assert any(text.startswith(f"{rule}:") for text in violations(books))


def test_every_rule_is_tried() -> None:
    assert {rule.__name__ for rule in RULES} == {rule for _, rule in PLANTED}


def test_a_death_that_was_planted_is_none_to_complain_of() -> None:
    books = right_books()
    _event_is_dead(books)
    books.planted_dead = frozenset({"add_external_contact"})

    assert violations(books) == []


def test_an_attempt_that_a_leave_overtook_may_have_begun_or_not() -> None:
    books = right_books()
    books.items[1][0]["attempts"].insert(0, attempt("lisi", "overtaken"))
    assert violations(books) == []

    _attempt_that_wecom_never_saw(books)
    assert violations(books) != []


def test_the_checker_knows_nothing_of_kegui() -> None:
    text = Path(checker.__file__).read_text("utf-8")

    assert "from bot" not in text
    assert "import bot" not in text
