"""How many customers came by each contact way, on both databases."""

from datetime import timedelta

import pytest

from bot import clock
from bot.channels.by_channel import customers_by_state, customers_within_by_state
from bot.identity import access
from bot.identity.access import NOBODY, Scope
from bot.models import ContactWay, Customer, Ownership, Relation, Staff
from bot.reason import Reason


def add_way(config_id: str, state: str) -> None:
    now = clock.now()
    ContactWay.create(
        config_id=config_id,
        state=state,
        channel=state,
        qr_code="",
        remark="",
        userids=[],
        created_at=now,
        updated_at=now,
    )


def test_customers_are_counted_by_the_state_they_came_with(store: str) -> None:
    now = clock.now()
    for config_id, state in (("a", "expo"), ("b", "expo"), ("c", "web"), ("d", "")):
        add_way(config_id, state)
    for number in range(5):
        Customer.meet(f"wm_{number}", channel="expo", met_at=now)
    Customer.meet("wm_other", channel="", met_at=now)

    assert customers_by_state(["expo", "web", ""]) == {"expo": 5, "web": 0}
    assert customers_by_state(["expo", "web"], most=3) == {"expo": 3, "web": 0}
    assert customers_by_state([]) == {}


@pytest.mark.parametrize("is_large", [False, True])
def test_only_the_customers_within_are_counted_among_the_latest(
    store: str, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    if is_large:
        monkeypatch.setattr(access, "LARGE", 1)
    now = clock.now()
    add_way("a", "expo")
    add_way("b", "web")
    for userid, department in (("lihua", 2), ("wangwu", 3)):
        Staff.create(userid=userid, departments=[department], seen_at=now)
    for number, owner in enumerate(["wangwu", "lihua", "wangwu", "lihua", "wangwu"]):
        Customer.meet(f"wm_{number}", channel="expo", met_at=now + timedelta(number))
        Ownership.claim(f"wm_{number}", owner, at=now, reason=Reason(""))
    Relation.begin("wm_0", "lihua", state="active", source="event", at=now, noted_at=now)

    def counted(latest: int, scope: Scope) -> dict[str, int]:
        return customers_within_by_state(["expo", "web"], scope, latest)

    assert counted(10, Scope(departments=frozenset({2}))) == {"expo": 3, "web": 0}
    assert counted(10, Scope(departments=frozenset({3}))) == {"expo": 3, "web": 0}
    assert counted(10, Scope(userid="wangwu")) == {"expo": 3, "web": 0}
    assert counted(10, NOBODY) == {"expo": 0, "web": 0}
    assert counted(2, Scope(departments=frozenset({2}))) == {"expo": 1, "web": 0}
