"""The sandbox's answers have the shape of the platform's samples."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.endpoints import ENDPOINTS
from tests.sandbox.stage import AGENT_ID, Stage

FIXTURES = Path(__file__).parents[1] / "data" / "wecom" / "fixtures"
INDEX = json.loads((FIXTURES / "index.json").read_text())["constants"]
CHEN, ZHAO, PARTNER = INDEX["external"]
CHATS = INDEX["chats"]
# What a sample shows and an answer may lack.
OPTIONAL = {
    *("unionid", "state", "remark_corp_name", "wechat_channels", "name_en", "next_cursor"),
    *("position", "corp_name", "corp_full_name", "external_profile", "user", "party"),
}
NAMES = {
    "externalcontact/batch/get_by_user": "externalcontact.batch_get_by_user",
    "message/send": "message.send.text",
    "message/update_template_card": "message.update_template_card.button",
    "get_jsapi_ticket": "jsapi_ticket",
    "ticket/get": "jsapi_ticket",
}
QUERIES: dict[str, dict[str, Any]] = {
    "agent/get": {"agentid": AGENT_ID},
    "user/get": {"userid": "zhangsan"},
    "user/simplelist": {"department_id": 1},
    "externalcontact/list": {"userid": "zhangsan"},
    "externalcontact/get": {"external_userid": CHEN},
    "ticket/get": {"type": "agent_config"},
}
# The one needs no token, the other a code that somebody confirmed.
OTHERWISE = ("gettoken", "auth/getuserinfo")
KINDS = {
    "user/list_id": "contacts",
    "msgaudit/check_single_agree": "archive",
    "msgaudit/check_room_agree": "archive",
    "msgaudit/get_permit_user_list": "archive",
}


def fixture_name(path: str) -> str:
    for prefix in ("externalcontact/groupchat", "externalcontact/resigned"):
        if path.startswith(prefix):
            path = path.removeprefix("externalcontact/")
    return NAMES.get(path, path.replace("/", "."))


def load(name: str) -> Any:
    return json.loads((FIXTURES / "api" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def populated(stage: Stage) -> Stage:
    """The persons of the samples, with at least a row in every list."""
    code = stage.add("zhangsan", CHEN, state="poster_2026q4")
    stage.add("zhangsan", ZHAO)
    stage.add("wangwu", CHEN)
    stage.add("wangwu", ZHAO)
    stage.add("lisi", PARTNER, type=2)
    for chat_id, owner in zip(CHATS, ("zhangsan", "wangwu"), strict=True):
        stage.control("groups", owner=owner, members=[CHEN], chat_id=chat_id)
    stage.act(CHEN, "agree", userid="zhangsan")
    stage.control("staff/wangwu/leave")
    stage.control(f"welcome_codes/{code}/other_app", succeeds=False)
    stage.add("lisi", CHEN)
    return stage


def request_for(stage: Stage, path: str) -> dict[str, Any]:
    body: dict[str, Any] = load(f"{fixture_name(path)}.request")
    if "welcome_code" in body:
        body["welcome_code"] = stage.add("lisi", ZHAO)
    if "config_id" in body:
        sample = load("externalcontact.add_contact_way.multi.request") | {"party": [2]}
        made = stage.post("externalcontact/add_contact_way", **sample)
        body["config_id"] = made["config_id"]
    if "response_code" in body:
        card = load("message.send.template_card.button_interaction.request")
        body["response_code"] = stage.post("message/send", **card)["response_code"]
    if "start_time" in body:
        body["end_time"] = 2 * body["end_time"]
        stage.post(
            "externalcontact/add_contact_way", **load("externalcontact.add_contact_way.request")
        )
    return body


def merged(rows: list[Any]) -> Any:
    """Return one row that has every field that any row of a sample has."""
    if not all(isinstance(row, dict) for row in rows):
        return rows[0]
    together: dict[str, Any] = {}
    for row in rows:
        together |= row
    return together


def differences(ours: Any, sample: Any, place: str) -> list[str]:
    if type(ours) is not type(sample):
        return [f"{place}: {type(ours).__name__} for {type(sample).__name__}"]
    if isinstance(ours, list):
        if not sample:
            return []
        pairs = [(row, merged(sample)) for row in ours]
        return [one for a, b in pairs for one in differences(a, b, place + "[]")]
    if not isinstance(ours, dict):
        return []
    found = [f"{place}.{name} is not in the sample" for name in ours.keys() - sample.keys()]
    lacking = sample.keys() - ours.keys() - OPTIONAL
    found += [f"{place}.{name} is missing" for name in lacking]
    for name in ours.keys() & sample.keys():
        found += differences(ours[name], sample[name], f"{place}.{name}")
    return found


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if path not in OTHERWISE])
def test_an_answer_has_the_shape_of_the_sample(populated: Stage, path: str) -> None:
    kind = KINDS.get(path, "app")
    if ENDPOINTS[path].method == "GET":
        answer = populated.get(path, kind, **QUERIES.get(path, {}))
    else:
        answer = populated.post(path, kind, **request_for(populated, path))

    sample = load(f"{fixture_name(path)}.response")

    assert answer["errcode"] == 0, answer
    assert differences(answer, sample, path) == []


LISTS = {
    "externalcontact/list": "external_userid",
    "externalcontact/get_follow_user_list": "follow_user",
    "externalcontact/batch/get_by_user": "external_contact_list",
    "externalcontact/transfer_customer": "customer",
    "externalcontact/resigned/transfer_customer": "customer",
    "externalcontact/get_unassigned_list": "info",
    "externalcontact/groupchat/list": "group_chat_list",
    "externalcontact/groupchat/transfer": "failed_chat_list",
    "externalcontact/list_contact_way": "contact_way",
    "msgaudit/check_single_agree": "agreeinfo",
    "user/simplelist": "userlist",
    "user/list_id": "dept_user",
    "department/list": "department",
    "department/simplelist": "department_id",
}


@pytest.mark.parametrize(("path", "rows"), LISTS.items())
def test_the_compared_lists_are_not_empty(populated: Stage, path: str, rows: str) -> None:
    kind = KINDS.get(path, "app")
    if ENDPOINTS[path].method == "GET":
        answer = populated.get(path, kind, **QUERIES.get(path, {}))
    else:
        answer = populated.post(path, kind, **request_for(populated, path))

    assert answer[rows]


@pytest.mark.parametrize("resigned", [False, True])
def test_a_transfer_result_has_the_shape_of_the_sample(populated: Stage, resigned: bool) -> None:
    handover = "wangwu" if resigned else "zhangsan"
    assert populated.transfer(ZHAO, handover, "lisi", resigned) == 0
    path = "resigned/transfer_result" if resigned else "transfer_result"
    pair = {"handover_userid": handover, "takeover_userid": "lisi"}
    name = "resigned.transfer_result" if resigned else "externalcontact.transfer_result"

    answer = populated.post(f"externalcontact/{path}", **pair)

    assert len(answer["customer"]) == 1
    assert differences(answer, load(f"{name}.response"), path) == []


def test_a_customer_of_another_corporation_has_the_shape_of_the_sample(populated: Stage) -> None:
    answer = populated.get("externalcontact/get", external_userid=PARTNER)

    assert differences(answer, load("externalcontact.get.wecom_user.response"), "get") == []
    assert answer["external_contact"]["corp_full_name"]


def test_a_card_with_buttons_brings_a_response_code(populated: Stage) -> None:
    name = "message.send.template_card.button_interaction"

    answer = populated.post("message/send", **load(f"{name}.request"))

    assert differences(answer, load(f"{name}.response"), name) == []
    assert answer["response_code"]


@pytest.mark.parametrize(
    ("name", "scope", "who"),
    [
        ("auth.getuserinfo", "snsapi_base", {"sandbox_userid": "zhangsan"}),
        ("auth.getuserinfo.private", "snsapi_privateinfo", {"sandbox_userid": "zhangsan"}),
        ("auth.getuserinfo.non_member", "snsapi_base", {"sandbox_external_userid": CHEN}),
    ],
)
def test_who_logs_in_has_the_shape_of_the_sample(
    populated: Stage, name: str, scope: str, who: dict[str, str]
) -> None:
    code = populated.login(scope=scope, **who)

    answer = populated.get("auth/getuserinfo", code=code)

    assert answer["errcode"] == 0
    assert differences(answer, load(f"{name}.response"), name) == []


def test_a_refusal_has_the_shape_of_the_sample(stage: Stage) -> None:
    answer = stage.get("user/get", userid="nobody")
    sample = json.loads((FIXTURES / "errors" / "60111.json").read_text())

    assert differences(answer, sample, "60111") == []
    assert answer["errmsg"].endswith("devtool/query?e=60111")
