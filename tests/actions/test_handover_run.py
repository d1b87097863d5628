"""A handover goes on while others write to the same database."""

import pytest

from bot import clock
from bot.actions import handover_run, transfers
from bot.actions.handover_plan import ALREADY_CONTACT
from bot.models import Handover, HandoverItem, Staff
from bot.models.handover import CUSTOMER, OFFBOARDING, PLANNED, RUNNING
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
            reason=ALREADY_CONTACT,
            updated_at=now,
        )
    given = []

    def give(_case: Handover, item: HandoverItem, _to: str) -> None:
        given.append(item.subject)
        in_thread(lambda: Staff.create(userid=f"new_{item.subject}", seen_at=now)).result()

    monkeypatch.setattr(transfers, "give_ownership", give)

    handover_run._finish_already_contacts(case)

    assert given == ["wm_1", "wm_2", "wm_3"]
    assert {item.state for item in HandoverItem.select()} == {"done"}
