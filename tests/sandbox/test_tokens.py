"""Tokens, what they open, and how requests are refused before anything is done."""

import pytest

from tests.sandbox.stage import CORP_ID, SECRETS, STAFF, Stage


def ask(stage: Stage, secret: str, corp_id: str = CORP_ID) -> dict[str, object]:
    query = {"corpid": corp_id, "corpsecret": secret}
    return dict(stage.client.get("/cgi-bin/gettoken", query_string=query).get_json())


def test_a_repeated_call_gives_the_same_token(stage: Stage) -> None:
    first, second = ask(stage, SECRETS["app"]), ask(stage, SECRETS["app"])

    assert first["access_token"] == second["access_token"]
    assert first["expires_in"] == 7200


def test_a_new_token_may_end_the_old_one(stage: Stage) -> None:
    stage.reset(same_token=False, new_token_ends_old=True)
    old = stage.token()

    new = ask(stage, SECRETS["app"])["access_token"]

    assert new != old
    assert stage.get("getcallbackip", access_token=old)["errcode"] == 40014
    assert stage.get("getcallbackip", access_token=new)["errcode"] == 0


def test_wrong_identities_have_their_codes(stage: Stage) -> None:
    get = stage.client.get

    assert ask(stage, "wrong")["errcode"] == 40001
    assert ask(stage, SECRETS["app"], "ww_other")["errcode"] == 40013
    assert get("/cgi-bin/gettoken").get_json()["errcode"] == 41002
    assert get("/cgi-bin/gettoken?corpid=x").get_json()["errcode"] == 41004


def test_five_wrong_secrets_ban_the_address_for_an_hour(stage: Stage) -> None:
    codes = [ask(stage, "wrong")["errcode"] for _ in range(6)]

    assert codes == [40001] * 5 + [45009]
    assert ask(stage, SECRETS["app"])["errcode"] == 45009
    stage.advance(3601)
    assert ask(stage, SECRETS["app"])["errcode"] == 0


def test_a_right_secret_ends_the_row_of_wrong_ones(stage: Stage) -> None:
    for _ in range(3):
        codes = [ask(stage, "wrong")["errcode"] for _ in range(4)]
        assert ask(stage, SECRETS["app"])["errcode"] == 0

    assert codes == [40001] * 4


def test_tokens_missing_unknown_expired_and_revoked_are_told_apart(stage: Stage) -> None:
    token = stage.token()
    stage.control("tokens/revoke", kind="contacts")

    assert stage.client.get("/cgi-bin/getcallbackip").get_json()["errcode"] == 41001
    assert stage.get("getcallbackip", access_token="unknown")["errcode"] == 40014
    assert stage.get("getcallbackip", access_token=token)["errcode"] == 0
    stage.advance(7201)
    assert stage.get("getcallbackip", access_token=token)["errcode"] == 42001
    token = stage.token()
    stage.control("tokens/revoke", kind="app")
    assert stage.get("getcallbackip", access_token=token)["errcode"] == 40014


@pytest.mark.parametrize(
    ("path", "kind", "errcode"),
    [
        ("externalcontact/get_follow_user_list", "contacts", 48002),
        ("externalcontact/get_follow_user_list", "archive", 48002),
        ("user/get", "contacts", 48009),
        ("user/get", "archive", 48002),
        ("department/simplelist", "contacts", 0),
        ("department/simplelist", "archive", 48002),
        ("getcallbackip", "archive", 0),
    ],
)
def test_each_kind_opens_only_its_own_doors(
    stage: Stage, path: str, kind: str, errcode: int
) -> None:
    assert stage.get(path, kind)["errcode"] == errcode


def test_only_the_contacts_secret_lists_ids_and_only_the_archive_secret_asks_for_consent(
    stage: Stage,
) -> None:
    pair = {"info": [{"userid": "zhangsan", "exteranalopenid": "wm"}]}

    assert stage.post("user/list_id", "app")["errcode"] == 48002
    assert stage.post("user/list_id", "contacts")["errcode"] == 0
    assert stage.post("msgaudit/check_single_agree", "app", **pair)["errcode"] == 48002
    assert stage.post("msgaudit/check_single_agree", "archive", **pair)["errcode"] == 0


def test_another_apps_agentid_is_refused(stage: Stage) -> None:
    body = {"touser": "zhangsan", "msgtype": "text", "text": {"content": "x"}}

    assert stage.post("message/send", agentid=1, **body)["errcode"] == 301002
    assert stage.post("message/send", **body)["errcode"] == 41011


