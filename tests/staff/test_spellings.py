"""Readings whose answers have userids in other letters than ours: nobody becomes two people."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock, events
from bot.capabilities import CAPABILITIES
from bot.handover.contact_ways import replace_leaver
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import (
    Allocation,
    ContactWay,
    Department,
    Handover,
    HandWork,
    Notice,
    Ownership,
    Relation,
    Staff,
)
from bot.models.sync_run import REPAIR
from bot.queue import Lane, Queue
from bot.sync import sync_contact_ways, sync_staff
from bot.sync.reading import Reading, resume_or_begin
from bot.vault import Vault
from bot.wecom import ContactWayDetail, CustomerDetail, FollowUser, Member, User
from bot.wecom import Department as ListedDepartment
from bot.worker import Worker
from config import settings
from handlers import router
from tests.wecom.one_for_all import OneForAll

MADE: dict[str, Any] = {
    "qr_code": "https://x",
    "state": "",
    "remark": "",
    "channel": "",
    "created_at": clock.now(),
    "updated_at": clock.now(),
}


@dataclass
class WeComInCapitals(OneForAll):
    """Answers with every userid in capitals."""

    calls: list[tuple[str, ...]] = field(default_factory=list)

    def contacts_departments(self) -> list[ListedDepartment]:
        return [ListedDepartment(1, "总部", 0, ("ZHANGSAN",))]

    def contacts_members_of(self, _number: int) -> list[Member]:
        return [Member("ZHANGSAN", "张三", (1,)), Member("LISI", "李四", (1,))]

    def contacts_user(self, userid: str) -> User:
        self.calls.append(("user", userid))
        return User(userid.upper(), "张三", (1,), 1, (1,), "LISI", 1)

    def customers_follow_users(self) -> list[str]:
        return ["ZHANGSAN", "LISI"]

    def contact_ways_get(self, config_id: str) -> ContactWayDetail:
        return ContactWayDetail(config_id, 2, 2, "", "", ("ZHANGSAN", "LISI"), "")

    def contact_ways_ids(self) -> list[str]:
        return ["ours", "foreign"]

    def contact_ways_update(self, config_id: str, userids: list[str], **_: Any) -> None:
        self.calls.append(("update_contact_way", config_id, *userids))

    def customers_get(self, external_userid: str) -> CustomerDetail:
        contact = FollowUser("ZHANGSAN", "", clock.now(), "", 1, "")
        return CustomerDetail(external_userid, "陈女士", 1, (contact,))

    def customers_send_welcome(self, *_: Any) -> None:
        self.calls.append(("send_welcome_msg",))


@pytest.fixture
def wecom() -> WeComInCapitals:
    return WeComInCapitals()


@pytest.fixture
def kegui(store: str, wecom: WeComInCapitals, tmp_path: Path) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_CORP_ID": "ww1"})
    queue = Queue(f"sqlite:///{tmp_path / 'queue.db'}")
    return Kegui(loaded, cast(Any, wecom), queue, Vault("A" * 43 + "="))


@pytest.fixture
def members(store: str) -> None:
    for userid, name in (("zhangsan", "张三"), ("lisi", "李四")):
        Staff.create(userid=userid, name=name, departments=[1], serves=True, seen_at=clock.now())


@pytest.mark.usefixtures("members")
def test_a_reading_finds_nobody_new_and_leaders_and_codes_of_ours(kegui: Kegui) -> None:
    way = ContactWay.create(config_id="ours", userids=["zhangsan", "lisi"], **MADE)
    reading = Reading(resume_or_begin(REPAIR), kegui)

    read = sync_staff.read_departments(reading)
    sync_staff.read_member(reading, "zhangsan", read)
    sync_contact_ways.read_all(reading)

    shown = Staff.select().order_by(Staff.userid)
    assert [(one.userid, one.direct_leader) for one in shown] == [
        ("lisi", None),
        ("zhangsan", "lisi"),
    ]
    assert Department.get_by_id(1).leaders == ["zhangsan"]
    assert ContactWay.get_by_id(way.id).userids == ["zhangsan", "lisi"]


@pytest.mark.usefixtures("members")
def test_a_leaver_is_taken_out_of_codes_and_named_where_a_person_must(
    kegui: Kegui, wecom: WeComInCapitals
) -> None:
    ContactWay.create(config_id="ours", userids=["zhangsan", "lisi"], **MADE)
    now = clock.now()
    leave = {"kind": "offboarding", "mode": "auto", "source": "test"}
    handover = Handover.create(userid="zhangsan", created_at=now, updated_at=now, **leave)

    replace_leaver(handover, kegui)

    assert ("update_contact_way", "ours", "lisi") in wecom.calls
    assert [row.subject for row in HandWork.select()] == ["foreign"]


def test_a_member_whom_nobody_knew_has_one_name_from_the_first_customer_on(
    kegui: Kegui, wecom: WeComInCapitals
) -> None:
    """The welcome waits for no reading; what it left is found under the name that WeCom gives."""
    body = (
        "<xml><Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>"
        f"<CreateTime>{clock.now().timestamp():.0f}</CreateTime><UserID>zhangsan</UserID>"
        "<ExternalUserID>wm_chen</ExternalUserID><WelcomeCode>code</WelcomeCode></xml>"
    ).encode()
    event = events.parse(body)
    event_id = inbox.put("customer", event, body, vault=kegui.vault, now=clock.now())
    assert event_id is not None
    worker = Worker(kegui, router, CAPABILITIES)

    worker.answer(event_id, Lane.WELCOME)
    assert wecom.calls == [("send_welcome_msg",)]
    worker.answer(event_id, Lane.WORK)

    owner = Ownership.current("wm_chen")
    assert owner is not None
    named = {
        *(row.userid for row in (*Staff.select(), *Relation.select(), *Notice.select())),
        *(row.added_userid for row in Allocation.select()),
        owner.userid,
    }
    assert named == {"ZHANGSAN"}
    assert Relation.select().count() == 1
