"""Each page shows what its reader came for."""

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock
from bot.console.pages import masked
from bot.inbox import archive
from bot.models import (
    Alarm,
    Conflict,
    Handover,
    HandWork,
    InboxArchive,
    InboxEvent,
    Notice,
    Ownership,
    Relation,
)
from bot.reason import Reason
from tests.console.conftest import add_event, add_notice, add_person, at, in_days, log_in

pytestmark = pytest.mark.usefixtures("firm")


def page(client: FlaskClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.get_data(as_text=True)


def test_home_shows_what_needs_somebody(client: FlaskClient) -> None:
    text = page(client, "/")

    assert "加入该应用的“企业可信IP”" in text
    assert "添加客户" in text
    assert "同意存档" in text
    assert "陈女士" in text
    assert "王五" in text
    assert "已办结 3 / 4" in text
    assert f"最后工作日 {in_days(30)}" in text


def test_home_names_what_must_be_done_and_by_whom(client: FlaskClient) -> None:
    add_event("transfer_fail", "lihua", 40, state="dead", error=Reason("bug", {"kind": "KeyError"}))
    add_event("transfer_fail", "lihua", 40, state="waiting")
    Handover.create(
        **{"kind": "offboarding", "userid": "lihua", "mode": "approve", "source": "api"},
        **{"state": "awaiting_approval", "created_at": at(7), "updated_at": at(7)},
    )

    text = page(client, "/")

    assert "有事项需要处理" in text
    for task in (
        "事件长时间没有处理，请检查任务处理进程（worker）是否在运行",
        "事件处理失败，请查明原因后重新处理",
        "离职继承等待审批",
        "归属冲突等待确定归属",
        "客户没有归属成员",
        "客户没有收到存档告知",
        "交接事项需要人工处理",
    ):
        assert task in text


def test_home_says_when_all_is_well(client: FlaskClient) -> None:
    Alarm.update(ended_at=at(50)).execute()
    Conflict.update(state="resolved", resolved_at=at(50)).execute()
    Notice.update(state="delivered").execute()
    Handover.update(state="done").execute()
    HandWork.update(done_at=at(50), done_by="boss").execute()
    Ownership.create(external_userid="wm_zhao", userid="lihua", since=at(50), reason=Reason(""))

    text = page(client, "/")

    assert "一切正常" in text
    assert "有事项需要处理" not in text


def test_home_shows_times_as_the_firm_reads_them(client: FlaskClient) -> None:
    assert "11-24 10:05:00" in page(client, "/")


@pytest.mark.parametrize("query", ["陈", "wm_chen", "张三", "zhangsan"])
def test_a_customer_is_found_by_name_id_or_owner(client: FlaskClient, query: str) -> None:
    text = page(client, f"/customers?q={query}")

    assert "陈女士" in text
    assert "赵先生" not in text


def test_customers_without_an_owner_can_be_listed(client: FlaskClient) -> None:
    text = page(client, "/customers?owner=none")

    assert "赵先生" in text
    assert "陈女士" not in text


def test_a_filter_keeps_the_search_and_begins_anew(client: FlaskClient) -> None:
    text = page(client, "/customers?q=wm&page=2")

    assert 'href="/customers?q=wm&amp;owner=none"' in text
    assert 'href="/customers?q=wm"' in text


def test_a_search_that_finds_nothing_says_so(client: FlaskClient) -> None:
    assert "没有找到客户" in page(client, "/customers?q=nobody%25")


def test_a_customers_story_tells_who_and_why(client: FlaskClient) -> None:
    text = page(client, "/customers/wm_chen")

    assert "客户添加的成员符合规则" in text
    assert "成员添加的客户归添加人" in text
    assert "即将离职" in text
    assert "客户与成员已经开始聊天" in text
    assert "发生归属冲突" in text
    assert "应用消息" in text
    assert text.index("存档告知") < text.index("发生归属冲突")


def test_a_story_shows_the_answer_about_archiving_for_each_member(client: FlaskClient) -> None:
    contacts = page(client, "/customers/wm_chen").split("经过")[0]

    assert contacts.index("张三") < contacts.index("同意存档") < contacts.index("尚未答复")


def test_a_story_shows_the_handover_with_its_attempts(client: FlaskClient) -> None:
    text = page(client, "/customers/wm_zhao")

    assert "离职继承" in text
    assert "已尝试 1 次" in text
    assert "2026-11-24 10:10" in text


def test_whoever_got_a_customer_by_a_handover_got_it_by_a_link(client: FlaskClient) -> None:
    reason = Reason("moved_by_offboarding", {"handover": 1})
    Ownership.create(external_userid="wm_zhao", userid="lihua", since=at(9), reason=reason, item=1)

    facts, _heading, story = page(client, "/customers/wm_zhao").partition("经过")

    for text in (facts, story):
        assert '<a href="/offboardings/1">1 号离职继承</a>' in text


def test_a_notice_that_failed_is_no_trouble_where_another_arrived(client: FlaskClient) -> None:
    """A member who is added again gets a second code, which a chat has made worthless."""
    again = add_event("add_external_contact", "zhangsan", 6)
    add_notice(again, "refused", errcode=41051, reason=Reason("wecom_refused", {"errcode": 41051}))
    told = page(client, "/customers/wm_chen")
    Relation.update(noted_at=at(5.5)).where(Relation.userid == "zhangsan").execute()

    anew = page(client, "/customers/wm_chen")

    assert (told.count("无需补发"), anew.count("无需补发")) == (1, 0)
    assert (told.count("step-bad"), anew.count("step-bad")) == (1, 2)


def test_the_list_of_handovers_shows_progress(client: FlaskClient) -> None:
    text = page(client, "/offboardings")

    assert "王五" in text
    assert "交接中" in text
    assert "已办结 3 / 4" in text


def test_the_list_of_handovers_shows_what_people_must_do(client: FlaskClient) -> None:
    Handover.update(state="done").execute()

    assert "需要人工处理 1" in page(client, "/offboardings")


def test_a_system_that_approved_is_called_a_system(client: FlaskClient) -> None:
    Handover.update(approved_by="api:人事").execute()

    text = page(client, "/offboardings/1")

    assert "系统“人事”" in text
    assert "api:" not in text


def test_managers_handovers_stand_apart(client: FlaskClient) -> None:
    assert "没有交接" in page(client, "/offboardings?kind=handover")


def test_a_case_shows_every_customer_with_the_reason(client: FlaskClient) -> None:
    text = page(client, "/offboardings/1")

    assert "需主管审批" in text
    assert "企业微信待分配客户列表" in text
    assert "同部门，客户最少" in text
    assert "客户拒绝由 李华 接替" in text
    assert "错误码 40096" in text
    assert "联系我“官网”不是由客规创建" in text


def test_a_case_can_show_one_state_alone(client: FlaskClient) -> None:
    text = page(client, "/offboardings/1?state=refused")

    assert "客户拒绝由 李华 接替" in text
    assert "同部门，客户最少" not in text


def test_conflicts_show_the_owner_and_the_other(client: FlaskClient) -> None:
    text = page(client, "/conflicts")

    assert text.index("陈女士") < text.index("张三") < text.index("李华")
    assert "没有已处理的归属冲突" in page(client, "/conflicts?state=resolved")


def test_gaps_say_why_nobody_was_told(client: FlaskClient) -> None:
    text = page(client, "/gaps")

    assert "客户与成员已经开始聊天" in text
    assert "李华" in text
    assert "张三" not in text


def test_alarms_say_what_to_do(client: FlaskClient) -> None:
    assert "加入该应用的“企业可信IP”" in page(client, "/alarms")


def test_events_show_their_error_and_never_their_payload(client: FlaskClient) -> None:
    add_event("transfer_fail", "lihua", 40, state="dead", error=Reason("bug", {"kind": "KeyError"}))

    text = page(client, "/events?state=dead")

    assert "客户接替失败" in text
    assert "KeyError" in text
    assert "添加客户" not in text
    assert "SEALED" not in text


def test_an_unknown_event_keeps_wecoms_own_name(client: FlaskClient) -> None:
    add_event("", "lihua", 40, event="brand_new_event", state="ignored")

    assert "brand_new_event" in page(client, "/events")


def test_an_archived_event_stays_on_every_page_that_showed_it(client: FlaskClient) -> None:
    paths = ("/", "/events", "/events?state=done", "/customers/wm_chen")
    add_event("transfer_fail", "lihua", 40, event="brand_new_event", finished_at=at(41))
    add_event("", "lihua", 50)
    before = [page(client, path).count("brand_new_event") for path in paths]

    assert sum(archive.move_settled(clock.now())) == 1

    assert InboxArchive.get().event == "brand_new_event"
    assert [page(client, path).count("brand_new_event") for path in paths] == before
    assert min(before) > 0


def test_the_list_of_events_ends_after_its_latest(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.console.inbox.events.MOST_EVENTS", 60)
    InboxEvent.delete().execute()
    for number in range(60):
        add_event(f"change_{number}", "lihua", number)
    assert "共 60 条" in page(client, "/events?page=2")

    add_event("change_60", "lihua", 60)
    last = page(client, "/events?page=9")

    assert "仅列出最近 60 条" in last
    assert "page=1" in last
    assert "page=3" not in last
    assert "change_1<" in last
    assert "change_0<" not in last


def test_home_leads_nobody_to_alarms_that_they_may_not_see(app: APIFlask) -> None:
    add_person("ma", "马经理", leads=1)
    manager = app.test_client()
    log_in(manager, "ma")

    text = manager.get("/").get_data(as_text=True)

    assert 'href="/alarms"' not in text
    assert "60020" not in text


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [("wmAbcdefghijklmnopqrstuvwxyz1234", "wmAbc…"), ("wm_25", "wm…"), ("x", "…"), ("", "…")],
)
def test_of_an_id_that_one_may_not_know_never_more_than_half_is_shown(
    identifier: str, shown: str
) -> None:
    assert masked(identifier) == shown
