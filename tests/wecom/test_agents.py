"""The app and the archive's members as WeCom shows them; where our own address stands."""

import json

import pytest
import responses

from bot.wecom import OperatorNeeded
from bot.wecom.errors import classify
from tests.wecom.speaking import give_token, sample, speak, url

WORDS = (
    "not allow to access from your ip, hint: [1576065934_28_e0fae], from ip: 9.30.0.138, "
    "more info at https://open.work.weixin.qq.com/devtool/query?e=60020"
)


@pytest.fixture
def network() -> responses.RequestsMock:
    return responses.RequestsMock()


def test_the_app_with_its_visible_range(network: responses.RequestsMock) -> None:
    with network:
        give_token(network)
        network.get(url("agent/get"), json=sample("agent.get.response"))

        agent = speak().agents.get(1000005)

    assert (agent.visible_userids, agent.visible_departments) == (("zhangshan", "lisi"), (1,))
    assert not agent.is_disabled
    assert not agent.sees_nobody


def test_a_range_that_is_missing_in_the_answer_is_empty(network: responses.RequestsMock) -> None:
    with network:
        give_token(network)
        network.get(url("agent/get"), json={"errcode": 0, "errmsg": "ok", "close": 1})

        agent = speak().agents.get(1000005)

    assert agent.sees_nobody
    assert agent.is_disabled


def test_the_archives_members_with_the_archives_secret(network: responses.RequestsMock) -> None:
    with network:
        asked = give_token(network)
        answer = sample("msgaudit.get_permit_user_list.response")
        network.post(url("msgaudit/get_permit_user_list"), json=answer)

        members = speak(secrets={"archive": "secret-of-the-archive"}).archive.members()

    assert members == answer["ids"]
    assert asked.call_count == 1


def test_who_agreed_is_asked_in_wecoms_own_spelling(network: responses.RequestsMock) -> None:
    with network:
        give_token(network)
        answer = sample("msgaudit.check_single_agree.response")
        asked = network.post(url("msgaudit/check_single_agree"), json=answer)
        in_room = sample("msgaudit.check_room_agree.response")
        network.post(url("msgaudit/check_room_agree"), json=in_room)

        archive = speak(secrets={"archive": "secret-of-the-archive"}).archive
        pairs = archive.agreements([("zhangsan", "wm_1")])
        room = archive.agreements_in_room("wr_1")

    info = [{"userid": "zhangsan", "exteranalopenid": "wm_1"}]
    assert json.loads(asked.calls[0].request.body) == {"info": info}
    wanted = answer["agreeinfo"]
    assert [one.external_userid for one in pairs] == [one["exteranalopenid"] for one in wanted]
    assert [one.state for one in pairs] == [one["agree_status"] for one in wanted]
    assert pairs[0].since.timestamp() == wanted[0]["status_change_time"]
    assert {one.userid for one in room} == {""}


def test_a_token_is_asked_for_although_one_lives(network: responses.RequestsMock) -> None:
    with network:
        asked = give_token(network)
        wecom = speak()
        wecom.transport.renew_token("app")
        wecom.transport.renew_token("app")

    assert asked.call_count == 2


def test_our_address_is_kept_but_not_shown() -> None:
    error = classify("agent/get", 60020, WORDS)

    assert isinstance(error, OperatorNeeded)
    assert error.from_ip == "9.30.0.138"
    assert "9.30.0.138" not in str(error)
    assert classify("agent/get", 60020, "no address").from_ip == ""
