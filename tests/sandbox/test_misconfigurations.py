"""What an administrator set wrongly is answered as the platform answers it."""

import pytest

from bot.sandbox.remote import Remote
from bot.wecom.probe import probe
from tests.sandbox.stage import AGENT_ID, Stage

FOLLOW = "externalcontact/get_follow_user_list"


def test_an_untrusted_address_is_named(stage: Stage) -> None:
    stage.control("apps/app", "PATCH", trusted_ips=["203.0.113.7"])

    answer = stage.get(FOLLOW)

    assert answer["errcode"] == 60020
    assert "from ip: 127.0.0.1, more info at" in answer["errmsg"]
    assert stage.get("department/simplelist", "contacts")["errcode"] == 0


def test_what_is_forbidden_is_48002_and_nothing_else(stage: Stage) -> None:
    stage.control("apps/app", "PATCH", forbidden=["externalcontact/groupchat/*"])

    assert stage.post("externalcontact/groupchat/list", limit=10)["errcode"] == 48002
    assert stage.get(FOLLOW)["errcode"] == 0


def test_a_disabled_app_gets_no_token_and_its_old_one_ends(stage: Stage) -> None:
    stage.token()
    stage.control("apps/app", "PATCH", enabled=False)

    assert stage.get(FOLLOW)["errcode"] == 50003


def test_an_app_reads_only_itself(stage: Stage) -> None:
    assert stage.get("agent/get", agentid=AGENT_ID)["allow_partys"] == {"partyid": [1]}
    assert stage.get("agent/get", agentid=AGENT_ID + 1)["errcode"] == 301002


def test_a_part_of_the_members_is_the_visible_range(stage: Stage) -> None:
    stage.control("staff/lisi", "PATCH", visible=False)

    answer = stage.get("agent/get", agentid=AGENT_ID)

    shown = [one["userid"] for one in answer["allow_userinfos"]["user"]]
    assert (shown, answer["allow_partys"]) == (["zhangsan", "wangwu"], {"partyid": []})


def test_an_empty_visible_range_shows_nothing(stage: Stage) -> None:
    for userid in ("zhangsan", "lisi", "wangwu"):
        stage.control(f"staff/{userid}", "PATCH", visible=False)

    answer = stage.get("agent/get", agentid=AGENT_ID)

    assert (answer["allow_userinfos"], answer["allow_partys"]) == ({"user": []}, {"partyid": []})
    assert stage.get("department/list")["department"] == []
    assert stage.get(FOLLOW)["follow_user"] == []


@pytest.mark.parametrize(("service", "errcode"), [("off", 301053), ("expired", 301052), ("on", 0)])
def test_an_archive_that_is_not_there(stage: Stage, service: str, errcode: int) -> None:
    stage.turn(archive_service=service)

    assert stage.post("msgaudit/get_permit_user_list", "archive")["errcode"] == errcode


def test_an_unknown_field_of_an_app_is_a_mistake(stage: Stage) -> None:
    answer = stage.client.patch("/sandbox/apps/app", json={"colour": "red"})

    assert answer.status_code == 400


def test_the_platforms_date_can_be_off(sandbox_url: str) -> None:
    remote = Remote(sandbox_url)
    remote.post("/sandbox/reset", corp_id="ww1", switches={"date_offset_seconds": -3600})
    behind = probe(f"{sandbox_url}/").clock_offset
    remote.post("/sandbox/reset", corp_id="ww1")
    right = probe(f"{sandbox_url}/").clock_offset

    assert behind is not None
    assert right is not None
    assert abs(behind + 3600) < 5
    assert abs(right) < 5
