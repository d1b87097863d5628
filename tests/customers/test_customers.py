"""What is remembered of a customer, in whatever order the events come."""

from typing import Any, cast

import pytest

from bot import clock, events
from bot.customers import customers
from bot.kegui import Kegui
from bot.models import Customer, Relation
from bot.queue import Queue
from bot.router import Received
from bot.vault import Vault
from bot.wecom import Transient
from config import settings
from tests.wecom.one_for_all import OneForAll


class WeComIsAway(OneForAll):
    def customers_get(self, _external_userid: str) -> None:
        raise Transient("externalcontact/get", None, "time-out")


@pytest.fixture
def kegui(sqlite_url: str, store: str) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_CORP_ID": "ww1"})
    return Kegui(loaded, cast(Any, WeComIsAway()), Queue(sqlite_url), Vault("A" * 43 + "="))


def heard_of(kegui: Kegui, userid: str, change_type: str, state: str = "") -> str:
    """Return the customer's channel after one more event."""
    text = (
        f"<xml><Event>change_external_contact</Event><ChangeType>{change_type}</ChangeType>"
        f"<UserID>{userid}</UserID><ExternalUserID>wm_li</ExternalUserID>"
        f"<State>{state}</State></xml>"
    )
    now = clock.now()
    customers.meet(Received(1, "customer", now, events.parse(text.encode())), kegui)
    Relation.begin("wm_li", userid, state="active", source="event", at=now, noted_at=now)
    return str(Customer.get_by_id("wm_li").channel)


def test_the_channel_is_known_also_where_the_agreement_came_before_the_add(kegui: Kegui) -> None:
    assert heard_of(kegui, "zhangsan", "msg_audit_approved") == ""
    assert heard_of(kegui, "zhangsan", "add_external_contact", "expo") == "expo"
    assert heard_of(kegui, "lihua", "add_external_contact", "fair") == "expo"


def test_another_members_channel_is_not_how_the_customer_came(kegui: Kegui) -> None:
    assert heard_of(kegui, "zhangsan", "add_external_contact") == ""
    assert heard_of(kegui, "lihua", "add_external_contact", "fair") == ""
