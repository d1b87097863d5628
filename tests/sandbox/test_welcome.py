"""Welcome codes, consent, and what customers and members do to each other."""

from typing import Any

import pytest

from tests.sandbox.stage import CHEN, ZHAO, Stage


def test_a_code_works_once(stage: Stage) -> None:
    code = stage.add()

    assert stage.welcome(code) == 0
    assert stage.welcome(code) == 41051
    sent = stage.look("executed")
    assert [(row["effect"], row["userid"], row["welcome_code"]) for row in sent] == [
        ("welcome_sent", "zhangsan", code)
    ]


def test_the_code_of_a_second_use_is_a_switch(stage: Stage) -> None:
    stage.turn(second_use_code=41050)
    code = stage.add()
    stage.welcome(code)

    assert stage.welcome(code) == 41050


def test_a_code_lives_twenty_seconds(stage: Stage) -> None:
    early, late = stage.add(), stage.add(external_userid=ZHAO)

    stage.advance(19)
    assert stage.welcome(early) == 0
    stage.advance(2)
    assert stage.welcome(late) == 41050
    assert stage.welcome("unknown") == 41050


def test_a_chat_that_has_begun_ends_the_code(stage: Stage) -> None:
    code = stage.add()
    stage.act(CHEN, "chat", userid="zhangsan")

    assert stage.welcome(code) == 41051


def test_without_consent_the_welcome_waits_for_the_approval(stage: Stage) -> None:
    code = stage.add(must_agree=True)
    assert stage.welcome(code) == 41053

    approved = stage.act(CHEN, "agree", userid="zhangsan")["welcome_code"]

    assert approved not in ("", code)
    assert stage.welcome(approved) == 0
    assert stage.welcome(code) == 41051


@pytest.mark.parametrize(("survives", "errcode"), [(True, 41053), (False, 41051)])
def test_whether_a_code_survives_41053_is_a_switch(
    stage: Stage, survives: bool, errcode: int
) -> None:
    stage.turn(code_survives_41053=survives)
    code = stage.add(must_agree=True)

    assert [stage.welcome(code), stage.welcome(code)] == [41053, errcode]


def test_the_approval_brings_no_code_after_a_chat_or_a_welcome(stage: Stage) -> None:
    stage.welcome(stage.add())
    stage.add(external_userid=ZHAO)
    stage.act(ZHAO, "chat", userid="zhangsan")

    assert stage.act(CHEN, "agree", userid="zhangsan")["welcome_code"] == ""
    assert stage.act(ZHAO, "agree", userid="zhangsan")["welcome_code"] == ""


def test_while_another_app_sends_the_code_is_busy_and_then_used(stage: Stage) -> None:
    taken, failed = stage.add(), stage.add(external_userid=ZHAO)
    stage.control(f"welcome_codes/{taken}/other_app", busy_seconds=5, succeeds=True)
    stage.control(f"welcome_codes/{failed}/other_app", busy_seconds=5, succeeds=False)

    assert [stage.welcome(taken), stage.welcome(failed)] == [41096, 41096]
    stage.advance(6)
    assert [stage.welcome(taken), stage.welcome(failed)] == [41051, 0]


@pytest.mark.parametrize(("foreign", "errcode"), [("accept", 0), ("refuse", 41050)])
def test_another_apps_token_on_a_code_is_a_switch(stage: Stage, foreign: str, errcode: int) -> None:
    apps = [
        {"kind": "app", "secret": "first", "agent_id": 1},
        {"kind": "app", "secret": "app-secret", "agent_id": 2},
    ]
    stage.control("reset", corp_id="ww5823bf96d3bd56c7", apps=apps)
    stage.control("staff", userid="zhangsan")
    stage.turn(foreign_code=foreign)

    assert stage.welcome(stage.add()) == errcode


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 41049),
        ({"welcome_code": "x"}, 40063),
        ({"welcome_code": "x", "text": {"content": "好" * 1334}}, 40058),
        ({"welcome_code": "x", "text": "hello"}, 40058),
        ({"welcome_code": "x", "attachments": []}, 41088),
        ({"welcome_code": "x", "attachments": [{"msgtype": "image", "image": {}}] * 10}, 41064),
        ({"welcome_code": "x", "attachments": [{"msgtype": "voice"}]}, 41065),
        ({"welcome_code": "x", "text": {"content": "好" * 1333}}, 41050),
    ],
)
def test_a_welcome_of_a_wrong_form_is_refused(
    stage: Stage, body: dict[str, Any], errcode: int
) -> None:
    assert stage.post("externalcontact/send_welcome_msg", **body)["errcode"] == errcode


