"""What people do while a handover is planned or sent counts: it is not written over."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot import clock
from bot.audit.log import Who
from bot.channels import contact_ways
from bot.db import connection
from bot.handover import group_transfers, handovers, plan, run
from bot.handover.contact_ways import replace_leaver
from bot.handover.rules import assign
from bot.handover.words import ALREADY_CONTACT
from bot.identity.proposals import SamePerson
from bot.kegui import Kegui
from bot.models import (
    AuditEntry,
    ContactWay,
    Handover,
    HandoverItem,
    Proposal,
    Relation,
    Staff,
    TransferAttempt,
)
from bot.models.handover import (
    AWAITING_APPROVAL,
    CANCELLED,
    CUSTOMER,
    DONE_WITH_EXCEPTIONS,
    GROUP,
    OFFBOARDING,
    PLANNED,
    RUNNING,
    SCHEDULED,
    WAITING,
)
from bot.queue import Queue
from bot.reason import Reason
from bot.vault import Vault
from bot.wecom import (
    OperatorNeeded,
    Paused,
    Refused,
    TransferRow,
    Transient,
    User,
    WeComError,
)
from config import settings
from tests.conftest import in_thread
from tests.wecom.one_for_all import OneForAll

pytestmark = pytest.mark.usefixtures("store")
HR, MANAGER = Who("hr"), Who("manager")
LAST_DAY = date(2026, 11, 30)


class FakeWeCom(OneForAll):
    """Accepts transfers; what happens while it is asked stands in ``meanwhile``, call by call."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.ways: list[list[str]] = []
        self.rows: list[TransferRow] = []
        self.error: WeComError | None = None
        self.code = 0
        self.meanwhile: list[Callable[[], Any]] = []

    def _asked(self) -> None:
        if self.meanwhile:
            in_thread(self.meanwhile.pop(0)).result()
        if self.error is not None:
            raise self.error

    def contacts_user(self, userid: str) -> User:
        return User(userid, userid, (1,), 1, (), None, 1)

    def customers_ids_of(self, _userid: str) -> list[str]:
        with connection():
            return [item.subject for item in HandoverItem.select()]

    def groups_owned_by(self, _userid: str) -> list[Any]:
        return []

    def contact_ways_ids(self) -> list[str]:
        return []

    def transfers_submit(
        self, _from: str, to: str, customers: list[str], _text: str
    ) -> dict[str, int]:
        self.sent.append((to, customers))
        self._asked()
        return dict.fromkeys(customers, self.code)

    def groups_transfer(self, groups: list[str], to: str, *, resigned: bool) -> dict[str, int]:
        self.sent.append((to, groups))
        self._asked()
        return {}

    def transfers_results(self, _from: str, _to: str) -> list[TransferRow]:
        return self.rows

    def contact_ways_update(self, _id: str, userids: list[str], *, remark: str | None) -> None:
        self._asked()
        self.ways.append(userids)

    def contact_ways_delete(self, _id: str) -> None:
        self._asked()
        self.ways.append([])


@pytest.fixture
def wecom() -> FakeWeCom:
    return FakeWeCom()


@pytest.fixture
def kegui(wecom: FakeWeCom, tmp_path: Path) -> Kegui:
    """Leaver, and two colleagues who may take over."""
    for userid in ("leaver", "anna", "bert"):
        Staff.create(
            userid=userid,
            name=userid,
            departments=[1],
            serves=True,
            status=1,
            seen_at=clock.now(),
        )
    return Kegui(
        settings.load({}),
        cast(Any, wecom),
        Queue(f"sqlite:///{tmp_path / 'queue.db'}"),
        Vault("A" * 43 + "="),
    )


def case(state: str, *, successors: list[str] | None = None, mode: str = "approve") -> Handover:
    now = clock.now()
    return Handover.create(
        kind=OFFBOARDING,
        userid="leaver",
        last_day=LAST_DAY,
        mode=mode,
        state=state,
        successors=successors or [],
        source="test",
        approved_at=now if state == RUNNING else None,
        created_at=now,
        updated_at=now,
    )


def add(handover: Handover, subject: str, to: str | None, kind: str = CUSTOMER) -> None:
    HandoverItem.create(
        handover=handover, kind=kind, subject=subject, takeover_userid=to, updated_at=clock.now()
    )
    if kind == CUSTOMER:
        Relation.begin(
            subject,
            "leaver",
            state="active",
            source="event",
            at=clock.now(),
            noted_at=clock.now(),
        )


