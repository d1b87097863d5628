"""Reading through the API: found, opened and shown, with what consent forbids held back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from werkzeug.test import TestResponse

from bot import api, clock
from bot.api.auth import create_token
from bot.capabilities import CAPABILITIES
from bot.models import (
    ArchiveConversation,
    AuditEntry,
    Consent,
    Customer,
    Department,
    IdempotencyKey,
    Staff,
)
from tests.archive.conftest import ON_BOTH_DATABASES, House
from tests.archive.corporation import CUSTOMER, PAYLOADS, ROOM, message

Call = Callable[..., TestResponse]
PURPOSE = {"Kegui-Purpose": "case:7"}


@pytest.fixture
def app(house: House) -> APIFlask:
    app = APIFlask("bot.app", docs_path=None, spec_path=None)
    app.config["TESTING"] = True
    api.register(app, house.kegui, CAPABILITIES)
    return app


@pytest.fixture
def call(app: APIFlask) -> Call:
    token = create_token("the tests", ["archive"])

    def call(method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {more.get('token', token)}"}
        headers |= more.get("headers", PURPOSE)
        return app.test_client().open(
            f"/api/v1/archive{path}", method=method, json=body, headers=headers
        )

    return call


def fixture(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def found(call: Call, **asked: Any) -> list[str]:
    answer = call("POST", "/search", asked)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [one["msgid"] for one in answer.get_json()["items"]]


def whole_feed(call: Call) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = "0"
    while True:
        page = call("GET", f"/messages?after_seq={after}&limit=7").get_json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        after = page["next_cursor"]


@ON_BOTH_DATABASES
def test_every_type_of_message_is_read_as_it_was_sent(house: House, call: Call) -> None:
    names = sorted(path.name for path in PAYLOADS.iterdir())
    plain = {name: json.loads(fixture(name), strict=False) for name in names}
    # Two of them are one message, with its control character written in two ways.
    del plain["text_control_char_raw.json.txt"]
    house.corporation.send(*(fixture(name) for name in names))
    house.pull()

    feed = whole_feed(call)

    assert [one["msgid"] for one in feed] == [one["msgid"] for one in plain.values()]
    assert {one["state"] for one in feed} == {"stored"}
    by_id = {one["msgid"]: one for one in feed}

    def shown(name: str) -> dict[str, Any]:
        return by_id[plain[name]["msgid"]]

    assert shown("text_customer_to_staff.json")["text"] == "你好，我想问一下还款日期"
    assert shown("text_customer_to_staff.json")["from"] == {"kind": "customer", "id": CUSTOMER}
    assert shown("text_customer_to_staff.json")["to"] == [{"kind": "staff", "id": "zhangsan"}]
    assert shown("markdown.json")["from"]["kind"] == "robot"
    assert shown("text_internal_single.json")["to"] == [{"kind": "unknown", "id": "lisi"}]
    assert shown("text_customer_group.json")["chat_id"] == ROOM
    assert shown("switch.json")["msgtype"] == "switch"
    assert (shown("switch.json")["from"]["id"], shown("switch.json")["to"]) == ("zhangsan", [])
    assert shown("meeting_notification.json")["content"]["meeting_id"] == "6072773153468854123"
    assert shown("unknown_future_type.json")["content"] == {"info": {"anything": 1}}
    assert shown("text_control_char.json")["text"] == "带控制字符\u0011的昵称"
    recalled = shown("text_staff_to_customer.json")
    assert recalled["recalled_by"] == plain["revoke.json"]["msgid"]
    assert shown("mixed.json")["media"][0]["state"] == "pending"
    # Words in forwarded records, mixed messages, notes and files are found.
    for words, name in {
        "第二句": "chatrecord.json",
        "看这张图": "mixed.json",
        "测试笔记": "note.json",
        "资料.DOCX": "file.json",
        "夕會": "meeting.json",
    }.items():
        assert plain[name]["msgid"] in found(call, q=words)


@ON_BOTH_DATABASES
def test_words_are_found_whatever_their_script_and_marked_where_they_stand(
    house: House, call: Call
) -> None:
    house.corporation.send(
        message(1, "这只产品ＡＢＣ保证收益"),
        message(2, "保本，然后证明收益"),
        message(3, "您好"),
    )
    house.pull()

    answer = call("POST", "/search", {"q": "保證收益 abc"}).get_json()

    [one] = answer["items"]
    marks = [one["text"][mark["start"] : mark["end"]] for mark in one["highlights"]]
    assert sorted(marks) == ["ＡＢＣ保证收益"]
    assert found(call, q="保证 收益") == [message(1)["msgid"]]
    assert call("POST", "/search", {"q": "保"}).status_code == 422


@ON_BOTH_DATABASES
def test_a_search_is_narrowed_by_people_groups_time_and_type(house: House, call: Call) -> None:
    house.corporation.send(
        message(1, "同一句话"),
        message(2, "同一句话", tolist=["lisi"], msgid="2"),
        message(3, "同一句话", roomid=ROOM, tolist=["lisi", CUSTOMER]),
        message(4, "同一句话", msgtype="markdown", info={"content": "同一句话"}),
    )
    house.pull()
    ids = [message(number)["msgid"] for number in (1, 2, 3, 4)]
    ids[1] = "2"

    assert found(call, q="同一句话") == ids[::-1]
    assert found(call, q="同一句话", userids=["lisi"]) == [ids[2], ids[1]]
    assert found(call, external_userids=[CUSTOMER], userids=["lisi"]) == [ids[2]]
    assert found(call, q="同一句话", chat_ids=[ROOM]) == [ids[2]]
    assert found(call, q="同一句话", msgtypes=["markdown"]) == [ids[3]]
    since, until = "2026-11-23T04:00:02Z", "2026-11-23T04:00:04Z"
    assert found(call, **{"from": since, "to": until}) == [ids[2], ids[1]]
    first = call("POST", "/search", {"q": "同一句话", "limit": 3}).get_json()
    rest = call("POST", "/search", {"q": "同一句话", "cursor": first["next_cursor"]}).get_json()
    assert [one["msgid"] for one in rest["items"]] == [ids[0]]


def test_what_a_customer_sent_after_refusing_is_held_back_everywhere(
    house: House, call: Call
) -> None:
    theirs: dict[str, Any] = {"from": CUSTOMER, "tolist": ["zhangsan"]}
    house.corporation.send(
        message(1, "我同意之前的话", **theirs),
        message(2, **theirs, msgtype="disagree", disagree={"userid": CUSTOMER}),
        message(3, "拒绝之后的话", **theirs),
        message(4, "员工仍然说的话"),
        message(5, **theirs, msgtype="agree", agree={"userid": CUSTOMER}),
        message(6, "再次同意之后的话", **theirs),
        message(7, "别的成员收到的话", **{**theirs, "tolist": ["lisi"]}),
    )
    house.pull()
    ids = {number: message(number)["msgid"] for number in range(1, 8)}

    feed = {one["msgid"]: one for one in whole_feed(call)}

    assert [feed[ids[number]]["consent"] for number in (1, 3, 4, 6, 7)] == [
        "unknown",
        "refused",
        "not_needed",
        "agreed",
        "unknown",
    ]
    held = feed[ids[3]]
    assert (held["withheld"], held["text"], held["content"], held["media"]) == (
        True,
        None,
        None,
        [],
    )
    answer = call("POST", "/search", {"q": "的话"}).get_json()
    assert (len(answer["items"]), answer["withheld"]) == (4, 1)
    assert call("GET", f"/messages/{ids[3]}").status_code == 404
    assert call("GET", f"/messages/{ids[6]}").get_json()["text"] == "再次同意之后的话"
    # What is learned later of an earlier moment counts as well.
    Consent.record(
        CUSTOMER,
        "refused",
        since=clock.now().replace(year=2020),
        evidence="check_single_agree",
        recorded_at=clock.now(),
        userid="zhangsan",
    )
    assert call("GET", f"/messages/{ids[1]}").status_code == 404


def test_no_text_without_a_purpose_and_every_reading_is_written_down(
    house: House, call: Call
) -> None:
    house.corporation.send(message(1, "一句机密的话"))
    house.pull()
    msgid = message(1)["msgid"]
    for method, path, body in (
        ("POST", "/search", {"q": "机密"}),
        ("GET", "/messages", None),
        ("GET", f"/messages/{msgid}", None),
        ("GET", f"/media/{'0' * 64}", None),
    ):
        assert call(method, path, body, headers={}).status_code == 428
        assert call(method, path, body, headers={"Kegui-Purpose": " "}).status_code == 428
    assert AuditEntry.select().count() == 0

    call("POST", "/search", {"q": "机密"}, headers={"Kegui-Purpose": "%E6%8A%95%E8%AF%89"})
    call("GET", f"/messages/{msgid}")

    entries = list(AuditEntry.select().order_by(AuditEntry.id))
    assert [(one.act, one.purpose) for one in entries] == [
        ("archive.search", "投诉"),
        ("archive.read", "case:7"),
    ]
    assert entries[0].details["first"] == msgid
    assert "机密" not in str([one.__data__ for one in entries])


def test_a_repeated_search_leaves_its_answer_nowhere(house: House, call: Call) -> None:
    house.corporation.send(message(1, "一句机密的话"))
    house.pull()

    headers = PURPOSE | {"Idempotency-Key": "once"}
    assert len(call("POST", "/search", {"q": "机密"}, headers=headers).get_json()["items"]) == 1
    assert IdempotencyKey.select().count() == 0


@ON_BOTH_DATABASES
def test_outside_of_a_tokens_departments_there_is_nothing(house: House, call: Call) -> None:
    Department.create(id=1)
    for number in (2, 3):
        Department.create(id=number, parent_id=1)
    Staff.update(departments=[2]).where(Staff.userid == "zhangsan").execute()
    Staff.create(userid="lisi", departments=[3], seen_at=clock.now())
    house.corporation.send(message(1, "同一句话"), fixture("switch.json"))
    house.corporation.send(message(2, "同一句话", **{"from": "lisi"}))
    house.pull()
    mine, theirs = message(1)["msgid"], message(2)["msgid"]

    token = create_token("of one department", ["archive"], departments=[2])

    found = call("POST", "/search", {"q": "同一句话"}, token=token).get_json()["items"]
    assert [one["msgid"] for one in found] == [mine]
    assert len(call("GET", "/messages", token=token).get_json()["items"]) == 2
    assert call("GET", f"/messages/{theirs}", token=token).status_code == 404
    above = create_token("of the firm", ["archive"], departments=[1])
    assert call("GET", f"/messages/{theirs}", token=above).status_code == 200


def test_what_cannot_be_decrypted_stands_in_the_feed_and_its_message_beside_it_later(
    house: House, call: Call
) -> None:
    house.corporation.send(message(1))
    house.corporation.send(message(2), version=2)
    house.pull()

    assert [(one["seq"], one["state"], one["content"]) for one in whole_feed(call)][1] == (
        "2",
        "undecryptable",
        None,
    )
    house.corporation.give_key(2)
    house.puller.retry()

    assert [(one["seq"], one["state"]) for one in whole_feed(call)] == [
        ("1", "stored"),
        ("2", "undecryptable"),
        ("2", "stored"),
    ]
    assert call("GET", f"/messages/{message(2)['msgid']}").get_json()["state"] == "stored"


def test_completeness_names_whom_the_archive_does_not_hear(house: House, call: Call) -> None:
    from bot.archive.runner import read_permits

    house.wecom.archive.permitted = ["zhangsan", "wangwu"]
    read_permits(house.kegui)
    house.corporation.send(message(1, msgtime=int(clock.now().timestamp() * 1000)))
    house.pull()

    answer = call("GET", "/completeness").get_json()

    assert answer["last_seq"] == "1"
    assert answer["lag_seconds"] < 60
    assert (answer["undecryptable"], answer["silences"], answer["media_missing"]) == ([], [], 0)
    assert answer["members_silent"] == ["wangwu"]


def test_nothing_of_what_people_wrote_stands_in_the_database_as_it_is(house: House) -> None:
    house.corporation.send(
        *(fixture(path.name) for path in PAYLOADS.iterdir()), message(1, "一句极其机密的话")
    )
    house.pull()
    path = house.kegui.settings.database_url.get_secret_value().removeprefix("sqlite:///")
    content = b"".join(Path(path + ending).read_bytes() for ending in ("", "-wal"))

    for said in ("极其机密", "还款日期", "FAKE_SDKFILEID", "资料.docx", "健康登记"):
        assert said.encode() not in content
    assert ArchiveConversation.select().count() > 0
    assert Customer.select().count() == 0
