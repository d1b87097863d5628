"""Odd names in answers, null for an empty list, a member about whom all is refused, spam."""

import json

import pytest

from tests.sandbox.stage import CHEN, Stage

USER = "user/get"


def raw_answer(stage: Stage) -> bytes:
    query = {"access_token": stage.token(), "external_userid": CHEN}
    return bytes(stage.client.get("/cgi-bin/externalcontact/get", query_string=query).data)


@pytest.mark.parametrize(
    ("name", "escaped", "raw"),
    [
        ("陈\x14", b"\xe9\x99\x88\\u0014", b"\xe9\x99\x88\x14"),
        ("陈\ud83d", b"\xe9\x99\x88\\ud83d", b"\xe9\x99\x88\xf0\x9f\x98"),
        ("陈\x00", b"\xe9\x99\x88\\u0000", b"\xe9\x99\x88\x00"),
        ("陈\\u0014", b"\xe9\x99\x88\\\\u0014", b"\xe9\x99\x88\\\\u0014"),
    ],
)
def test_an_odd_name_stands_escaped_or_raw(
    stage: Stage, name: str, escaped: bytes, raw: bytes
) -> None:
    row = {"userid": "zhangsan", "external_userid": CHEN, "name": name}
    # With escapes: a lone surrogate has no other form.
    assert stage.client.post("/sandbox/customers", data=json.dumps(row)).status_code == 200

    assert json.loads(raw_answer(stage))["external_contact"]["name"] == name
    assert b'"name": "' + escaped + b'"' in raw_answer(stage)
    stage.turn(odd_characters="raw")
    assert b'"name": "' + raw + b'"' in raw_answer(stage)
    assert stage.look("state")["customers"][0]["name"] == name


def test_an_empty_list_may_be_null(stage: Stage) -> None:
    stage.turn(empty_lists="null", empty_list_code=0)

    assert stage.get("externalcontact/list", userid="zhangsan")["external_userid"] is None
    assert stage.get(USER, userid="zhangsan")["direct_leader"] is None
    assert stage.get("externalcontact/get_follow_user_list")["follow_user"] != []


@pytest.mark.parametrize("errcode", [60011, 60021, 50002])
def test_calls_about_one_member_may_be_refused_with_any_code(stage: Stage, errcode: int) -> None:
    stage.control("staff/zhangsan", "PATCH", errcode=errcode)

    assert stage.get(USER, userid="zhangsan")["errcode"] == errcode
    assert stage.get(USER, userid="lisi")["errcode"] == 0
    page = stage.post("externalcontact/batch/get_by_user", userid_list=["zhangsan"])
    assert page["errcode"] == errcode
    assert "zhangsan" in stage.get("externalcontact/get_follow_user_list")["follow_user"]
    stage.control("staff/zhangsan", "PATCH", errcode=0)
    assert stage.get(USER, userid="zhangsan")["errcode"] == 0


def test_a_message_may_be_taken_for_spam(stage: Stage) -> None:
    stage.turn(spam_words=["大奖"])
    message = {"touser": "zhangsan", "msgtype": "text", "agentid": 1000014}

    assert stage.post("message/send", **message, text={"content": "大奖"})["errcode"] == 40201
    assert stage.post("message/send", **message, text={"content": "您好"})["errcode"] == 0
