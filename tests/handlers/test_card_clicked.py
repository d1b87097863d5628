"""点击模板卡片: who may approves small cases by a click; whoever may not leaves a trace."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock
from bot.audit.log import Who
from bot.db import transaction
from bot.events import parse
from bot.handover import approval_cards, handovers
from bot.identity.proposals import open_one, propose
from bot.kegui import Kegui
from bot.models import (
    AuditEntry,
    Department,
    Effect,
    Handover,
    HandoverItem,
    Proposal,
    Relation,
    Staff,
)
from bot.models.handover import AWAITING_APPROVAL, CUSTOMER, GROUP, OFFBOARDING, SCHEDULED
from bot.queue import Queue
from bot.router import Received
from bot.vault import Vault
from bot.wecom import Card, Refused, Transient, WeComError
from config import settings
from handlers import router
from tests.test_events import xml
from tests.wecom.one_for_all import OneForAll

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LAST_DAY = date(2026, 11, 30)
HR = Who("hr_wang")


@dataclass
class FakeWeCom(OneForAll):
    """Keeps cards and what stands on them; ``troubles`` come first, one a call."""

    cards: list[tuple[str, Card]] = field(default_factory=list)
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    troubles: list[WeComError] = field(default_factory=list)

    def messages_send_card(self, userids: list[str], card: Card) -> None:
        self._fail()
        self.cards += [(userid, card) for userid in userids]

    def messages_update_card(
        self, response_code: str, userids: list[str], text: str
    ) -> tuple[str, ...]:
        self._fail()
        self.answers += [(response_code, userid, text) for userid in userids]
        return ()

    def _fail(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)


@pytest.fixture
def wecom() -> FakeWeCom:
    return FakeWeCom()


@pytest.fixture
def kegui(store: str, wecom: FakeWeCom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kegui:
    """Liu leaves a department that Chen leads, below one that Boss leads."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    Department.create(id=1, name="总部", leaders=["boss"])
    Department.create(id=2, name="理财一部", parent_id=1, leaders=["chen"])
    Department.create(id=3, name="理财二部", parent_id=1, leaders=["zhou"])
    for userid, name, department in (
        ("boss", "郑总", 1),
        ("chen", "陈经理", 2),
        ("liu", "刘一", 2),
        ("lisi", "李四", 2),
        ("wangwu", "王五", 2),
        ("zhou", "周经理", 3),
    ):
        Staff.create(
            userid=userid,
            name=name,
            departments=[department],
            main_department=department,
            status=1,
            seen_at=NOW,
        )
    return Kegui(
        settings.load({"KEGUI_PUBLIC_URL": "https://kegui.test/"}),
        cast(Any, wecom),
        Queue(f"sqlite:///{tmp_path / 'queue.db'}"),
        Vault("A" * 43 + "="),
    )


def case_of(kegui: Kegui, customers: int = 3, by: Who = HR, leaver: str = "liu") -> Handover:
    """Somebody proposes an offboarding; its plan is made, and it waits."""
    handover = Handover.create(
        kind=OFFBOARDING,
        userid=leaver,
        last_day=LAST_DAY,
        mode="approve",
        state=AWAITING_APPROVAL,
        source="test",
        created_at=NOW,
        updated_at=NOW,
    )
    with transaction():
        propose(OFFBOARDING, f"offboarding {handover.id}", by, kegui)
    for number in range(customers):
        add(handover, CUSTOMER, f"wm_{number}", "lisi" if number else "wangwu")
    add(handover, GROUP, "wr_1", None)
    return handover


def add(handover: Handover, kind: str, subject: str, to: str | None) -> None:
    HandoverItem.create(
        handover=handover, kind=kind, subject=subject, takeover_userid=to, updated_at=NOW
    )


def asked(handover: Handover, kegui: Kegui, wecom: FakeWeCom) -> tuple[str, Card]:
    """Ask for the approval; gives the one who was asked, and the card."""
    approval_cards.ask_for_approval(handover, kegui)
    return wecom.cards[-1]