def items() -> dict[str, tuple[str, str | None]]:
    return {item.subject: (item.state, item.takeover_userid) for item in HandoverItem.select()}


# ------------------------------------------------------------ cancelled


def test_what_was_cancelled_between_two_calls_is_not_sent(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    add(handover, "wm_2", "bert")
    wecom.meanwhile = [lambda: handovers.cancel(Handover.get_by_id(handover.id), HR, kegui)]

    run.advance(handover.id, kegui)

    assert wecom.sent == [("anna", ["wm_1"])]
    assert items() == {"wm_1": (WAITING, "anna"), "wm_2": (CANCELLED, "bert")}
    assert Handover.get_by_id(handover.id).state == CANCELLED
    assert TransferAttempt.select().count() == 1


def test_a_group_that_was_cancelled_is_not_sent(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case(RUNNING)
    add(handover, "wr_1", "anna", GROUP)
    add(handover, "wr_2", "bert", GROUP)
    wecom.meanwhile = [lambda: handovers.cancel(Handover.get_by_id(handover.id), HR, kegui)]

    group_transfers.submit(handover, resigned=False, kegui=kegui)

    assert wecom.sent == [("anna", ["wr_1"])]
    assert items()["wr_2"] == (CANCELLED, "bert")


@pytest.mark.parametrize(
    ("code", "error"),
    [(40096, None), (40099, None), (0, Transient("externalcontact/transfer_customer", None))],
)
def test_what_wecom_did_not_take_is_not_planned_again_after_a_cancel(
    kegui: Kegui, wecom: FakeWeCom, code: int, error: WeComError | None
) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    wecom.code, wecom.error = code, error
    wecom.meanwhile = [lambda: handovers.cancel(Handover.get_by_id(handover.id), HR, kegui)]

    try:
        run.advance(handover.id, kegui)
    except Transient:
        assert error is not None

    assert len(wecom.sent) == 1
    assert PLANNED not in {state for state, _ in items().values()}
    assert not run.pending("leaver")


def test_a_cancelled_case_is_followed_to_its_end(kegui: Kegui, wecom: FakeWeCom) -> None:
    """The successor turns out to be full: nobody else is looked for."""
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    run.advance(handover.id, kegui)
    handovers.cancel(Handover.get_by_id(handover.id), HR, kegui)
    wecom.rows = [TransferRow("wm_1", 4, None)]

    run.advance(handover.id, kegui)

    assert items() == {"wm_1": (CANCELLED, None)}
    assert run.pending("leaver") == []


def test_a_plan_does_not_bring_back_what_was_cancelled(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover = case(PLANNED)
    add(handover, "wm_1", None)
    before(monkeypatch, lambda: handovers.cancel(Handover.get_by_id(handover.id), HR, kegui))

    run.advance(handover.id, kegui)

    assert items() == {"wm_1": (CANCELLED, None)}
    assert Handover.get_by_id(handover.id).state == CANCELLED


def test_a_member_who_stays_keeps_the_contact_ways(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    way("shop", "leaver", "anna")
    wecom.meanwhile = [lambda: handovers.cancel(Handover.get_by_id(handover.id), HR, kegui)]

    run.advance(handover.id, kegui)

    assert wecom.ways == []


# ------------------------------------------------------------ changed and approved


def before(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Let somebody act once, when all is read and nothing of the plan is written yet."""
    acts = [act]

    def assign_late(*how: Any) -> Any:
        if acts:
            in_thread(acts.pop()).result()
        return assign(*how)

    monkeypatch.setattr(plan, "assign", assign_late)


def test_successors_named_while_the_plan_is_made_are_those_of_the_plan(
    kegui: Kegui, monkeypatch: pytest.MonkeyPatch
) -> None:
    handover = case(PLANNED, successors=["anna"])
    add(handover, "wm_1", None)
    before(
        monkeypatch,
        lambda: handovers.change(Handover.get_by_id(handover.id), HR, kegui, successors=["bert"]),
    )

    run.advance(handover.id, kegui)

    assert items() == {"wm_1": (PLANNED, "bert")}
    assert Handover.get_by_id(handover.id).state == AWAITING_APPROVAL


def test_successors_named_while_it_runs_get_what_is_not_sent(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    add(handover, "wm_2", "bert")
    wecom.meanwhile = [
        lambda: handovers.change(
            Handover.get_by_id(handover.id), MANAGER, kegui, successors=["anna"]
        )
    ]

    run.advance(handover.id, kegui)

    assert wecom.sent == [("anna", ["wm_1"]), ("anna", ["wm_2"])]


def test_what_was_not_sent_after_all_goes_to_those_named_meanwhile(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    wecom.error = Transient("externalcontact/transfer_customer", None)
    wecom.meanwhile = [
        lambda: handovers.change(
            Handover.get_by_id(handover.id), MANAGER, kegui, successors=["bert"]
        )
    ]
    with pytest.raises(Transient):
        run.advance(handover.id, kegui)
    wecom.error = None

    run.advance(handover.id, kegui)

    assert wecom.sent[-1] == ("bert", ["wm_1"])


def test_what_has_begun_is_not_changed_as_if_it_had_not(kegui: Kegui) -> None:
    read = case(SCHEDULED)
    Handover.update(state=RUNNING).execute()

    with pytest.raises(handovers.NotPossible):
        handovers.change(read, HR, kegui, successors=["bert"])

    assert Handover.get().successors == []
    assert AuditEntry.select().count() == 0


def test_nobody_is_told_that_a_cancelled_case_was_approved(kegui: Kegui) -> None:
    read = case(AWAITING_APPROVAL)
    handovers.cancel(Handover.get_by_id(read.id), HR, kegui)

    with pytest.raises(handovers.NotPossible):
        handovers.approve(read, MANAGER, kegui)


def test_what_a_system_changes_before_an_approval_is_proposed_anew(kegui: Kegui) -> None:
    handover, _ = handovers.open_offboarding(
        "leaver", LAST_DAY, mode="approve", source="test", by=HR, kegui=kegui
    )
    seen = Proposal.get(Proposal.state == "open").id
    system = Who("api:hr system")

    handovers.change(handover, system, kegui, successors=["bert"])

    handover = Handover.get_by_id(handover.id)
    with pytest.raises(handovers.Changed):
        handovers.approve(handover, MANAGER, kegui, proposal_id=seen)
    # It is still HR's own: the system is no second person.
    with pytest.raises(SamePerson):
        handovers.approve(handover, HR, kegui)
    handovers.approve(handover, MANAGER, kegui)
    # An approval that was given outlasts what a system changes: HR's own data is no new proposal.
    handovers.change(Handover.get_by_id(handover.id), system, kegui, last_day=date(2026, 12, 1))
    assert Handover.get_by_id(handover.id).approved_by == "manager"


# ------------------------------------------------------------ contact ways


def way(state: str, *userids: str) -> ContactWay:
    now = clock.now()
    return ContactWay.create(
        config_id=state,
        qr_code="",
        userids=list(userids),
        state=state,
        remark="",
        channel="",
        created_at=now,
        updated_at=now,
    )


def leaves(userid: str) -> Handover:
    now = clock.now()
    return Handover.create(
        kind=OFFBOARDING,
        userid=userid,
        mode="auto",
        state=DONE_WITH_EXCEPTIONS,
        source="test",
        created_at=now,
        updated_at=now,
    )


def test_two_leavers_who_share_a_contact_way_are_both_taken_out(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    way("shop", "anna", "bert", "leaver")
    first, second = leaves("anna"), leaves("bert")
    turned_away = []

    def the_other_leaves() -> None:
        try:
            replace_leaver(second, kegui)
        except contact_ways.Changed as busy:
            turned_away.append(busy)

    wecom.meanwhile = [the_other_leaves]
    replace_leaver(first, kegui)
    assert turned_away
    replace_leaver(second, kegui)

    assert ContactWay.get().userids == ["leaver"]
    assert wecom.ways == [["bert", "leaver"], ["leaver"]]


def test_a_contact_way_is_not_changed_by_who_has_not_seen_how_it_stands(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    read = way("shop", "anna", "bert")
    replace_leaver(leaves("anna"), kegui)

    with pytest.raises(contact_ways.Changed):
        contact_ways.change(read, MANAGER, kegui, remark="new")

    assert ContactWay.get().userids == ["bert"]
    assert wecom.ways == [["bert"]]
    assert contact_ways.change(ContactWay.get(), MANAGER, kegui, remark="new").remark == "new"


def test_a_contact_way_is_not_deleted_while_another_changes_it(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    read = way("shop", "anna", "bert")
    turned_away = []

    def the_other_deletes() -> None:
        try:
            contact_ways.remove(read, MANAGER, kegui)
        except contact_ways.Changed as busy:
            turned_away.append(busy)

    wecom.meanwhile = [the_other_deletes]
    contact_ways.change(read, MANAGER, kegui, remark="new")

    assert turned_away
    assert ContactWay.get().remark == "new"
    assert wecom.ways == [["anna", "bert"]]
    contact_ways.remove(read, MANAGER, kegui)
    assert not ContactWay.select().exists()


def test_a_contact_way_that_wecom_refuses_is_left_to_a_person(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    way("shop", "anna", "bert")
    handover = leaves("anna")
    wecom.error = Refused("externalcontact/update_contact_way", 40096)

    replace_leaver(handover, kegui)

    assert ContactWay.get().userids == ["anna", "bert"]


# ------------------------------------------------------------ successors who go meanwhile


def test_a_plan_made_anew_is_another_proposal_of_the_same_person(kegui: Kegui) -> None:
    opened, _ = handovers.open_offboarding(
        "leaver", clock.now().date(), mode="approve", source="test", by=HR, kegui=kegui
    )
    add(opened, "wm_1", None)
    run.advance(opened.id, kegui)
    seen = Proposal.get(Proposal.state == "open").id
    assert items() == {"wm_1": (PLANNED, "anna")}
    Staff.update(on_leave=True).where(Staff.userid == "anna").execute()

    run.advance(opened.id, kegui)

    assert items() == {"wm_1": (PLANNED, "bert")}
    fresh = Handover.get_by_id(opened.id)
    with pytest.raises(handovers.Changed):
        handovers.approve(fresh, MANAGER, kegui, proposal_id=seen)
    with pytest.raises(SamePerson):
        handovers.approve(fresh, HR, kegui)
    now = Proposal.get(Proposal.state == "open").id
    assert handovers.approve(fresh, MANAGER, kegui, proposal_id=now).state == SCHEDULED


def test_a_contact_who_is_none_any_more_does_not_get_the_customer(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    HandoverItem.update(reason_code=ALREADY_CONTACT).execute()

    run.advance(handover.id, kegui)

    assert items()["wm_1"][0] == WAITING
    assert [customers for _, customers in wecom.sent] == [["wm_1"]]


def test_a_group_that_waits_for_tomorrow_goes_to_who_is_there(
    kegui: Kegui, wecom: FakeWeCom
) -> None:
    handover = case(RUNNING)
    add(handover, "wr_1", "anna", GROUP)
    Staff.update(on_duty=False).where(Staff.userid == "anna").execute()

    run.advance(handover.id, kegui)

    assert {to for to, _ in wecom.sent} == {"bert"}


def test_what_never_left_is_no_try(kegui: Kegui, wecom: FakeWeCom) -> None:
    handover = case(RUNNING)
    add(handover, "wm_1", "anna")
    endpoint = "externalcontact/transfer_customer"
    until = clock.now() + timedelta(minutes=5)
    for error in (
        OperatorNeeded(endpoint, 48002, "api forbidden"),
        Paused(endpoint, until, "api forbidden", 48002),
        Paused(endpoint, until, "api forbidden", 48002),
        Transient(endpoint, None, "network: ConnectTimeout"),
        OperatorNeeded("gettoken", 40001, "invalid credential"),
    ):
        wecom.error = error
        with pytest.raises(type(error)):
            run.advance(handover.id, kegui)

    tries = [(one.status, one.errcode) for one in TransferAttempt.select()]
    assert tries == [("not_sent", 48002)]
    assert items() == {"wm_1": (PLANNED, "anna")}
    waits = Reason("wecom_refused", {"endpoint": "gettoken", "errcode": 40001})
    assert Handover.get_by_id(handover.id).waits_for == waits
    wecom.error = None
    run.advance(handover.id, kegui)
    assert not Handover.get_by_id(handover.id).waits_for
    assert TransferAttempt.select().count() == 2
