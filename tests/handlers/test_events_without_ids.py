"""Events that do not say of whom they speak: refused once, with the reason, and nothing is made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import clock, events
from bot.capabilities import CAPABILITIES
from bot.inbox import inbox
from bot.kegui import Kegui
from bot.models import (
    Consent,
    Customer,
    GroupChat,
    Handover,
    InboxEvent,
    Notice,
    Ownership,
    Relation,
    Staff,
)
from bot.models.inbox_event import DEAD
from bot.queue import Lane, Queue
from bot.reason import Reason
from bot.vault import Vault
from bot.worker import Worker
from config import settings
from handlers import router
from tests.test_events import xml

MADE = (Consent, Customer, GroupChat, Handover, Notice, Ownership, Relation, Staff)
CUSTOMERS = "change_external_contact"
BOTH = {"UserID": "zhangsan", "ExternalUserID": "wm_1"}


class Untouched:
    """WeCom, which nobody may ask about nobody."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"WeCom was asked: {name}")


def lacks(fields: str) -> Reason:
    return Reason("event_lacks", {"fields": fields})


@pytest.fixture
def kegui(store: str, tmp_path: Path) -> Iterator[Kegui]:
    queue = Queue(f"sqlite:///{tmp_path / 'queue.db'}")
    wecom: Any = Untouched()
    yield Kegui(settings.load({"KEGUI_CORP_ID": "ww1"}), wecom, queue, Vault("A" * 43 + "="))
    queue.close()


def answered(kegui: Kegui, **nodes: str) -> InboxEvent:
    body = xml(**{"CreateTime": "1764550000", **nodes})
    event_id = inbox.put("customer", events.parse(body), body, vault=kegui.vault, now=clock.now())
    assert event_id is not None
    lane = Lane.WELCOME if "WelcomeCode" in nodes else Lane.WORK
    Worker(kegui, router, CAPABILITIES).answer(event_id, lane)
    return InboxEvent.get_by_id(event_id)


@pytest.mark.parametrize(
    ("change_type", "needed"),
    [
        ("add_external_contact", "UserID, ExternalUserID"),
        ("add_half_external_contact", "UserID, ExternalUserID"),
        ("msg_audit_approved", "UserID, ExternalUserID"),
        ("del_external_contact", "UserID, ExternalUserID"),
        ("del_follow_user", "UserID, ExternalUserID"),
        ("edit_external_contact", "ExternalUserID"),
        ("transfer_fail", "ExternalUserID"),
    ],
)
def test_a_customers_event_without_its_ids_is_dead_and_makes_nothing(
    kegui: Kegui, change_type: str, needed: str
) -> None:
    names = needed.split(", ")
    for missing in names:
        for shape in ({}, {missing: ""}, {missing: "w" * 65}):
            nodes = {name: value for name, value in BOTH.items() if name != missing} | shape
            row = answered(kegui, Event=CUSTOMERS, ChangeType=change_type, **nodes)
            assert (row.state, row.error) == (DEAD, lacks(missing))
    row = answered(kegui, Event=CUSTOMERS, ChangeType=change_type)

    assert (row.state, row.error) == (DEAD, lacks(needed))
    assert [table.select().count() for table in MADE] == [0] * len(MADE)


def test_a_welcome_code_for_nobody_is_not_sent(kegui: Kegui) -> None:
    row = answered(
        kegui,
        Event=CUSTOMERS,
        ChangeType="add_external_contact",
        UserID="zhangsan",
        WelcomeCode="CODE",
    )

    assert (row.state, row.error) == (DEAD, lacks("ExternalUserID"))
    assert [table.select().count() for table in MADE] == [0] * len(MADE)


@pytest.mark.parametrize(
    ("nodes", "needed"),
    [
        ({"Event": "change_external_chat", "ChangeType": "create"}, "ChatId"),
        ({"Event": "change_external_chat", "ChangeType": "update"}, "ChatId"),
        ({"Event": "change_external_chat", "ChangeType": "dismiss"}, "ChatId"),
        ({"Event": "change_contact", "ChangeType": "create_user"}, "UserID"),
        ({"Event": "change_contact", "ChangeType": "update_user"}, "UserID"),
        ({"Event": "change_contact", "ChangeType": "delete_user"}, "UserID"),
        ({"Event": "subscribe"}, "FromUserName"),
        ({"Event": "unsubscribe"}, "FromUserName"),
        ({"Event": "unsubscribe", "FromUserName": "sys"}, "FromUserName"),
        ({"Event": "template_card_event"}, "FromUserName"),
    ],
)
def test_a_members_or_groups_event_without_its_id_is_dead_and_makes_nothing(
    kegui: Kegui, nodes: dict[str, str], needed: str
) -> None:
    row = answered(kegui, **nodes)

    assert (row.state, row.error) == (DEAD, lacks(needed))
    assert [table.select().count() for table in MADE] == [0] * len(MADE)


def test_every_handler_says_which_ids_it_needs() -> None:
    without = [event for (_lane, event, _), entry in router.entries() if not entry.needs]

    # It says that there is something new, and names nobody.
    assert without == ["msgaudit_notify"]
