"""运行: what an operator reads there, in either language, and what it costs to ask."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock
from bot.capabilities import JOBS, WORDS
from bot.db import database as current
from bot.models import EndpointPause, InboxEvent, JobRun, Lease, SyncCount, SyncRun
from bot.queue import Lane, Queue
from bot.reason import NO_REASON, Reason
from bot.reports import home
from bot.sync import findings, rules
from tests.console.conftest import MORNING, add_event, add_troubles, set_queue

pytestmark = pytest.mark.usefixtures("database")


def page(client: FlaskClient, language: str = "zh") -> str:
    response = client.get("/operation", query_string={"lang": language})
    assert response.status_code == 200
    return response.get_data(as_text=True)


def words_of(text: str) -> str:
    """What stands on the page, without commands and names of endpoints."""
    body = re.sub(r"<code.*?</code>", "", text.split("<main")[1])
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body.partition(">")[2]))


def refusal(endpoint: str, errcode: int) -> Reason:
    return Reason("wecom_refused", {"endpoint": endpoint, "errcode": errcode})


def begin_job(name: str, *, ago: timedelta, error: Reason = NO_REASON, ended: bool = True) -> None:
    now = clock.now()
    finished_at = now - ago if ended else None
    JobRun.create(job=name, struck_at=now - ago, finished_at=finished_at, error=error)


def lead() -> None:
    Lease.create(name="clock", holder="f00d", until=clock.now() + timedelta(minutes=5))


def pause(endpoint: str, errcode: int | None, minutes: float = 4) -> None:
    EndpointPause.create(
        name=f"app {endpoint}",
        secret_name="app",
        endpoint=endpoint,
        until=clock.now() + timedelta(minutes=minutes),
        reason="api unauthorized",
        errcode=errcode,
        since=MORNING,
    )


def test_a_house_in_which_no_job_ever_ran_is_neither_well_nor_in_trouble(
    client: FlaskClient,
) -> None:
    text = page(client)

    assert "尚未开始运行" in text
    assert "一切正常" not in text
    assert "需要运维人员处理" not in text


def test_a_house_at_work_is_well(client: FlaskClient) -> None:
    begin_job("notices.send_digests", ago=timedelta(seconds=5))
    lead()
    pause("message/send", None)

    text = page(client)

    assert "一切正常" in text
    assert "暂停的接口会自动恢复" in text
    assert "定时任务进程正常" in text


def test_a_dead_event_is_told_with_its_cause_and_how_to_replay_it(client: FlaskClient) -> None:
    row = add_event("transfer_fail", "lihua", 0, state="dead", error=refusal("remark", 84061))

    text = page(client)

    assert "1 个事件处理失败，请查明原因后重新处理" in text
    assert "客户接替失败" in text
    assert "企业微信拒绝了接口 remark（错误码 84061）" in text
    assert 'href="/events?state=dead"' in text
    assert f'href="/events/{row.id}"' in text


def test_a_pause_that_waits_for_an_operator_says_what_to_do_and_how_to_lift_it(
    client: FlaskClient,
) -> None:
    pause("externalcontact/get", 48002)

    text = page(client)

    assert "接口 externalcontact/get 已暂停调用，需要运维人员处理" in text
    assert "该应用没有调用此接口的权限" in text
    assert "错误码</span> 48002" in text or "错误码 48002" in text
    assert "请在企业微信后台检查该应用的接口权限" in text
    assert 'name="name" value="app externalcontact/get"' in text
    assert "解除暂停" in text
    assert "封禁" not in text


def test_nobody_is_led_to_try_a_wrong_secret_again(client: FlaskClient) -> None:
    pause("gettoken", 40001)

    assert "改正之前请勿解除" in page(client)


def test_a_pause_that_ends_by_itself_asks_nothing_of_anybody(client: FlaskClient) -> None:
    pause("message/send", 45009)

    text = page(client)

    assert "调用次数超过企业微信的限制" in text
    assert "无需处理" in text
    assert "解除暂停" not in text
    assert "需要运维人员处理" not in text


def test_a_pause_whose_time_is_over_waits_for_a_call_that_goes_well(client: FlaskClient) -> None:
    pause("message/send", 48002, minutes=-1)
    pause("externalcontact/remark", 48002, minutes=-16)

    text = page(client)

    assert "下一次调用成功后即恢复" in text
    assert "需要运维人员处理" not in text
    assert "externalcontact/remark" not in text


def test_a_code_without_words_of_its_own_is_a_refusal(client: FlaskClient) -> None:
    pause("message/send", 40201)

    text = page(client)

    assert "企业微信拒绝了调用" in text
    assert "企业微信判定内容有风险，请检查发送内容" in text


def job_line(text: str, name: str) -> str:
    """The words about one job."""
    line = text.split(f'title="{name}"')[1].split('<div class="line">')[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", line))


def test_jobs_say_when_they_were_begun_how_they_ended_and_when_they_come_next(
    client: FlaskClient,
) -> None:
    lead()
    begin_job("readings.unassigned", ago=timedelta(), error=refusal("get_unassigned_list", 48002))
    begin_job("handovers.wake_pending", ago=timedelta(seconds=5), ended=False)
    begin_job("readings.go_on", ago=timedelta(hours=2), ended=False)

    text = page(client)

    failed = job_line(text, "readings.unassigned")
    assert "每 1 小时" in failed
    assert "失败，下次再试" in failed
    assert "企业微信拒绝了接口 get_unassigned_list（错误码 48002）" in failed
    begun, due = re.findall(r"\d\d:\d\d:\d\d|\d\d-\d\d \d\d:\d\d", failed)
    assert begun != due
    assert "正在运行" in job_line(text, "handovers.wake_pending")
    assert "没有结束" in job_line(text, "readings.go_on")
    assert "即将开始" in job_line(text, "readings.go_on")
    assert re.search(r"每天 02:10 · 下次 .*尚未运行", job_line(text, "readings.everything"))


def test_without_a_clock_nothing_comes_next_and_an_operator_is_needed(client: FlaskClient) -> None:
    begin_job("notices.send_digests", ago=timedelta(minutes=3), ended=False)

    text = page(client)

    assert "定时任务进程（clock）没有运行，定时任务已停止 3 分钟" in text
    assert "没有结束" in job_line(text, "notices.send_digests")
    assert "下次" not in job_line(text, "readings.everything")


def test_a_worker_that_stands_still_is_seen_in_its_lane(client: FlaskClient) -> None:
    due_at = clock.now() - timedelta(minutes=3)
    add_event("x", "lihua", 0, lane="welcome", state="waiting", due_at=due_at)

    text = page(client)

    assert "告知通道：有事件已等待 3 分钟，请检查任务处理进程（worker）是否在运行" in text
    assert "处理通道：有事件" not in text


def test_a_queue_that_is_away_is_told(app: APIFlask, client: FlaskClient) -> None:
    set_queue(app, Queue("redis://:pass-word@127.0.0.1:1/0"))

    text = page(client)

    assert "无法连接任务队列" in text
    assert "pass-word" not in text


def test_wake_ups_are_counted(client: FlaskClient, database: str) -> None:
    queue = Queue(database)
    queue.wake(Lane.WORK, "event:1")
    queue.close()

    assert re.search(r'data-label="待领取任务">1</td>', page(client))


def test_the_last_readings_say_what_differed_and_what_a_person_must_do(
    client: FlaskClient,
) -> None:
    for run, kind, hours in (("a1", "repair", 30), ("b2", "repair", 6), ("c3", "unassigned", 1)):
        began = clock.now() - timedelta(hours=hours)
        SyncRun.create(run=run, kind=kind, started_at=began, finished_at=began, members=int(hours))
    SyncCount.create(run="a1", kind="name_changed", outcome="healed", number=5)
    SyncCount.create(run="b2", kind="relation_unknown", outcome="healed", number=7)
    SyncCount.create(run="b2", kind="group_not_readable", outcome="person", number=1)

    words = words_of(page(client)).split("最近一次核对")[1]

    assert "成员 6" in words
    assert "未记录的联系 7 —" in words
    assert "请检查该客户群的群主是否在应用可见范围内 — 1" in words
    assert "客户改名" not in words
    assert "待分配客户列表 已完成" in words
    assert "没有差异" in words


def test_a_reading_that_stopped_is_under_way_only_while_somebody_reads(
    client: FlaskClient,
) -> None:
    SyncRun.create(run="a1", kind="repair", started_at=clock.now())
    stopped = page(client)
    Lease.create(name="sync", holder="f00d", until=clock.now() + timedelta(minutes=1))

    assert "已中断，将继续" in stopped
    assert "正在读取" in page(client)


@pytest.mark.usefixtures("firm")
def test_with_every_trouble_the_page_speaks_the_readers_language_only(
    client: FlaskClient,
) -> None:
    add_troubles()

    chinese, english = words_of(page(client)), words_of(page(client, "en"))

    assert set(re.findall(r"[A-Za-z_]{3,}", chinese.split("事件处理")[1])) <= {
        *("clock", "Secret", "KEGUI_CORP_ID", "KeyError", "remark", "Asia", "Shanghai", "English"),
        *("externalcontact", "get_unassigned_list"),
    }
    assert re.findall("[\u4e00-\u9fff]+", english) == []
    assert len(english) > 1500


def test_every_job_of_the_schedule_has_a_name() -> None:
    titles = {str(job.title) for job in JOBS}

    assert len(titles) == len({job.name for job in JOBS}) == len(JOBS)
    assert all(re.search("[\u4e00-\u9fff]", title) for title in titles)


def test_every_difference_has_a_name_and_every_advice_an_english_one(client: FlaskClient) -> None:
    kinds = {
        value
        for name, value in vars(rules).items()
        if name.isupper() and isinstance(value, str) and value not in ("active", "half", "ended")
    } - {rules.DELETED_BY_CUSTOMER}
    SyncRun.create(run="a1", kind="repair", started_at=MORNING, finished_at=MORNING)
    for kind in findings.WHAT_TO_DO:
        SyncCount.create(run="a1", kind=kind, outcome="person", number=1)

    assert kinds == set(WORDS["difference"])
    assert re.findall("[\u4e00-\u9fff]+", words_of(page(client, "en"))) == []


def steps_of(ask: Callable[[], object]) -> int:
    """How much SQLite works for an answer, in hundreds of its instructions."""
    connection: Any = current.obj.connection()
    taken = []
    connection.set_progress_handler(lambda: taken.append(1), 100)
    try:
        assert ask()
    finally:
        connection.set_progress_handler(None, 0)
    return len(taken)


def test_years_of_settled_events_cost_a_page_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "MOST_COUNTED", 50)
    asked: list[Callable[[], object]] = [
        lambda: page(client),
        lambda: client.get("/").get_data(),
        home.inbox_by_state,
    ]
    add_settled(0, 200)
    few = [steps_of(ask) for ask in asked]

    add_settled(200, 6000)

    # Reading 5,800 rows would take fifty steps and more.
    for ask, steps in zip(asked, few, strict=True):
        assert steps_of(ask) <= steps + 10


def add_settled(first: int, last: int) -> None:
    columns = {
        **{"source": "customer", "event": "x", "change_type": "", "lane": "work"},
        **{"payload": b"", "state": "done", "received_at": MORNING, "due_at": MORNING},
    }
    for start in range(first, last, 50):
        rows = [{"key": str(number), **columns} for number in range(start, start + 50)]
        InboxEvent.insert_many(rows).execute()


def test_home_counts_the_events_of_today_and_no_more_than_it_can_quickly(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "MOST_COUNTED", 3)
    add_event("x", "lihua", 0)
    for number in range(2):
        add_event("x", "lihua", number, received_at=clock.now())
    two = client.get("/").get_data(as_text=True)
    for number in range(2):
        add_event("x", "lihua", number, received_at=clock.now())

    assert re.search(r'tile-number">2</span><span class="tile-text">今天收到的事件', two)
    assert 'tile-number">3+</span>' in client.get("/").get_data(as_text=True)
