"""What is recorded of a consent notice when WeCom is in trouble."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from bot import clock
from bot.consent import notices
from bot.consent.gaps import count_gaps, open_gaps
from bot.events import Event
from bot.inbox.inbox import Later
from bot.kegui import Kegui
from bot.models import Handover, HandoverItem, Notice, Relation, TransferAttempt
from bot.models.customer import RELATION_ACTIVE
from bot.models.handover import CUSTOMER, SUBMITTED
from bot.queue import Queue
from bot.reason import Reason
from bot.router import Received
from bot.vault import Vault
from bot.wecom import Paused, Transient
from config import settings
from tests.wecom.one_for_all import OneForAll

ENDPOINT = "externalcontact/send_welcome_msg"
NO_ANSWER = Transient(ENDPOINT, None, "network: ReadTimeout", maybe_executed=True)
NOT_SENT = Transient(ENDPOINT, None, "network: ConnectTimeout")


class FakeWeCom(OneForAll):
    """Answers one welcome after the other as told."""

    def __init__(self) -> None:
        self.endings: list[Exception] = []
        self.asked = 0

    def customers_send_welcome(self, _code: str, _text: str) -> None:
        self.asked += 1
        if self.endings:
            raise self.endings.pop(0)


@pytest.fixture
def kegui(sqlite_url: str, store: str) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_CORP_ID": "ww1"})
    return Kegui(loaded, cast(Any, FakeWeCom()), Queue(sqlite_url), Vault("A" * 43 + "="))


def added(again: bool = False) -> Received:
    fields = {"UserID": "zhangsan", "ExternalUserID": "wm_chen", "WelcomeCode": "code"}
    event = Event("change_external_contact", "add_external_contact", fields, clock.now())
    return Received(7, "customer", clock.now(), event, again)


def greet(kegui: Kegui, *endings: Exception, again: bool = False) -> Notice:
    """Let an add event be worked on until its notice is recorded, WeCom ending as told."""
    cast(Any, kegui.wecom).endings = list(endings)
    received = added(again)
    for _ in range(5):
        try:
            notices.send_consent_notice(received, kegui)
        except Later:
            continue
        break
    return Notice.get(Notice.event_id == 7)


def paused() -> Paused:
    return Paused(ENDPOINT, clock.now() + timedelta(seconds=60), "network errors")


def test_a_pause_after_a_lost_answer_leaves_the_notice_unknown(kegui: Kegui) -> None:
    notice = greet(kegui, NO_ANSWER, paused())

    assert notice.state == "unknown"
    assert notice.reason == Reason("notice_unanswered")


def test_a_pause_before_anything_was_sent_is_a_miss(kegui: Kegui) -> None:
    assert greet(kegui, NOT_SENT, paused()).state == "missed"


def test_nothing_is_sent_any_more_when_a_miss_was_recorded_and_the_worker_died(
    kegui: Kegui,
) -> None:
    wecom = cast(Any, kegui.wecom)
    greet(kegui, NOT_SENT, paused())
    wecom.asked = 0

    assert greet(kegui, again=True).state == "missed"
    assert wecom.asked == 0


def test_a_welcome_that_never_gets_an_answer_is_unknown(kegui: Kegui) -> None:
    assert greet(kegui, NO_ANSWER, NO_ANSWER, NO_ANSWER).state == "unknown"


def test_a_second_try_that_is_answered_is_delivered(kegui: Kegui) -> None:
    assert greet(kegui, NOT_SENT).state == "delivered"


def transfer_to_zhangsan(submitted_at: datetime) -> None:
    """A handover gives wm_chen to zhangsan, and WeCom was asked at that moment."""
    case = Handover.create(
        kind="offboarding",
        userid="lisi",
        mode="auto",
        state="running",
        source="test",
        created_at=submitted_at,
        updated_at=submitted_at,
    )
    item = HandoverItem.create(
        handover=case,
        kind=CUSTOMER,
        subject="wm_chen",
        takeover_userid="zhangsan",
        state=SUBMITTED,
        updated_at=submitted_at,
    )
    TransferAttempt.create(
        item=item,
        number=1,
        takeover_userid="zhangsan",
        endpoint="externalcontact/resigned/transfer_customer",
        submitted_at=submitted_at,
    )


def test_an_add_that_follows_a_transfer_is_greeted_by_nobody(kegui: Kegui) -> None:
    received = added()
    transfer_to_zhangsan(received.received_at - timedelta(seconds=1))

    notices.send_consent_notice(received, kegui)

    assert not Notice.select().exists()


def test_an_add_from_before_the_transfer_is_greeted_however_late_it_is_handled(
    kegui: Kegui,
) -> None:
    received = added()
    transfer_to_zhangsan(received.received_at + timedelta(seconds=5))

    notices.send_consent_notice(received, kegui)

    assert Notice.get().state == "delivered"


def test_a_welcome_that_was_begun_is_recorded_though_a_transfer_began_meanwhile(
    kegui: Kegui,
) -> None:
    received = added()
    cast(Any, kegui.wecom).endings = [NO_ANSWER]
    with pytest.raises(Later):
        notices.send_consent_notice(received, kegui)
    transfer_to_zhangsan(received.received_at + timedelta(seconds=1))

    notices.send_consent_notice(received, kegui)

    assert Notice.get().state == "delivered"


def meet(noted_at: datetime) -> None:
    pair = {"external_userid": "wm_chen", "userid": "zhangsan"}
    Relation.begin(
        **pair,
        state=RELATION_ACTIVE,
        source="event",
        at=noted_at,
        noted_at=noted_at,
        is_add_event=True,
    )


def gaps() -> list[str]:
    later = clock.now() + timedelta(minutes=10)
    assert count_gaps(later) == len(open_gaps(later))
    return [gap.external_userid for gap in open_gaps(later)]


def test_who_was_told_is_asked_for_no_more_until_they_meet_anew(kegui: Kegui) -> None:
    before = clock.now() - timedelta(seconds=5)
    assert greet(kegui).state == "delivered"
    meet(before)
    assert gaps() == []

    notices.note_told()

    relation = Relation.get()
    assert relation.told_at == Notice.get().at
    assert gaps() == []
    ended = clock.now()
    Relation.finish("wm_chen", "zhangsan", at=ended, end="deleted")
    meet(ended + timedelta(seconds=1))
    notices.note_told()
    assert gaps() == ["wm_chen"]


def test_who_could_not_be_told_stays_a_gap(kegui: Kegui) -> None:
    meet(clock.now() - timedelta(seconds=5))
    greet(kegui, NOT_SENT, paused())

    notices.note_told()

    assert Relation.get().told_at is None
    assert gaps() == ["wm_chen"]
