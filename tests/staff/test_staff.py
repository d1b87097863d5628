"""Members as WeCom shows them, and what managers set for them."""

from typing import Any, cast

import pytest

from bot import clock
from bot.audit.log import Who
from bot.handover import handovers, leavers
from bot.kegui import Kegui
from bot.models import Department, Handover, Staff
from bot.models.staff import LEFT
from bot.queue import Queue
from bot.staff import staff
from bot.vault import Vault
from bot.wecom import Refused, User
from config import settings
from tests.wecom.one_for_all import OneForAll

USERS = {
    "zhangsan": User("zhangsan", "张三", (2,), 2, (), None, 1),
    "lisi": User("lisi", "李四", (2,), 2, (2,), None, 1),
}


class FakeWeCom(OneForAll):
    """Knows two members, one of whom leads the department; userids in any case."""

    def contacts_user(self, userid: str) -> User:
        if userid.lower() not in USERS:
            raise Refused("user/get", 60111)
        return USERS[userid.lower()]

    def customers_follow_users(self) -> list[str]:
        return [user.userid.lower() for user in USERS.values()]


@pytest.fixture
def kegui(sqlite_url: str, store: str) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_CORP_ID": "ww1"})
    return Kegui(loaded, cast(Any, FakeWeCom()), Queue(sqlite_url), Vault("A" * 43 + "="))


def test_a_userid_in_other_letters_names_the_member_that_wecom_names(kegui: Kegui) -> None:
    today = clock.now().date()

    first, _ = handovers.open_offboarding(
        "ZhangSan", today, mode="approve", source="test", by=Who("test"), kegui=kegui
    )
    again, is_new = handovers.open_offboarding(
        "zhangsan", today, mode="approve", source="test", by=Who("test"), kegui=kegui
    )

    assert (first.userid, again.id, is_new) == ("zhangsan", first.id, False)
    assert [member.userid for member in Staff.select()] == ["zhangsan"]


def test_what_wecom_answers_in_other_letters_is_told_of_the_member_who_is_known(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(USERS, "zhangsan", User("zhangsan", "张三", (2,), 2, (), "LiSi", 1))
    Staff.create(userid="ZhangSan", name="张三", seen_at=clock.now())

    staff.look_again(["lisi", "ZhangSan"], kegui)

    read = Staff.select().where(Staff.serves).order_by(Staff.userid)
    shown = [(one.userid, one.direct_leader) for one in read]
    assert shown == [("ZhangSan", "lisi"), ("lisi", None)]
    assert not leavers.confirm("zhangsan", source="unsubscribe", kegui=kegui)


def test_a_leaver_whom_nobody_knew_is_one_member_and_one_case(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(USERS, "left", User("Left", "离职", (2,), 2, (), None, LEFT))

    assert leavers.confirm("left", source="unsubscribe", kegui=kegui)
    assert leavers.confirm("LEFT", source="unsubscribe", kegui=kegui)

    assert [member.userid for member in Staff.select()] == ["Left"]
    assert [case.userid for case in Handover.select()] == ["Left"]


def test_a_successor_whom_nobody_knew_takes_over_under_wecoms_name(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(USERS, "lisi", User("LiSi", "李四", (2,), 2, (2,), None, 1))

    case, _ = handovers.open_offboarding(
        "zhangsan",
        clock.now().date(),
        mode="approve",
        source="test",
        by=Who("test"),
        kegui=kegui,
        successors=["lisi", "LISI"],
    )

    assert case.successors == ["LiSi"]


@pytest.mark.parametrize(
    ("userid", "cases"), [("zhangsan", []), ("gone", ["gone"]), ("left", ["left"])]
)
def test_who_is_said_to_be_deleted_and_is_in_service_keeps_all_customers(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch, userid: str, cases: list[str]
) -> None:
    """The event came late: the account was made anew meanwhile."""
    monkeypatch.setitem(USERS, "left", User("left", "离职", (2,), 2, (), None, LEFT))

    leavers.confirm_deleted(userid, source="delete_user", kegui=kegui)

    assert [case.userid for case in Handover.select()] == cases


def test_a_member_whom_nobody_knows_is_not_made_up(kegui: Kegui) -> None:
    assert staff.find("nobody", kegui) is None
    assert Staff.select().count() == 0


def test_who_leads_is_known_also_where_departments_cannot_be_read(kegui: Kegui) -> None:
    staff.look_again(["zhangsan", "lisi", "lisi"], kegui)

    assert Department.get().leaders == ["lisi"]
    assert staff.manager_of("zhangsan") == "lisi"
    assert staff.manager_of("lisi") is None


def test_an_offboarded_member_takes_over_nobody_until_put_on_duty_again(kegui: Kegui) -> None:
    staff.look_again(["zhangsan"], kegui)
    handover, _ = handovers.open_offboarding(
        "zhangsan", clock.now().date(), mode="auto", source="test", by=Who("test"), kegui=kegui
    )
    Handover.update(state="done").where(Handover.id == handover.id).execute()
    assert [one.unfit for one in staff.candidates(kegui)] == ["leaving"]

    staff.set_terms("zhangsan", Who("test"), kegui, on_duty=True)

    assert [one.unfit for one in staff.candidates(kegui)] == [""]


def test_an_account_made_anew_is_a_member_again(kegui: Kegui) -> None:
    staff.look_again(["zhangsan"], kegui)
    handovers.begin_for_leaver("zhangsan", source="test", kegui=kegui)
    Handover.update(state="done").execute()

    staff.look_again(["zhangsan"], kegui)

    assert [one.unfit for one in staff.candidates(kegui)] == [""]
