"""Transfers in service and after a leave, and the limits on both."""

from typing import Any

import pytest

from tests.sandbox.stage import CHEN, DAY, ZHAO, Stage


def result(
    stage: Stage, handover: str = "zhangsan", takeover: str = "lisi", resigned: bool = False
) -> dict[str, tuple[int, int]]:
    path = f"externalcontact/{'resigned/' if resigned else ''}transfer_result"
    answer = stage.post(path, handover_userid=handover, takeover_userid=takeover)
    return {
        row["external_userid"]: (row["status"], row["takeover_time"]) for row in answer["customer"]
    }


def owners(stage: Stage, external_userid: str = CHEN) -> list[str]:
    answer = stage.get("externalcontact/get", external_userid=external_userid)
    return [row["userid"] for row in answer.get("follow_user", [])]


def test_a_transfer_is_done_after_twenty_four_hours(stage: Stage) -> None:
    stage.add(silent=True)
    assert stage.transfer() == 0
    status, due = result(stage)[CHEN]
    assert status == 2
    assert abs(due - stage.look("clock")["now"] - DAY) < 5

    stage.advance(DAY - 60)
    assert (result(stage)[CHEN][0], owners(stage)) == (2, ["zhangsan"])
    stage.advance(61)

    assert result(stage)[CHEN] == (1, due)
    assert owners(stage) == ["lisi"]
    row = stage.get("externalcontact/get", external_userid=CHEN)["follow_user"][0]
    assert row["add_way"] == 202


def test_a_finished_transfer_brings_the_two_events(stage: Stage) -> None:
    stage.add(silent=True)
    stage.transfer()
    assert stage.events() == []

    stage.advance(DAY + 1)

    assert stage.events() == [
        ("del_external_contact", "zhangsan"),
        ("add_external_contact", "lisi"),
    ]
    deleted, added = stage.look("events")
    assert deleted["fields"]["Source"] == "DELETE_BY_TRANSFER"
    assert "WelcomeCode" not in added["fields"]


def test_a_takeover_member_who_is_a_friend_already_gets_no_add_event(stage: Stage) -> None:
    stage.add(silent=True)
    stage.add("lisi", silent=True)
    stage.transfer()

    stage.advance(DAY + 1)

    assert owners(stage) == ["lisi"]
    assert stage.events() == [("del_external_contact", "zhangsan")]


def test_a_member_who_gets_the_customer_back_gets_no_add_event(stage: Stage) -> None:
    stage.add(silent=True)
    stage.transfer()
    stage.advance(DAY + 1)
    stage.transfer(handover="lisi", takeover="zhangsan")

    stage.advance(DAY + 1)

    assert owners(stage) == ["zhangsan"]
    assert stage.events()[2:] == [("del_external_contact", "lisi")]


@pytest.mark.parametrize("who", ["takeover", "handover"])
def test_a_customer_may_refuse(stage: Stage, who: str) -> None:
    stage.turn(transfer_fail_userid=who)
    stage.add(silent=True)
    stage.transfer()

    stage.act(CHEN, "refuse_transfer")
    stage.advance(DAY + 1)

    assert result(stage)[CHEN] == (3, 0)
    assert owners(stage) == ["zhangsan"]
    event = stage.look("events")[0]["fields"]
    assert (event["ChangeType"], event["FailReason"]) == ("transfer_fail", "customer_refused")
    assert event["UserID"] == ("lisi" if who == "takeover" else "zhangsan")


@pytest.mark.parametrize(("when", "first"), [("at_once", 40099), ("later", 0)])
def test_a_full_takeover_member_is_refused_at_once_or_later(
    stage: Stage, when: str, first: int
) -> None:
    stage.turn(takeover_full=when)
    stage.add(silent=True)
    stage.add("lisi", ZHAO, silent=True)
    stage.control("staff/lisi", "PATCH", customer_limit=1)

    assert stage.transfer() == first
    stage.advance(DAY + 1)

    if when == "later":
        assert result(stage)[CHEN] == (4, 0)
        assert stage.look("events")[0]["fields"]["FailReason"] == "customer_limit_exceed"
    assert owners(stage) == ["zhangsan"]