def click(card: Card, by: str, kegui: Kegui, code: str = "code-1", key: str = "approve") -> None:
    event = parse(
        xml(
            ToUserName="ww1",
            FromUserName=by,
            CreateTime="1795397400",
            MsgType="event",
            Event="template_card_event",
            EventKey=key,
            TaskId=card.task_id,
            CardType="button_interaction",
            ResponseCode=code,
            AgentID="1000014",
        )
    )
    entry = router.entry_for(event, cast(Any, "work"))
    assert entry is not None
    entry.handler(Received(7, "customer", NOW, event), kegui)


def trail() -> list[tuple[str, str, str]]:
    """Who did what, from where, since the proposal."""
    rows = AuditEntry.select().where(AuditEntry.act != "offboarding.propose")
    return [(row.actor, row.act, row.origin) for row in rows.order_by(AuditEntry.id)]


def refusals() -> list[tuple[str, str]]:
    rows = AuditEntry.select().where(AuditEntry.act == "card.refuse").order_by(AuditEntry.id)
    return [(row.actor, row.details["outcome"]) for row in rows]


def test_the_manager_is_asked_once_with_what_there_is_to_decide(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case_of(kegui)

    for _ in range(2):
        approval_cards.ask_for_approval(handover, kegui)

    [(userid, card)] = wecom.cards
    assert userid == "chen"
    assert dict(card.rows) == {
        "离职成员": "刘一",
        "最后工作日": "2026-11-30",
        "客户数": "3",
        "客户群数": "1",
        "接替成员": "李四、王五",
    }
    assert [(one.text, one.key) for one in card.buttons] == [("同意", "approve"), ("查看详情", "")]
    assert card.buttons[1].url == f"https://kegui.test/offboardings/{handover.id}"
    assert "wm_" not in str(card)


def test_above_twenty_customers_the_card_only_leads_to_the_page(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case_of(kegui, customers=21)

    _, card = asked(handover, kegui, wecom)

    [button] = card.buttons
    assert (button.text, button.key) == ("查看并审批", "")
    assert button.url == f"https://kegui.test/offboardings/{handover.id}"
    assert "20" in card.text


def test_nobody_is_asked_to_approve_their_own(kegui: Kegui, wecom: FakeWeCom) -> None:
    assert asked(case_of(kegui, by=Who("chen")), kegui, wecom)[0] == "boss"
    assert asked(case_of(kegui, leaver="chen"), kegui, wecom)[0] == "boss"

    approval_cards.ask_for_approval(case_of(kegui, leaver="boss"), kegui)

    assert len(wecom.cards) == 2


def test_a_direct_leader_without_the_right_is_passed_over(kegui: Kegui, wecom: FakeWeCom) -> None:
    Staff.update(direct_leader="wangwu").where(Staff.userid == "liu").execute()

    assert asked(case_of(kegui), kegui, wecom)[0] == "chen"


def test_who_takes_the_managers_place_is_asked_too(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui)
    approval_cards.ask_for_approval(handover, kegui)
    Department.update(leaders=["zhou"]).where(Department.id == 2).execute()

    approval_cards.ask_for_approval(handover, kegui)

    assert [userid for userid, _ in wecom.cards] == ["chen", "zhou"]
    assert wecom.cards[0][1].task_id != wecom.cards[1][1].task_id


def test_a_card_that_could_not_be_sent_is_sent_later(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui)
    wecom.troubles = [Transient("message/send", -1)]

    with pytest.raises(Transient):
        approval_cards.ask_for_approval(handover, kegui)
    approval_cards.ask_for_approval(handover, kegui)

    assert [userid for userid, _ in wecom.cards] == ["chen"]


def test_a_case_that_is_approved_meanwhile_asks_nobody(kegui: Kegui, wecom: FakeWeCom) -> None:
    """A round of planning has read the case before the click, and comes to its end after it."""
    seen_waiting = case_of(kegui)
    userid, card = asked(seen_waiting, kegui, wecom)
    click(card, userid, kegui)

    approval_cards.ask_for_approval(seen_waiting, kegui)

    assert len(wecom.cards) == 1


def test_a_case_that_is_changed_meanwhile_asks_when_its_plan_is_made(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    seen_waiting = case_of(kegui)
    asked(seen_waiting, kegui, wecom)
    handovers.change(seen_waiting, HR, kegui, last_day=date(2026, 12, 1))

    approval_cards.ask_for_approval(seen_waiting, kegui)
    assert len(wecom.cards) == 1
    Handover.update(state=AWAITING_APPROVAL).execute()
    approval_cards.ask_for_approval(seen_waiting, kegui)

    assert len(wecom.cards) == 2
    assert wecom.cards[0][1].task_id != wecom.cards[1][1].task_id


def test_who_may_approves_by_a_click(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui)
    userid, card = asked(handover, kegui, wecom)

    click(card, userid, kegui)

    handover = Handover.get_by_id(handover.id)
    assert (handover.state, handover.approved_by) == (SCHEDULED, "chen")
    assert Proposal.get().state == "approved"
    assert trail() == [("chen", "offboarding.approve", "template card")]
    assert wecom.answers == [("code-1", "chen", "已同意")]
    assert kegui.queue.take(cast(Any, "work")) == [f"handover:{handover.id}"]


def test_the_same_click_again_does_nothing_more(kegui: Kegui, wecom: FakeWeCom) -> None:
    _, card = asked(case_of(kegui), kegui, wecom)
    click(card, "chen", kegui)
    click(card, "lisi", kegui, "code-2")

    click(card, "chen", kegui, "code-3")
    click(card, "lisi", kegui, "code-4")

    assert [act for _, act, _ in trail()] == ["offboarding.approve", "card.refuse"]
    assert wecom.answers == [("code-1", "chen", "已同意"), ("code-2", "lisi", "无权审批")]


@pytest.mark.parametrize("who", ["lisi", "zhou", "liu", "nobody"])
def test_whoever_has_no_right_over_the_leaver_is_refused_and_written_down(
    kegui: Kegui, wecom: FakeWeCom, who: str
) -> None:
    handover = case_of(kegui)
    _, card = asked(handover, kegui, wecom)

    click(card, who, kegui)

    assert Handover.get_by_id(handover.id).state == AWAITING_APPROVAL
    assert refusals() == [(who, "no_right")]
    assert AuditEntry.get(AuditEntry.act == "card.refuse").subject == f"offboarding {handover.id}"
    assert wecom.answers == [("code-1", who, "无权审批")]


def test_a_leaver_who_leads_does_not_approve_their_own_leave(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    _, card = asked(case_of(kegui, leaver="chen"), kegui, wecom)

    click(card, "chen", kegui)

    assert refusals() == [("chen", "no_right")]


def test_rights_count_as_they_are_when_the_click_comes(kegui: Kegui, wecom: FakeWeCom) -> None:
    _, card = asked(case_of(kegui), kegui, wecom)
    Department.update(leaders=[]).where(Department.id == 2).execute()

    click(card, "chen", kegui)

    assert refusals() == [("chen", "no_right")]


def test_whoever_proposed_it_cannot_approve_it(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui, by=Who("boss"))
    _, card = asked(handover, kegui, wecom)

    click(card, "boss", kegui)

    assert Handover.get_by_id(handover.id).approved_at is None
    assert open_one(OFFBOARDING, f"offboarding {handover.id}") is not None
    assert refusals() == [("boss", "own_proposal")]
    assert wecom.answers == [("code-1", "boss", "发起人不能自己审批")]


def test_more_than_twenty_customers_are_never_approved_by_a_click(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case_of(kegui, customers=21)
    _, card = asked(handover, kegui, wecom)

    click(card, "chen", kegui)

    assert Handover.get_by_id(handover.id).approved_at is None
    assert refusals() == [("chen", "too_many")]
    assert wecom.answers == [("code-1", "chen", "须在网页审批")]


def test_customers_who_came_since_the_card_count(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui, customers=20)
    _, card = asked(handover, kegui, wecom)
    assert card.buttons[0].key == "approve"
    Relation.begin("wm_new", "liu", state="active", source="event", at=NOW, noted_at=NOW)

    click(card, "chen", kegui)

    assert refusals() == [("chen", "too_many")]


def test_what_the_clicker_moved_within_the_hour_counts(kegui: Kegui, wecom: FakeWeCom) -> None:
    first = case_of(kegui, customers=12)
    _, card = asked(first, kegui, wecom)
    click(card, "chen", kegui)
    assert Handover.get_by_id(first.id).approved_at is not None
    second = case_of(kegui, customers=9, leaver="lisi")
    _, card = asked(second, kegui, wecom)

    click(card, "chen", kegui, code="code-2")

    assert Handover.get_by_id(second.id).approved_at is None
    assert refusals()[-1][1] == "too_many"


def test_what_somebody_decided_meanwhile_stays_decided(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui)
    _, card = asked(handover, kegui, wecom)
    handovers.approve(handover, Who("boss"), kegui)

    click(card, "chen", kegui)

    assert Handover.get_by_id(handover.id).approved_by == "boss"
    assert refusals() == [("chen", "decided")]
    assert wecom.answers == [("code-1", "chen", "已由他人处理")]


def test_a_cancelled_case_stays_cancelled(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case_of(kegui)
    _, card = asked(handover, kegui, wecom)
    handovers.cancel(handover, HR, kegui)

    click(card, "chen", kegui)

    assert Handover.get_by_id(handover.id).state == "cancelled"
    assert refusals() == [("chen", "cancelled")]
    assert wecom.answers == [("code-1", "chen", "交接已取消")]


def test_a_card_that_could_not_be_changed_is_changed_later_and_nothing_is_decided_twice(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    _, card = asked(case_of(kegui), kegui, wecom)
    wecom.troubles = [Transient("message/update_template_card", -1)]

    with pytest.raises(Transient):
        click(card, "lisi", kegui)
    click(card, "lisi", kegui)

    assert refusals() == [("lisi", "no_right")]
    assert wecom.answers == [("code-1", "lisi", "无权审批")]


def test_a_code_that_wecom_takes_no_more_changes_nothing_of_the_decision(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case_of(kegui)
    _, card = asked(handover, kegui, wecom)
    wecom.troubles = [Refused("message/update_template_card", 60140)]

    click(card, "chen", kegui)

    assert Handover.get_by_id(handover.id).approved_by == "chen"
    effect = Effect.get(Effect.kind == "card_update")
    assert (effect.state, effect.errcode, effect.sealed_text) == ("refused", 60140, None)


def test_without_its_audit_entry_nothing_is_approved(
    kegui: Kegui, wecom: FakeWeCom, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover = case_of(kegui)
    _, card = asked(handover, kegui, wecom)

    def cannot_write(*_args: object, **_details: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(kegui.audit, "record", cannot_write)
        with pytest.raises(OSError, match="disk full"):
            click(card, "chen", kegui)

    assert Handover.get_by_id(handover.id).approved_at is None
    assert wecom.answers == []
    click(card, "chen", kegui)
    assert Handover.get_by_id(handover.id).approved_by == "chen"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"task_id": "handover_20261123_0001"}, "approve"),
        ({"task_id": "offboarding-1-0123456789abcdef"}, "approve"),
        ({"task_id": ""}, "approve"),
        ({}, "reject"),
    ],
)
def test_a_card_or_a_button_that_is_not_ours_is_left_alone(
    kegui: Kegui, wecom: FakeWeCom, changes: dict[str, str], key: str
) -> None:
    handover = case_of(kegui)
    _, card = asked(handover, kegui, wecom)
    other = Card(**{**vars(card), **changes})

    click(other, "chen", kegui, key=key)

    assert Handover.get_by_id(handover.id).state == AWAITING_APPROVAL
    assert (trail(), wecom.answers) == ([], [])