PAIR = {"handover_userid": "zhangsan", "takeover_userid": "lisi"}


@pytest.mark.parametrize(
    ("external_userid", "errcode"),
    [("wm_chen", 40035), ([], 40035), (None, 41035), (["wm"] * 101, 40058), ([1], 40035)],
)
def test_lists_of_a_wrong_form_are_refused(
    stage: Stage, external_userid: object, errcode: int
) -> None:
    body = {**PAIR, "external_userid": external_userid}

    assert stage.post("externalcontact/transfer_customer", **body)["errcode"] == errcode


def test_a_hundred_customers_fit_in_one_call(stage: Stage) -> None:
    body = {**PAIR, "external_userid": ["wm"] * 100}

    assert stage.post("externalcontact/transfer_customer", **body)["errcode"] == 0


def test_missing_parameters_and_wrong_types_are_refused(stage: Stage) -> None:
    path = "externalcontact/groupchat/list"

    assert stage.post("externalcontact/transfer_result")["errcode"] == 40063
    assert stage.post(path)["errcode"] == 40063
    assert stage.post(path, limit="100")["errcode"] == 40058
    assert stage.post(path, limit=1001)["errcode"] == 40058
    assert stage.get("user/get")["errcode"] == 41009


def test_the_wrong_method_is_refused(stage: Stage) -> None:
    assert stage.get("externalcontact/transfer_customer")["errcode"] == 40058
    assert stage.post("externalcontact/get_follow_user_list")["errcode"] == 40058


def test_escaped_characters_are_refused_unless_switched_off(stage: Stage) -> None:
    path, body = "externalcontact/transfer_result", rb'{"handover_userid": "\u5f20"}'

    assert stage.post_raw(path, body)["errcode"] == 40033
    assert stage.post_raw(path, rb'{"handover_userid": "a\\u5f20"}')["errcode"] == 40063
    stage.turn(refuse_unicode_escapes=False)
    assert stage.post_raw(path, body)["errcode"] == 40063


def test_broken_json_is_refused_or_only_warned_about(stage: Stage) -> None:
    path = "externalcontact/get_unassigned_list"

    assert stage.post_raw(path, b"{")["errcode"] == 40058
    assert stage.post_raw(path, b"[]")["errcode"] == 40058
    stage.turn(malformed_json="warn")
    answer = stage.post_raw(path, b"{")
    assert answer["errcode"] == 0
    assert "wrong json format" in answer["errmsg"]


def test_above_the_limit_of_a_minute_everything_is_refused_for_sixty_seconds(
    stage: Stage,
) -> None:
    stage.turn(per_minute_for={"getcallbackip": 3})

    codes = [stage.get("getcallbackip")["errcode"] for _ in range(5)]

    assert codes == [0, 0, 0, 45009, 45009]
    assert stage.get("get_api_domain_ip")["errcode"] == 0
    stage.advance(61)
    assert stage.get("getcallbackip")["errcode"] == 0


def test_userids_differ_not_in_case(stage: Stage) -> None:
    stage.add("ZhangSan")

    assert stage.get("user/get", userid="ZHANGSAN")["userid"] == "zhangsan"
    assert stage.get("externalcontact/list", userid="zhangSan")["errcode"] == 0


def test_pages_end_with_an_empty_cursor_and_may_be_short_or_empty(stage: Stage) -> None:
    stage.turn(page_rows=1, empty_pages=True)
    found, sizes, cursor = [], [], ""
    while True:
        answer = stage.post("user/list_id", "contacts", cursor=cursor)
        sizes.append(len(answer["dept_user"]))
        found += [row["userid"] for row in answer["dept_user"]]
        cursor = answer["next_cursor"]
        if not cursor:
            break

    assert sizes == [0, 1, 1, 1]
    assert found == [one["userid"] for one in STAFF]
    assert stage.post("user/list_id", "contacts", cursor="x")["errcode"] == 50100


def test_a_switch_that_does_not_exist_is_refused(stage: Stage) -> None:
    refused = [{"no_such": 1}, {"audit_door": "window"}, {"same_token": "yes"}, {"per_minute": "1"}]

    for switches in refused:
        answer = stage.client.patch("/sandbox/switches", json=switches)
        assert answer.status_code == 400, switches


def test_the_contacts_secret_may_still_read_details(stage: Stage) -> None:
    stage.turn(contacts_reads_details=True)

    assert stage.get("user/get", "contacts", userid="lisi")["errcode"] == 0
