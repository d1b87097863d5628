"""Odd answers about one record: they are read as far as they can be, and stop nobody else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import responses
from structlog.testing import capture_logs

from bot import clock, metrics
from bot.wecom import (
    OperatorNeeded,
    Pause,
    Paused,
    Refused,
    Throttled,
    Transient,
    Unreadable,
    WeCom,
)
from bot.wecom.budgets import WELCOME
from bot.wecom.errors import GETTOKEN
from bot.wecom.pauses import MemoryPauseStore
from bot.wecom.pausing import WELCOME_PAUSE
from tests.wecom.speaking import answer, asked, give_token, refuse, speak, url

PAGES, CUSTOMER = "externalcontact/batch/get_by_user", "externalcontact/get"
USER, MESSAGE = "user/get", "message/send"
FOLLOWERS = "externalcontact/get_follow_user_list"
HALF_AN_EMOJI = b"\xf0\x9f\x98"


@pytest.fixture
def wecom(network: responses.RequestsMock) -> WeCom:
    give_token(network)
    return speak()


def named(name: bytes) -> bytes:
    """A page with one customer of this name and one called Zhao."""
    return (
        b'{"errcode":0,"errmsg":"ok","external_contact_list":['
        b'{"external_contact":{"external_userid":"wm_chen","name":"' + name + b'","type":1},'
        b'"follow_info":{"userid":"zhangsan","createtime":1700000000,"remark":"' + name + b'"}},'
        b'{"external_contact":{"external_userid":"wm_zhao","name":"Zhao","type":1},'
        b'"follow_info":{"userid":"zhangsan","createtime":1700000000}}]}'
    )


ODD_NAMES = {
    "a raw control character": (b"Chen\x14", "Chen\ufffd"),
    "half an emoji": (b"Chen" + HALF_AN_EMOJI, "Chen\ufffd"),
    "a byte of another encoding": (b"Chen\xff\xfe", "Chen\ufffd\ufffd"),
    "a lone surrogate": (b"Chen\\ud83d", "Chen\ufffd"),
    "NUL": (b"Ch\\u0000en", "Ch\ufffden"),
    "a raw NUL": (b"Ch\x00en", "Ch\ufffden"),
    "a control character as an escape": (b"Chen\\u0014", "Chen\ufffd"),
    "no character": (b"Chen\\uffff", "Chen\ufffd"),
}


@pytest.mark.parametrize(("name", "read"), ODD_NAMES.values(), ids=ODD_NAMES.keys())
def test_an_odd_name_is_read_with_a_mark_and_the_others_with_it(
    network: responses.RequestsMock, wecom: WeCom, name: bytes, read: str
) -> None:
    network.post(url(PAGES), body=named(name))
    mended = metrics.WECOM_ANSWERS_MENDED.labels(PAGES)._value.get()
    wecom.transport._on_call = metrics.count_call

    with capture_logs() as logs:
        first, second = wecom.customers.batch_by_user("zhangsan").items

    assert (first.external_userid, first.name) == ("wm_chen", read)
    assert first.follow_user.remark == read
    assert second.name == "Zhao"
    assert [one for one in logs if one["event"] == "wecom_answer_mended"] != []
    assert metrics.WECOM_ANSWERS_MENDED.labels(PAGES)._value.get() == mended + 1


@pytest.mark.parametrize("name", ["陈\t静\n", "Ch\\u00e9n", "😀", "\\ud83d\\ude00", "a\\\\u0014"])
def test_a_name_that_can_be_kept_is_kept_without_a_mark(
    network: responses.RequestsMock, wecom: WeCom, name: str
) -> None:
    network.post(url(PAGES), body=named(name.encode()))

    with capture_logs() as logs:
        [first, _] = wecom.customers.batch_by_user("zhangsan").items

    assert "\ufffd" not in first.name
    assert [one for one in logs if one["event"] == "wecom_answer_mended"] == []


def test_an_answer_that_begins_with_a_mark_of_its_encoding_is_read(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    network.post(url(PAGES), body=b"\xef\xbb\xbf" + named(b"Chen"))

    assert len(wecom.customers.batch_by_user("zhangsan").items) == 2


# Every list and object that Kegui reads, and what it is without anything in it.
EMPTY: list[tuple[str, dict[str, Any], Callable[[WeCom], Any], Any]] = [
    (FOLLOWERS, {"follow_user": None}, lambda w: w.customers.follow_users(), []),
    ("externalcontact/list", {"external_userid": None}, lambda w: w.customers.ids_of("a"), []),
    (PAGES, {"external_contact_list": None}, lambda w: w.customers.batch_by_user("a").items, []),
    (CUSTOMER, {"follow_user": None}, lambda w: w.customers.get("wm").follow_users, ()),
    (CUSTOMER, {"external_contact": None}, lambda w: w.customers.get("wm").name, ""),
    (CUSTOMER, {"follow_user": [None]}, lambda w: w.customers.phones_of("wm"), {}),
    (
        "externalcontact/groupchat/list",
        {"group_chat_list": None},
        lambda w: w.groups.owned_by("a"),
        [],
    ),
    (
        "externalcontact/groupchat/get",
        {"group_chat": {"member_list": None, "owner": None}},
        lambda w: (w.groups.get("wr").members, w.groups.get("wr").owner),
        ((), ""),
    ),
    (
        "externalcontact/get_unassigned_list",
        {"info": None, "next_cursor": None},
        lambda w: list(w.resigned.unassigned()),
        [],
    ),
    (
        "externalcontact/transfer_result",
        {"customer": None},
        lambda w: w.transfers.results("a", "b"),
        [],
    ),
    (
        "externalcontact/transfer_customer",
        {"customer": None},
        lambda w: w.transfers.submit("a", "b", ["wm"]),
        {},
    ),
    (
        "externalcontact/groupchat/transfer",
        {"failed_chat_list": None},
        lambda w: w.groups.transfer(["wr"], "b", resigned=True),
        {},
    ),
    (
        "externalcontact/list_contact_way",
        {"contact_way": None},
        lambda w: list(w.contact_ways.ids()),
        [],
    ),
    (
        "externalcontact/get_contact_way",
        {"contact_way": {"user": None, "party": None, "remark": None}},
        lambda w: (w.contact_ways.get("c").userids, w.contact_ways.get("c").remark),
        ((), ""),
    ),
    ("department/list", {"department": None}, lambda w: w.contacts.departments(), []),
    (
        "department/simplelist",
        {"department_id": None},
        lambda w: w.contacts.department_tree("app"),
        [],
    ),
    ("user/simplelist", {"userlist": None}, lambda w: w.contacts.members_of(1), []),
    (
        USER,
        {"department": None, "is_leader_in_dept": None, "direct_leader": None, "name": None},
        lambda w: (
            w.contacts.user("a").departments,
            w.contacts.user("a").direct_leader,
            w.contacts.user("a").name,
        ),
        ((), None, ""),
    ),
    (
        MESSAGE,
        {"invaliduser": None},
        lambda w: w.messages.send_text(["a"], "x").invalid_userids,
        (),
    ),
    (
        "message/update_template_card",
        {"invaliduser": None},
        lambda w: w.messages.update_card("c", ["a"], "x"),
        (),
    ),
    ("agent/get", {"allow_userinfos": None}, lambda w: w.agents.get(1).visible_userids, ()),
    (
        "agent/get",
        {"allow_partys": {"partyid": None}},
        lambda w: w.agents.get(1).visible_departments,
        (),
    ),
    ("getcallbackip", {"ip_list": None}, lambda w: w.agents.callback_addresses(), []),
]


@pytest.mark.parametrize(
    ("endpoint", "body", "read", "expected"), EMPTY, ids=[f"{one[0]} {[*one[1]]}" for one in EMPTY]
)
def test_null_in_the_place_of_a_list_is_an_empty_one(
    network: responses.RequestsMock,
    wecom: WeCom,
    endpoint: str,
    body: dict[str, Any],
    read: Callable[[WeCom], Any],
    expected: Any,
) -> None:
    for method in ("GET", "POST"):
        answer(network, endpoint, {"errcode": 0, "errmsg": "ok", **body}, method=method)

    assert read(wecom) == expected


def test_null_where_the_archives_members_are_expected(network: responses.RequestsMock) -> None:
    give_token(network)
    answer(network, "msgaudit/get_permit_user_list", {"errcode": 0, "ids": None})

    assert speak(secrets={"archive": "s"}).archive.members() == []


def test_a_row_without_its_id_is_left_out_and_the_others_are_read(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    rows: list[Any] = [
        None,
        "odd",
        {"external_contact": None},
        {"external_contact": {"name": "nobody"}},
        {
            "external_contact": {"external_userid": "wm_chen", "type": "odd", "name": 7},
            "follow_info": None,
        },
    ]
    answer(network, PAGES, {"errcode": 0, "external_contact_list": rows})

    with capture_logs() as logs:
        [one] = wecom.customers.batch_by_user("zhangsan").items

    assert (one.external_userid, one.type, one.name) == ("wm_chen", 0, "7")
    assert one.follow_user.userid == "zhangsan"
    assert len([row for row in logs if row["event"] == "wecom_row_left_out"]) == 4


def test_what_no_column_holds_is_not_read(network: responses.RequestsMock, wecom: WeCom) -> None:
    contact = {"external_userid": "wm_chen", "name": "陈" * 300, "type": 10**30}
    answer(network, CUSTOMER, {"errcode": 0, "external_contact": contact}, method="GET")

    customer = wecom.customers.get("wm_chen")

    assert (len(customer.name), customer.type) == (255, 0)


@pytest.mark.parametrize("errcode", [60011, 60021, 50002, 60111])
def test_a_refusal_about_one_member_pauses_nobody(
    network: responses.RequestsMock, wecom: WeCom, errcode: int
) -> None:
    refuse(network, USER, errcode, method="GET")
    with pytest.raises(Refused):
        wecom.contacts.user("hidden")
    network.remove("GET", url(USER))
    answer(network, USER, {"errcode": 0, "userid": "lisi", "status": 5}, method="GET")

    assert wecom.contacts.user("lisi").status == 5


@pytest.mark.parametrize("errcode", [40201, 40204])
def test_a_message_that_anti_spam_stops_stops_no_other(
    network: responses.RequestsMock, wecom: WeCom, errcode: int
) -> None:
    refuse(network, MESSAGE, errcode)
    with pytest.raises(Refused):
        wecom.messages.send_text(["zhangsan"], "大奖")
    network.remove("POST", url(MESSAGE))
    answer(network, MESSAGE, {"errcode": 0, "msgid": "m"})

    assert wecom.messages.send_text(["zhangsan"], "您好").msgid == "m"


def test_the_reminder_of_one_message_pauses_no_other(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    endpoint = "externalcontact/remind_groupmsg_send"
    refuse(network, endpoint, 41094)

    for msgid in ("one", "two"):
        with pytest.raises(Throttled):
            wecom.transport.act(endpoint, {"msgid": msgid})


def test_an_answer_about_one_record_that_cannot_be_read_pauses_nobody(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    network.get(url(CUSTOMER), body='{"errcode": 0, "external_con')

    for _ in range(4):
        with pytest.raises(Unreadable):
            wecom.customers.get("wm_odd")
    network.remove("GET", url(CUSTOMER))
    answer(network, CUSTOMER, {"errcode": 0}, method="GET")

    assert wecom.customers.get("wm_chen").external_userid == "wm_chen"


def test_answers_about_three_records_that_cannot_be_read_are_an_outage(
    network: responses.RequestsMock, wecom: WeCom
) -> None:
    network.get(url(CUSTOMER), body="<html>maintenance</html>")

    for customer in ("wm_1", "wm_2", "wm_3"):
        with pytest.raises((Unreadable, Paused)):
            wecom.customers.get(customer)

    with pytest.raises(Paused):
        wecom.customers.get("wm_4")


# The welcome lane.


def held(pauses: MemoryPauseStore, endpoint: str = WELCOME) -> timedelta:
    pause = pauses.get("app", endpoint)
    return pause.until - clock.now() if pause else timedelta()


@pytest.mark.parametrize("errcode", [48002, 60020, 610023, -1, None])
def test_one_odd_answer_about_one_customer_lets_no_other_wait(
    network: responses.RequestsMock, wecom: WeCom, errcode: int | None
) -> None:
    if errcode is None:
        network.post(url(WELCOME), status=502)
    else:
        refuse(network, WELCOME, errcode)
    for _ in range(4):
        with pytest.raises((OperatorNeeded, Transient)):
            wecom.customers.send_welcome("code of one", "您好")
    network.remove("POST", url(WELCOME))
    answer(network, WELCOME)

    wecom.customers.send_welcome("code of another", "您好")


@pytest.mark.parametrize("errcode", [48002, 60020, 610023, 45033, 45036, -1, None])
def test_a_pause_of_welcomes_is_tried_again_within_seconds_by_one_call(
    network: responses.RequestsMock, errcode: int | None
) -> None:
    give_token(network)
    if errcode is None:
        network.post(url(WELCOME), status=502)
    else:
        refuse(network, WELCOME, errcode)
    pauses = MemoryPauseStore()
    wecom, other = speak(pauses=pauses), speak(pauses=pauses)
    for number in range(6):
        with pytest.raises((OperatorNeeded, Throttled, Transient, Paused)):
            wecom.customers.send_welcome(f"code {number}", "您好")

    for _ in range(4):
        assert timedelta() < held(pauses) <= WELCOME_PAUSE
        place = ("app", WELCOME)
        before = pauses._pauses[place]
        pauses._pauses[place] = Pause(*place, clock.now(), before.reason, before.errcode)
        calls = len(asked(network, WELCOME))
        for one in (other, wecom, other):
            one.transport._pausing._known.clear()
            with pytest.raises((OperatorNeeded, Throttled, Transient, Paused)):
                one.customers.send_welcome("code again", "您好")
        assert len(asked(network, WELCOME)) == calls + 1


def test_45009_holds_for_welcomes_as_for_all(network: responses.RequestsMock) -> None:
    give_token(network)
    refuse(network, WELCOME, 45009)
    pauses = MemoryPauseStore()

    with pytest.raises(Throttled):
        speak(pauses=pauses).customers.send_welcome("code", "您好")

    assert held(pauses) > timedelta(seconds=55)


def test_gettoken_that_cannot_be_reached_is_tried_again_within_seconds(
    network: responses.RequestsMock,
) -> None:
    network.get(url(GETTOKEN), status=502)
    pauses = MemoryPauseStore()
    wecom = speak(pauses=pauses)

    for number in range(4):
        with pytest.raises((Transient, Paused)):
            wecom.customers.send_welcome(f"code {number}", "您好")

    assert timedelta() < held(pauses, GETTOKEN) <= WELCOME_PAUSE


def test_a_refused_secret_is_left_in_peace_in_the_welcome_lane_too(
    network: responses.RequestsMock,
) -> None:
    refuse(network, GETTOKEN, 40001, method="GET")
    pauses = MemoryPauseStore()

    with pytest.raises(OperatorNeeded):
        speak(pauses=pauses).customers.send_welcome("code", "您好")

    assert held(pauses, GETTOKEN) > timedelta(minutes=55)
