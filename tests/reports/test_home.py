"""The numbers of the first page, as far as each may see what is counted."""

from datetime import UTC

import pytest

from bot import clock
from bot.identity.access import EVERYBODY, NOBODY, Scope
from bot.models import Customer, Ownership, Relation
from bot.reason import Reason
from bot.reports import home
from bot.reports.home import Scopes, numbers


def meet(external_userid: str, userid: str) -> None:
    now = clock.now()
    Customer.meet(external_userid, channel="", met_at=now)
    Relation.begin(external_userid, userid, state="active", source="event", at=now, noted_at=now)


def test_customers_are_counted_no_further_than_anybody_reads(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        meet(f"wm_{number}", "zhangsan")
        Ownership.claim(f"wm_{number}", "zhangsan", at=clock.now(), reason=Reason("test"))
    # One of another's, and one of nobody's: in contact with both.
    meet("wm_0", "lisi")
    meet("wm_of_nobody", "lisi")

    def count(scope: Scope) -> int:
        return numbers(clock.now(), UTC, Scopes(customers=scope)).customers

    assert count(EVERYBODY) == 6
    assert count(Scope(userid="zhangsan")) == 5
    assert count(Scope(userid="lisi")) == 2
    assert count(NOBODY) == 0

    monkeypatch.setattr(home, "MOST_NUMBERED", 4)
    assert count(EVERYBODY) == 4
    assert count(Scope(userid="zhangsan")) == 4
    assert count(Scope(userid="lisi")) == 2
