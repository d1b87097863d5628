"""What the console says of handovers and gaps is so: how far, what waits, and for whom."""

import re
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock
from bot.consent import gaps
from bot.models import Handover, HandoverItem, HandWork, Ownership, Relation
from bot.reason import Reason
from bot.rights import Role
from tests.console.conftest import MORNING, add_person, at, in_days, log_in, submit

pytestmark = pytest.mark.usefixtures("firm")
ALL_IS_WELL = "一切正常"


def text_of(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def only_items(*states: str, **values: Any) -> None:
    """Let the leaver's handover have just these items."""
    HandWork.delete().execute()
    for number, item in enumerate(HandoverItem.select().order_by(HandoverItem.id)):
        if number >= len(states):
            HandoverItem.update(handover=_other_case()).where(HandoverItem.id == item.id).execute()
        else:
            HandoverItem.update(state=states[number], **values).where(
                HandoverItem.id == item.id
            ).execute()


def _other_case() -> int:
    case, _ = Handover.get_or_create(
        userid="zhangsan",
        state="cancelled",
        defaults={
            **{"kind": "handover", "mode": "auto", "source": "test"},
            **{"created_at": MORNING, "updated_at": MORNING},
        },
    )
    return int(case.id)


def bar_of(page: str, says: str) -> float:
    """How much of the bar with these words is filled, in per cent."""
    [bar] = re.findall(rf'<svg class="bar"[^>]*aria-label="{says}">(.*?)</svg>', page, re.DOTALL)
    return sum(float(width) for width in re.findall(r' width="([0-9.]+)%"', bar))


@pytest.fixture
def hr(app: APIFlask) -> FlaskClient:
    client = app.test_client()
    add_person("heping", "何平", Role.HR, Role.STAFF)
    log_in(client, "heping")
    return client


# ------------------------------------------------------------ how far it is


@pytest.mark.parametrize(
    ("states", "settled", "filled"),
    [
        (("waiting", "submitted", "waiting"), 0, 0),
        (("done", "waiting", "planned"), 1, 33.3),
        (("done", "done", "failed"), 3, 100),
    ],
)
def test_a_bar_is_as_full_as_its_number_says(
    client: FlaskClient, states: tuple[str, ...], settled: int, filled: float
) -> None:
    only_items(*states)

    filled_now = [
        bar_of(text_of(client, path), f"已办结 {settled} / 3") for path in ("/", "/offboardings/1")
    ]

    assert filled_now == [pytest.approx(filled, abs=0.1)] * 2


def test_what_is_left_to_people_is_not_done(client: FlaskClient, hr: FlaskClient) -> None:
    HandoverItem.update(state="done").execute()
    Handover.update(state="done").execute()

    before = [text_of(hr, path) for path in ("/", "/offboardings", "/offboardings/1")]
    submit(client, "/offboardings/1/hand-work/1")
    after = [text_of(hr, path) for path in ("/", "/offboardings", "/offboardings/1")]

    assert (ALL_IS_WELL in before[0], "交接事项需要人工处理" in before[0]) == (False, True)
    assert ALL_IS_WELL in after[0]
    assert ["已完成" in page for page in before[1:]] == [False, False]
    assert ["待人工处理" in page for page in before[1:]] == [True, True]
    assert ["已完成" in page for page in after[1:]] == [True, True]
    assert bar_of(before[2], "已办结 4 / 4") < 100
    assert bar_of(after[2], "已办结 4 / 4") == pytest.approx(100, abs=0.1)


def test_what_the_leaver_still_has_is_not_done(client: FlaskClient, hr: FlaskClient) -> None:
    HandWork.delete().execute()
    HandoverItem.update(state="failed").where(HandoverItem.subject == "wm_zhao").execute()
    Ownership.create(external_userid="wm_zhao", userid="wangwu", since=at(0), reason=Reason("test"))
    Handover.update(state="done_with_exceptions").execute()

    home, case = text_of(hr, "/"), text_of(hr, "/offboardings/1")
    listed = text_of(hr, "/offboardings?kind=by_hand")
    Ownership.move("wm_zhao", "lihua", held_by="wangwu", at=clock.now(), reason=Reason("test"))

    assert "交接事项需要人工处理" in home
    assert "1 位客户或客户群没有交接出去，仍在该成员名下" in case
    assert ("待人工处理" in case, "已完成" in case) == (True, False)
    assert '"/offboardings/1"' in listed
    assert "已完成，有例外" in text_of(hr, "/offboardings/1")
    assert ALL_IS_WELL in text_of(hr, "/")


# ------------------------------------------------------------ nobody takes over


@pytest.mark.parametrize("state", ["awaiting_approval", "scheduled"])
def test_customers_without_a_successor_are_counted_with_what_to_do(
    client: FlaskClient, hr: FlaskClient, state: str
) -> None:
    only_items("planned", "planned", "planned", reason_code="no_successor_known")
    HandoverItem.update(takeover_userid=None).where(
        HandoverItem.subject.in_(["wm_zhao", "wm_1"])
    ).execute()
    Handover.update(state=state).where(Handover.id == 1).execute()

    for browser in (client, hr):
        home = text_of(browser, "/")
        assert re.search(r">2</span> <span[^>]*>客户或客户群没有可接替的成员", home)
        assert 'href="/offboardings?kind=without_successor"' in home
    listed = text_of(hr, "/offboardings?kind=without_successor")
    case = text_of(hr, "/offboardings/1")
    assert '"/offboardings/1"' in listed
    assert "需要人工处理 2" in listed
    assert "2 位客户或客户群没有可接替的成员" in case
    assert "修改接替成员" in case
    if state == "awaiting_approval":
        assert "没有可接替的成员，请先修改接替成员" in text_of(client, "/offboardings/1/approve")
    HandoverItem.update(takeover_userid="lihua").execute()
    assert "没有可接替的成员" not in text_of(hr, "/")
    assert "没有缺少接替成员的交接" in text_of(hr, "/offboardings?kind=without_successor")


# ------------------------------------------------------------ what WeCom does not take now


def test_a_case_says_what_it_waits_for_and_until_when(client: FlaskClient) -> None:
    only_items("planned", reason_code="named")
    until = clock.now() + timedelta(minutes=5)
    endpoint = "externalcontact/transfer_customer"
    waits = Reason("wecom_refused", {"endpoint": endpoint, "errcode": 48002})
    Handover.update(waits_until=until, **waits.columns("waits_for")).where(
        Handover.id == 1
    ).execute()

    case, listed = text_of(client, "/offboardings/1"), text_of(client, "/offboardings")

    assert "企业微信拒绝了接口 externalcontact/transfer_customer（错误码 48002）" in case
    assert f"{until + timedelta(hours=8):%H:%M:%S} 之后自动重试" in case
    assert "等待企业微信" in listed


# ------------------------------------------------------------ the last day


def register(client: FlaskClient, day: str, **more: Any) -> TestResponse:
    return submit(client, "/offboardings/new", userid="lihua", last_day=day, **more)


def test_a_past_last_day_is_asked_about_before_it_is_taken(client: FlaskClient) -> None:
    yesterday, before = str(in_days(-1)), str(in_days(-2))

    asked = register(client, yesterday)
    other = register(client, before, past=yesterday)
    taken = register(client, yesterday, past=yesterday)

    for page, day in ((asked, yesterday), (other, before)):
        assert page.status_code == 422
        assert f"最后工作日 {day} 已过" in page.get_data(as_text=True)
        assert f'name="past" value="{day}"' in page.get_data(as_text=True)
    case = Handover.get(Handover.userid == "lihua")
    assert taken.location == f"/offboardings/{case.id}"
    assert str(case.last_day) == yesterday


def test_a_day_that_is_changed_to_a_past_one_is_asked_about(client: FlaskClient) -> None:
    case = register(client, str(in_days(30))).location
    yesterday = str(in_days(-1))

    asked = submit(client, f"{case}/change", last_day=yesterday)
    stands = Handover.get(Handover.userid == "lihua").last_day
    submit(client, f"{case}/change", last_day=yesterday, past=yesterday)

    assert (asked.status_code, stands) == (422, in_days(30))
    assert "已过" in asked.get_data(as_text=True)
    assert str(Handover.get(Handover.userid == "lihua").last_day) == yesterday


@pytest.mark.parametrize("days", [-1, 0, 1, 30])
def test_every_page_names_the_same_beginning(client: FlaskClient, days: int) -> None:
    """Three days before the end of the last day, or at once."""
    Handover.update(state="awaiting_approval", last_day=in_days(days)).execute()
    asked = text_of(client, "/offboardings/1/approve")
    Handover.update(state="scheduled").execute()
    approved = text_of(client, "/offboardings/1")

    if days < 3:
        assert "同意后立即开始转接" in asked
        assert "这项交接已审批，即将开始" in approved
    else:
        assert "同意后立即开始转接" not in asked
        begins = f"{in_days(days - 2)} 00:00"
        assert f"{begins} 自动开始转接" in asked
        assert f"这项交接已审批，{begins} 自动开始" in approved


# ------------------------------------------------------------ who was never told


def never_told(number: int, source: str, userid: str = "zhangsan") -> None:
    for one in range(number):
        Relation.create(
            external_userid=f"wm_{source}_{one}",
            userid=userid,
            state="active",
            source=source,
            added_at=MORNING,
            noted_at=MORNING,
        )


def test_who_was_never_told_is_counted_beside_the_gaps(client: FlaskClient) -> None:
    before = text_of(client, "/gaps")
    never_told(3, "import")
    never_told(1, "repair")
    never_told(2, "transfer", "lihua")

    home, page = text_of(client, "/"), text_of(client, "/gaps")
    read = text_of(client, "/gaps/never-told?came_by=reading")
    handed_over = text_of(client, "/gaps/never-told?came_by=handover")

    assert "从未告知" not in before
    assert "另有 6 位从未告知" in home
    assert re.search(r">核对发现 4</a>", page)
    assert re.search(r">交接带来 2</a>", page)
    assert read.count('<td class="lead-cell">') == 4
    assert handed_over.count('<td class="lead-cell">') == 2
    Relation.update(state="ended").where(Relation.source == "import").execute()
    assert "另有 3 位从未告知" in text_of(client, "/")


def test_a_number_that_is_not_counted_to_its_end_says_so(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MOST_NEVER_TOLD", 2)
    monkeypatch.setattr("bot.console.consent.gaps.MOST_NEVER_TOLD", 2)
    monkeypatch.setattr("bot.console.reports.home.MOST_NEVER_TOLD", 2)
    never_told(3, "import")

    assert "另有 2+ 位从未告知" in text_of(client, "/")
    assert re.search(r">核对发现 2\+</a>", text_of(client, "/gaps"))


def test_a_member_sees_only_their_own_untold(app: APIFlask, client: FlaskClient) -> None:
    never_told(3, "import")
    never_told(2, "transfer", "lihua")
    lihua = app.test_client()
    log_in(lihua, "lihua")

    assert "另有 2 位从未告知" in text_of(lihua, "/")
    assert text_of(lihua, "/gaps/never-told").count('<td class="lead-cell">') == 0
