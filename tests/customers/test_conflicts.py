"""撞单: what is tried again takes no decision back; of those who come at once none is forgotten."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock
from bot.allocation.allocate import allocate
from bot.audit.log import Who
from bot.customers import conflicts
from bot.events import parse
from bot.kegui import Kegui
from bot.models import Conflict, Customer, Ownership, Relation, Staff
from bot.queue import Queue
from bot.reason import Reason
from bot.reports.journey import MESSAGE, journey_of
from bot.router import Received
from bot.vault import Vault
from bot.wecom import Transient, WeComError
from config import settings
from tests.conftest import in_thread
from tests.test_events import xml
from tests.wecom.one_for_all import OneForAll

pytestmark = pytest.mark.usefixtures("store")
MANAGER = Who("manager")


class FakeWeCom(OneForAll):
    """Takes messages, or fails."""

    def __init__(self) -> None:
        self.error: WeComError | None = None
        self.told: list[str] = []

    def messages_send_text(self, userids: list[str], _text: str) -> None:
        if self.error is not None:
            raise self.error
        self.told += userids


@pytest.fixture
def wecom() -> FakeWeCom:
    return FakeWeCom()


@pytest.fixture
def kegui(wecom: FakeWeCom, tmp_path: Path) -> Kegui:
    """Anna owns a customer whom Bert has added as well."""
    for userid in ("anna", "bert"):
        Staff.create(userid=userid, departments=[1], serves=True, status=1, seen_at=clock.now())
    Customer.create(external_userid="wm_1", name="陈女士", met_at=clock.now())
    for userid in ("anna", "bert"):
        meet(userid)
    Ownership.claim("wm_1", "anna", at=clock.now(), reason=Reason("first"))
    return Kegui(
        settings.load({}),
        cast(Any, wecom),
        Queue(f"sqlite:///{tmp_path / 'queue.db'}"),
        Vault("A" * 43 + "="),
    )


def meet(userid: str) -> None:
    at = clock.now()
    Relation.begin("wm_1", userid, state="active", source="event", at=at, noted_at=at)


def added(received_at: datetime) -> Received:
    """Bert has added Anna's customer."""
    event = parse(
        xml(
            ToUserName="ww1",
            FromUserName="sys",
            CreateTime="1795397400",
            MsgType="event",
            Event="change_external_contact",
            ChangeType="add_external_contact",
            UserID="bert",
            ExternalUserID="wm_1",
        )
    )
    return Received(7, "customer", received_at, event)


def found_and_not_told(kegui: Kegui, wecom: FakeWeCom) -> Received:
    """A conflict is open of which nobody could be told; WeCom answers again."""
    event = added(clock.now())
    wecom.error = Transient("message/send", None)
    with pytest.raises(Transient):
        allocate(event, kegui)
    wecom.error = None
    return event


def messages_in_the_story() -> list[str | None]:
    story = journey_of("wm_1")
    assert story is not None
    return [step.recipient for step in story.steps if step.kind == MESSAGE]


def states() -> list[str]:
    return [conflict.state for conflict in Conflict.select().order_by(Conflict.id)]


def test_what_was_settled_while_nobody_could_be_told_stays_settled(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    event = found_and_not_told(kegui, wecom)
    conflicts.resolve(Conflict.get().id, "anna", "先接待", MANAGER, kegui)

    allocate(event, kegui)

    assert states() == ["resolved"]
    assert wecom.told == []


def test_who_could_not_be_told_is_told_when_the_event_is_tried_again(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    event = found_and_not_told(kegui, wecom)

    allocate(event, kegui)
    allocate(event, kegui)

    assert states() == ["open"]
    assert wecom.told == ["anna", "bert"]


def test_the_customers_story_has_the_messages_that_told_of_the_decision(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    allocate(added(clock.now()), kegui)
    told_before = messages_in_the_story()
    conflict = conflicts.resolve(Conflict.get().id, "bert", "先接待", MANAGER, kegui)

    conflicts.tell_resolution(conflict.id, kegui)

    assert told_before == ["anna", "bert"]
    assert messages_in_the_story() == wecom.told == ["anna", "bert", "anna", "bert"]


def test_a_decision_stands_in_the_story_before_the_owner_whom_it_made(kegui: Kegui) -> None:
    allocate(added(clock.now()), kegui)

    conflicts.resolve(Conflict.get().id, "bert", "先接待", MANAGER, kegui)

    journey = journey_of("wm_1")
    assert journey is not None
    kinds = [step.kind for step in journey.steps if step.kind in ("settlement", "ownership")]
    assert kinds[-2:] == ["settlement", "ownership"]


def test_a_contact_that_is_over_is_no_conflict_any_more(kegui: Kegui) -> None:
    Relation.finish("wm_1", "bert", at=clock.now(), end="deleted")

    allocate(added(clock.now()), kegui)

    assert states() == []


def test_a_new_meeting_after_a_decision_is_a_new_conflict(kegui: Kegui) -> None:
    allocate(added(clock.now() - timedelta(days=1)), kegui)
    conflicts.resolve(Conflict.get().id, "anna", "先接待", MANAGER, kegui)

    allocate(replace(added(datetime.now(UTC) + timedelta(seconds=1)), id=8), kegui)

    assert states() == ["resolved", "open"]


def test_of_several_who_come_at_once_none_is_forgotten(kegui: Kegui) -> None:
    others = [f"other_{number}" for number in range(6)]
    ready = threading.Barrier(len(others))

    def join(userid: str) -> None:
        ready.wait(10)
        conflicts._open_or_join("wm_1", "anna", userid)

    for one in [in_thread(partial(join, userid)) for userid in others]:
        one.result(30)

    assert sorted(Conflict.get().contenders) == others