def test_a_half_relation_is_no_customer_until_the_member_adds_back(stage: Stage) -> None:
    stage.add(half=True, state="poster")
    get = {"external_userid": CHEN}
    assert stage.get("externalcontact/get", **get)["errcode"] == 84061
    assert stage.transfer() == 84061

    second = stage.act(CHEN, "accept_half", userid="zhangsan")["welcome_code"]

    assert stage.get("externalcontact/get", **get)["follow_user"][0]["state"] == "poster"
    assert stage.welcome(second) == 0
    assert stage.events() == [
        ("add_half_external_contact", "zhangsan"),
        ("add_external_contact", "zhangsan"),
    ]


def test_a_used_half_code_leaves_none_for_the_full_relation(stage: Stage) -> None:
    stage.welcome(stage.add(half=True))

    assert stage.act(CHEN, "accept_half", userid="zhangsan")["welcome_code"] == ""
    assert "WelcomeCode" not in stage.look("events")[-1]["fields"]


def test_who_deletes_whom_decides_what_the_api_still_serves(stage: Stage) -> None:
    stage.add()
    stage.add(external_userid=ZHAO)
    stage.act(CHEN, "delete_member", userid="zhangsan")
    stage.control("staff/zhangsan/delete_customer", external_userid=ZHAO)

    assert stage.get("externalcontact/get", external_userid=CHEN)["errcode"] == 0
    assert stage.get("externalcontact/get", external_userid=ZHAO)["errcode"] == 84061
    assert stage.get("externalcontact/get", external_userid="wm_none")["errcode"] == 40096
    assert stage.events()[2:] == [
        ("del_follow_user", "zhangsan"),
        ("del_external_contact", "zhangsan"),
    ]
    assert "Source" not in stage.look("events")[-1]["fields"]


@pytest.mark.parametrize("code", [84061, 0])
def test_the_empty_list_is_a_code_or_a_list(stage: Stage, code: int) -> None:
    stage.turn(empty_list_code=code)

    assert stage.get("externalcontact/list", userid="lisi")["errcode"] == code


def test_more_than_five_hundred_followers_come_in_pages(stage: Stage) -> None:
    people = [f"member{number}" for number in range(502)]
    stage.control("staff", staff=[{"userid": one} for one in people])
    rows = [{"userid": one, "external_userid": CHEN} for one in people]
    stage.control("customers", customers=rows)

    first = stage.get("externalcontact/get", external_userid=CHEN)
    second = stage.get("externalcontact/get", external_userid=CHEN, cursor=first["next_cursor"])

    assert [len(one["follow_user"]) for one in (first, second)] == [500, 2]
    assert "next_cursor" not in second
    assert stage.look("events") == []


def test_consent_is_asked_pair_by_pair(stage: Stage) -> None:
    stage.add()
    stage.add(external_userid=ZHAO)
    stage.act(CHEN, "agree", userid="zhangsan")
    ask = {"info": [{"userid": "zhangsan", "exteranalopenid": one} for one in (CHEN, ZHAO)]}
    path = "msgaudit/check_single_agree"

    def states() -> dict[str, str]:
        rows = stage.post(path, "archive", **ask)["agreeinfo"]
        return {row["exteranalopenid"]: row["agree_status"] for row in rows}

    assert states() == {CHEN: "Agree"}
    stage.act(CHEN, "refuse_archive", userid="zhangsan")
    stage.turn(unasked_consent="Default_Agree")
    assert states() == {CHEN: "Disagree", ZHAO: "Default_Agree"}
    assert stage.post(path, "archive", info=ask["info"] * 51)["errcode"] == 301060
    assert stage.events()[2:] == [("msg_audit_approved", "zhangsan")]


@pytest.mark.parametrize(
    ("where", "doors"),
    [("archive", ["archive"]), ("customer", ["customer"]), ("both", ["customer", "archive"])],
)
def test_the_door_of_the_approval_is_a_switch(stage: Stage, where: str, doors: list[str]) -> None:
    door = {"url": "http://127.0.0.1:9/", "token": "t", "aes_key": "x" * 42 + "A"}
    stage.reset({"customer": door, "archive": door}, audit_door=where)
    stage.add(silent=True)

    stage.act(CHEN, "agree", userid="zhangsan")

    assert [row["door"] for row in stage.look("events")] == doors


def test_a_remark_overwrites_and_calls_nobody(stage: Stage) -> None:
    stage.add(silent=True)
    who = {"userid": "zhangsan", "external_userid": CHEN}
    path = "externalcontact/remark"

    assert stage.post(path, **who, remark="陈女士", remark_mobiles=["138"])["errcode"] == 0
    assert stage.post(path, **who, remark_mobiles=[""])["errcode"] == 0
    row = stage.get("externalcontact/get", external_userid=CHEN)["follow_user"][0]
    assert (row["remark"], row["remark_mobiles"]) == ("陈女士", [])
    assert stage.post(path, **who)["errcode"] == 40063
    assert stage.post(path, **who, remark="长" * 21)["errcode"] == 40058
    assert stage.post(path, userid="lisi", external_userid=CHEN, remark="x")["errcode"] == 84061
    assert stage.events() == []