@pytest.mark.parametrize("code", [40100, 40129])
def test_a_customer_in_a_transfer_cannot_start_another(stage: Stage, code: int) -> None:
    stage.turn(in_transfer_code=code)
    stage.add(silent=True)
    stage.transfer()

    assert stage.transfer(takeover="wangwu") == code


def test_two_transfers_in_ninety_days_are_the_most(stage: Stage) -> None:
    stage.add(silent=True)
    for handover, takeover in (("zhangsan", "lisi"), ("lisi", "wangwu")):
        assert stage.transfer(handover=handover, takeover=takeover) == 0
        stage.advance(DAY + 1)

    assert stage.transfer(handover="wangwu", takeover="zhangsan") == 40128
    stage.advance(90 * DAY)
    assert stage.transfer(handover="wangwu", takeover="zhangsan") == 0


@pytest.mark.parametrize(("counted", "code"), [("completed", 0), ("started", 40128)])
def test_whether_refused_transfers_count_is_a_switch(stage: Stage, counted: str, code: int) -> None:
    stage.turn(transfers_counted=counted)
    stage.add(silent=True)
    for _ in range(2):
        stage.transfer()
        stage.act(CHEN, "refuse_transfer")

    assert stage.transfer() == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"follow": False}, 40098),
        ({"verified": False}, 40098),
        ({"status": 2}, 40098),
        ({"last_login_days_ago": 366}, 40205),
        ({"banned": True}, 40143),
        ({"visible": False}, 40003),
    ],
)
@pytest.mark.parametrize("where", ["call", "item"])
def test_an_unfit_takeover_member_is_refused(
    stage: Stage, change: dict[str, Any], code: int, where: str
) -> None:
    stage.turn(member_errors=where)
    stage.add(silent=True)
    stage.control("staff/lisi", "PATCH", **change)

    assert stage.transfer() == code


def test_wrong_members_and_customers_have_their_codes(stage: Stage) -> None:
    stage.add(silent=True)
    stage.add("lisi", ZHAO, silent=True)
    stage.control("staff/wangwu/leave")

    assert stage.transfer(takeover="zhangsan") == 40130
    assert stage.transfer("wm_unknown") == 40096
    assert stage.transfer(ZHAO) == 40131
    assert stage.transfer(handover="nobody") == 40003
    assert stage.transfer(handover="wangwu") == 40003
    assert stage.transfer(takeover="wangwu") == 40003
    assert stage.transfer(resigned=True) == 40097
    stage.control("staff/zhangsan/delete_customer", external_userid=CHEN)
    assert stage.transfer() == 84061


def test_each_customer_of_a_call_has_a_code_of_its_own(stage: Stage) -> None:
    stage.add(silent=True)
    body = {"handover_userid": "zhangsan", "takeover_userid": "lisi"}

    answer = stage.post(
        "externalcontact/transfer_customer", **body, external_userid=[CHEN, "wm_unknown"]
    )

    assert [row["errcode"] for row in answer["customer"]] == [0, 40096]
    assert [row["effect"] for row in stage.look("executed")] == ["transfer_started"]


def test_a_leavers_customers_are_unassigned_until_they_move(stage: Stage) -> None:
    stage.add(silent=True)
    stage.add(external_userid=ZHAO, silent=True)
    stage.control("staff/zhangsan/leave")

    def waiting() -> list[str]:
        rows = stage.post("externalcontact/get_unassigned_list")["info"]
        return [row["external_userid"] for row in rows]

    assert waiting() == [CHEN, ZHAO]
    assert stage.transfer(resigned=True) == 0
    assert waiting() == [ZHAO]
    stage.advance(DAY + 1)
    assert result(stage, resigned=True)[CHEN][0] == 1
    assert (owners(stage), owners(stage, ZHAO)) == (["lisi"], [])
    assert stage.events() == [("delete_user", "zhangsan"), ("unsubscribe", "")]


def test_a_resigned_transfer_may_bring_events(stage: Stage) -> None:
    stage.turn(resigned_events=True, code_after_transfer=True)
    stage.add(silent=True)
    stage.control("staff/zhangsan/leave", announce=False)
    stage.transfer(resigned=True)

    stage.advance(DAY + 1)

    assert stage.events() == [("add_external_contact", "lisi")]
    assert stage.welcome(stage.look("events")[0]["fields"]["WelcomeCode"]) == 0


