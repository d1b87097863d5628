"""A handover goes on while others write to the same database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from bot import clock
from bot.db import transaction
from bot.handover import approval_cards, plan, run, transfers
from bot.handover.words import ALREADY_CONTACT
from bot.models import Handover, HandoverItem, Staff
from bot.models.handover import (
    AWAITING_APPROVAL,
    CUSTOMER,
    OFFBOARDING,
    PLANNED,
    RUNNING,
    SCHEDULED,
)
from tests.conftest import in_thread

pytestmark = pytest.mark.usefixtures("store")


def test_what_others_write_meanwhile_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    case = Handover.create(
        kind=OFFBOARDING,
        userid="leaver",
        state=RUNNING,
        mode="auto",
        source="test",
        created_at=now,
        updated_at=now,
    )
    for name in ("wm_1", "wm_2", "wm_3"):
        HandoverItem.create(
            handover=case,
            kind=CUSTOMER,
            subject=name,
            state=PLANNED,
            takeover_userid="lisi",
            reason_code=ALREADY_CONTACT,
            updated_at=now,
        )
    given: list[str] = []

    @contextmanager
    def after_somebody_else() -> Iterator[None]:
        new = f"new_{len(given)}"
        in_thread(lambda: Staff.create(userid=new, seen_at=now)).result()
        with transaction():
            yield

    monkeypatch.setattr(run, "transaction", after_somebody_else)
    monkeypatch.setattr(
        transfers, "give_ownership", lambda _case, item, _to: given.append(item.subject)
    )

    run._finish_already_contacts(case)

    assert given == ["wm_1", "wm_2", "wm_3"]
    assert {item.state for item in HandoverItem.select()} == {"done"}


@pytest.mark.parametrize(
    ("before", "meanwhile", "state"),
    [(True, False, AWAITING_APPROVAL), (False, True, SCHEDULED), (True, True, SCHEDULED)],
)
def test_what_a_person_decides_while_the_plan_is_made_counts(
    monkeypatch: pytest.MonkeyPatch, before: bool, meanwhile: bool, state: str
) -> None:
    """Approved, or changed so that an approval is void, just when the plan is ready."""
    now = clock.now()
    case = Handover.create(
        kind=OFFBOARDING,
        userid="leaver",
        last_day=(now + timedelta(days=30)).date(),
        mode="approve",
        source="test",
        approved_at=now if before else None,
        created_at=now,
        updated_at=now,
    )
    go_to = run._go_to

    def decide_first(handover: Handover, *how: Any) -> Handover:
        decided = clock.now() if meanwhile else None
        in_thread(lambda: Handover.update(approved_at=decided).execute()).result()
        return go_to(handover, *how)

    monkeypatch.setattr(run, "_account_is_gone", lambda *_: False)
    monkeypatch.setattr(run, "begins_at", lambda *_: clock.now())
    monkeypatch.setattr(plan, "collect", lambda *_: None)
    monkeypatch.setattr(plan, "assign_successors", lambda *_, **__: None)
    monkeypatch.setattr(approval_cards, "ask_for_approval", lambda *_: None)
    monkeypatch.setattr(run, "_warn_when_gone", lambda *_: None)
    monkeypatch.setattr(run, "_go_to", decide_first)

    run._advance(case, cast(Any, None))

    assert Handover.get_by_id(case.id).state == state
