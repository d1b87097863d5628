"""Events in another order than things happened, and answers that lag behind them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock, db, events
from bot.capabilities import CAPABILITIES
from bot.handover import group_transfers, transfers
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import (
    GroupChat,
    Handover,
    HandoverItem,
    InboxEvent,
    Ownership,
    Relation,
    Staff,
    TransferAttempt,
)
from bot.models.inbox_event import DONE, WAITING
from bot.queue import Lane, Queue
from bot.vault import Vault
from bot.wecom import CustomerDetail, FollowUser, Group, MessageResult, Refused, User
from bot.worker import Worker
from config import settings
from handlers import router
from tests.test_events import xml
from tests.wecom.one_for_all import OneForAll

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
FAMILY, GROUPS = "change_external_contact", "change_external_chat"
ENDS = [("del_follow_user", "deleted_by_customer"), ("del_external_contact", "deleted_by_member")]


@dataclass
class Time:
    now: datetime = NOW

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class WeCom(OneForAll):
    """Shows the members here, and the ``shown_groups`` of a test: answers, or what makes them."""

    here: list[str] = field(default_factory=lambda: ["zhangsan", "lisi"])
    shown_groups: list[Group | Refused | Callable[[], Group]] = field(default_factory=list)

    def contacts_user(self, userid: str) -> User:
        if userid not in self.here:
            raise Refused("user/get", 60111)
        return User(userid, userid, (2,), 2, (), None, 1)

    def customers_follow_users(self) -> list[str]:
        return self.here

    def customers_get(self, external_userid: str) -> CustomerDetail:
        contact = FollowUser("zhangsan", "", NOW, "", 1, "")
        return CustomerDetail(external_userid, "陈女士", 1, (contact,))

    def groups_get(self, _chat_id: str) -> Group:
        answer = self.shown_groups.pop(0) if len(self.shown_groups) > 1 else self.shown_groups[0]
        if isinstance(answer, Refused):
            raise answer
        return answer() if callable(answer) else answer

    def resigned_unassigned_of(self, _userid: str) -> list[Any]:
        return []

    def messages_send_text(self, _userids: list[str], _text: str) -> MessageResult:
        return MessageResult("msgid", ())


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clock, "now", lambda: time.now)
    return time


@pytest.fixture
def wecom() -> WeCom:
    return WeCom()


@pytest.fixture
def kegui(store: str, wecom: WeCom, time: Time, tmp_path: Path) -> Iterator[Kegui]:
    queue = Queue(f"sqlite:///{tmp_path / 'queue.db'}")
    loaded = settings.load({"KEGUI_CORP_ID": "ww1"})
    yield Kegui(loaded, cast(Any, wecom), queue, Vault("A" * 43 + "="))
    queue.close()


def comes(kegui: Kegui, at: float, **nodes: str) -> int:
    """Let an event come that happened so many seconds after NOW, and be handled; gives its row."""
    body = xml(CreateTime=str(int(NOW.timestamp() + at)), **nodes)
    event_id = inbox.put("customer", events.parse(body), body, vault=kegui.vault, now=clock.now())
    assert event_id is not None
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WORK)
    return event_id


def of_contact(kegui: Kegui, change_type: str, at: float, **more: str) -> None:
    comes(
        kegui,
        at,
        Event=FAMILY,
        ChangeType=change_type,
        UserID="zhangsan",
        ExternalUserID="wm_1",
        **more,
    )


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(("change_type", "end"), ENDS)
@pytest.mark.parametrize("add", ["add_external_contact", "add_half_external_contact"])
def test_an_end_that_is_heard_of_before_its_beginning_stands(
    kegui: Kegui, time: Time, change_type: str, end: str, add: str
) -> None:
    time.pass_(60)
    of_contact(kegui, change_type, at=20)
    of_contact(kegui, add, at=10, State="poster")

    [relation] = Relation.select()
    assert (relation.state, relation.end, relation.ended_at) == ("ended", end, after(20))
    assert (relation.added_at, relation.channel) == (after(10), "poster")
    # As in the right order: whoever ends a contact does not give the customer away.
    assert [one.userid for one in Ownership.select()] == ["zhangsan"]

    of_contact(kegui, add, at=30)

    [relation] = Relation.select()
    assert (relation.is_live, relation.added_at, relation.end) == (True, after(30), None)


def test_of_two_ends_the_later_one_counts_whatever_comes_between(kegui: Kegui, time: Time) -> None:
    time.pass_(60)
    of_contact(kegui, "add_external_contact", at=10)
    of_contact(kegui, "del_external_contact", at=20)
    of_contact(kegui, "del_follow_user", at=40)
    of_contact(kegui, "add_external_contact", at=30)

    [relation] = Relation.select()
    assert (relation.state, relation.end, relation.ended_at) == (
        "ended",
        "deleted_by_customer",
        after(40),
    )


def test_an_older_end_ends_nothing(kegui: Kegui, time: Time) -> None:
    time.pass_(60)
    of_contact(kegui, "add_external_contact", at=30)
    of_contact(kegui, "del_external_contact", at=20)

    assert [one.state for one in Relation.select()] == ["active"]


def test_who_deletes_the_takeover_member_before_the_poll_is_no_contact(
    kegui: Kegui, time: Time
) -> None:
    handover, item, attempt = moving("customer", "wm_1")
    time.pass_(60)
    comes(
        kegui,
        30,
        Event=FAMILY,
        ChangeType="del_follow_user",
        UserID="lisi",
        ExternalUserID="wm_1",
    )

    transfers.complete(handover, item, attempt.takeover_userid, after(20))

    taken = Relation.of("wm_1", "lisi")
    assert taken is not None
    assert (taken.state, taken.added_at, taken.ended_at) == ("ended", after(20), after(30))


def moving(kind: str, subject: str) -> tuple[Handover, HandoverItem, TransferAttempt]:
    """A handover from zhangsan to lisi that WeCom was asked for."""
    handover = Handover.create(
        kind="handover",
        userid="zhangsan",
        mode="auto",
        state="running",
        source="test",
        created_at=NOW,
        updated_at=NOW,
    )
    item = HandoverItem.create(
        handover=handover,
        kind=kind,
        subject=subject,
        state="waiting",
        takeover_userid="lisi",
        updated_at=NOW,
    )
    attempt = TransferAttempt.create(
        item=item,
        number=1,
        takeover_userid="lisi",
        endpoint="externalcontact/transfer_customer",
        submitted_at=NOW,
        status="submitted",
    )
    return handover, item, attempt


def test_a_group_whose_end_is_heard_of_before_its_beginning_is_over(
    kegui: Kegui, wecom: WeCom
) -> None:
    # WeCom's answer lags behind its own event.
    wecom.shown_groups = [Group("wr_1", "客户群", "zhangsan", NOW, ())]
    comes(kegui, 20, Event=GROUPS, ChangeType="dismiss", ChatId="wr_1")
    comes(kegui, 10, Event=GROUPS, ChangeType="create", ChatId="wr_1")

    [group] = GroupChat.select()
    assert group.dismissed_at == after(20)


def test_a_member_who_was_deleted_before_joining_is_gone(kegui: Kegui) -> None:
    comes(kegui, 20, Event="change_contact", ChangeType="delete_user", UserID="wangwu")
    comes(kegui, 10, Event="change_contact", ChangeType="create_user", UserID="wangwu")

    [gone] = Staff.select().where(Staff.userid == "wangwu")
    assert not gone.is_here


def test_a_group_is_read_again_when_wecom_has_written_it(
    kegui: Kegui, wecom: WeCom, time: Time
) -> None:
    old = Group("wr_1", "客户群", "zhangsan", NOW, ())
    wecom.shown_groups = [old, Group("wr_1", "客户群", "lisi", NOW, ())]

    event_id = comes(kegui, 0, Event=GROUPS, ChangeType="update", ChatId="wr_1")

    # It waits in the inbox: a worker that dies meanwhile loses nothing.
    row = InboxEvent.get_by_id(event_id)
    assert (row.state, GroupChat.get().owner) == (WAITING, "zhangsan")
    assert timedelta(seconds=2) < row.due_at - NOW < timedelta(seconds=10)
    time.pass_((row.due_at - NOW).total_seconds())
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WORK)
    assert (InboxEvent.get_by_id(event_id).state, GroupChat.get().owner) == (DONE, "lisi")


@pytest.mark.parametrize("name", ["客户群", None])
def test_an_answer_without_owner_or_name_takes_nothing_away(
    kegui: Kegui, wecom: WeCom, time: Time, name: str | None
) -> None:
    GroupChat.create(chat_id="wr_1", name="客户群", owner="zhangsan", seen_at=NOW)
    wecom.shown_groups = [Group("wr_1", name, "", NOW, ())]
    time.pass_(1)

    event_id = comes(kegui, 0, Event=GROUPS, ChangeType="update", ChatId="wr_1")
    time.pass_(10)
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WORK)

    group = GroupChat.get()
    assert (group.owner, group.name) == ("zhangsan", "客户群")


def test_an_answer_that_was_asked_for_earlier_overwrites_no_later_one(
    kegui: Kegui, wecom: WeCom, time: Time
) -> None:
    def meanwhile() -> Group:
        time.pass_(1)
        with db.connection():
            GroupChat.update(owner="lisi", seen_at=time.now).execute()
        return Group("wr_1", "客户群", "zhangsan", NOW, ())

    GroupChat.create(chat_id="wr_1", owner="wangwu", seen_at=NOW - timedelta(days=1))
    wecom.shown_groups = [meanwhile]
    event_id = comes(kegui, 0, Event=GROUPS, ChangeType="update", ChatId="wr_1")
    time.pass_(10)
    Worker(kegui, router, CAPABILITIES).answer(event_id, Lane.WORK)

    assert GroupChat.get().owner == "lisi"


def test_a_group_in_a_handover_is_not_done_because_an_answer_names_no_owner(
    kegui: Kegui, wecom: WeCom
) -> None:
    wecom.shown_groups = [Group("wr_1", "客户群", "", NOW, ())]
    handover, item, _ = moving("group", "wr_1")

    group_transfers.poll(handover, kegui)

    assert HandoverItem.get_by_id(item.id).state == "waiting"
