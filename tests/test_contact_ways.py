"""How many customers came by each contact way, on both databases."""

from bot import clock
from bot.models import ContactWay, Customer
from bot.reports.contact_ways import customers_by_state


def test_customers_are_counted_by_the_state_they_came_with(store: str) -> None:
    now = clock.now()
    for config_id, state in (("a", "expo"), ("b", "expo"), ("c", "web"), ("d", "")):
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
    for number in range(5):
        Customer.meet(f"wm_{number}", channel="expo", met_at=now)
    Customer.meet("wm_other", channel="", met_at=now)

    assert customers_by_state(["expo", "web", ""]) == {"expo": 5, "web": 0}
    assert customers_by_state(["expo", "web"], most=3) == {"expo": 3, "web": 0}
    assert customers_by_state([]) == {}