def test_who_left_long_ago_or_had_not_logged_in_cannot_be_handed_over(stage: Stage) -> None:
    stage.add(silent=True)
    stage.add("wangwu", silent=True)
    stage.control("staff/zhangsan", "PATCH", last_login_days_ago=366)
    stage.control("staff/zhangsan/leave")
    stage.control("staff/wangwu/leave")

    assert stage.transfer(resigned=True) == 40205
    stage.advance(366 * DAY)
    assert stage.transfer(handover="wangwu", resigned=True) == 40003


@pytest.mark.parametrize(("pending", "unassigned"), [("continue", []), ("drop", [CHEN])])
def test_what_becomes_of_a_running_transfer_when_the_member_leaves_is_a_switch(
    stage: Stage, pending: str, unassigned: list[str]
) -> None:
    stage.turn(pending_on_leave=pending)
    stage.add(silent=True)
    stage.transfer()

    stage.control("staff/zhangsan/leave")

    rows = stage.post("externalcontact/get_unassigned_list")["info"]
    assert [row["external_userid"] for row in rows] == unassigned
    stage.advance(DAY + 1)
    assert owners(stage) == ([] if unassigned else ["lisi"])


def test_refused_customers_of_a_leaver_come_back_or_not(stage: Stage) -> None:
    stage.add(silent=True)
    stage.control("staff/zhangsan/leave")
    stage.transfer(resigned=True)
    stage.act(CHEN, "refuse_transfer")

    assert len(stage.post("externalcontact/get_unassigned_list")["info"]) == 1
    stage.turn(refused_is_unassigned=False)
    assert stage.post("externalcontact/get_unassigned_list")["info"] == []


def test_a_leaver_is_gone_or_has_status_five(stage: Stage) -> None:
    stage.control("staff/zhangsan/disable")
    stage.control("staff/lisi/leave", announce=False)

    assert stage.get("user/get", userid="zhangsan")["status"] == 5
    assert stage.get("user/get", userid="lisi")["errcode"] == 60111
    stage.turn(left_member="status5")
    assert stage.get("user/get", userid="lisi")["status"] == 5
    assert stage.events() == [("unsubscribe", "")]
    assert stage.get("externalcontact/get_follow_user_list")["follow_user"] == ["wangwu"]


@pytest.mark.parametrize(("rows", "count"), [("last", 1), ("all", 2)])
def test_repeated_transfers_of_a_pair_show_one_row_or_all(
    stage: Stage, rows: str, count: int
) -> None:
    stage.turn(result_rows=rows)
    stage.add(silent=True)
    stage.transfer()
    stage.act(CHEN, "refuse_transfer")
    stage.transfer()
    pair = {"handover_userid": "zhangsan", "takeover_userid": "lisi"}

    answer = stage.post("externalcontact/transfer_result", **pair)

    assert len(answer["customer"]) == count
    assert answer["customer"][-1]["status"] == 2


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (["add", "del"], ["add_external_contact", "del_external_contact"]),
        (["del"], ["del_external_contact"]),
        ([], []),
    ],
)
def test_the_order_of_the_two_events_is_a_switch(
    stage: Stage, wanted: list[str], seen: list[str]
) -> None:
    stage.turn(transfer_events=wanted)
    stage.add(silent=True)
    stage.transfer()

    stage.advance(DAY + 1)

    assert [change for change, _ in stage.events()] == seen


def test_old_results_may_be_forgotten(stage: Stage) -> None:
    stage.turn(result_keep_days=10)
    stage.add(silent=True)
    stage.transfer()

    stage.advance(2 * DAY)
    assert result(stage)[CHEN][0] == 1
    stage.advance(10 * DAY)
    assert result(stage) == {}


def test_a_resigned_transfer_may_count_in_the_ninety_days(stage: Stage) -> None:
    stage.turn(resigned_counts=True, transfers_counted="started")
    stage.add(silent=True)
    stage.control("staff/zhangsan/leave")
    for _ in range(2):
        assert stage.transfer(resigned=True) == 0
        stage.act(CHEN, "refuse_transfer")

    assert stage.transfer(resigned=True) == 40128
