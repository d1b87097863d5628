"""Somebody looks at the audit log every night: what is broken or not sealed is an alarm."""

from collections.abc import Callable

import pytest

from bot import clock
from bot.audit.log import AuditLog
from bot.jobs.audit import look, seal, verify, verify_again
from bot.kegui import Kegui
from bot.models import Alarm, AuditSeal
from bot.operations.status import show
from bot.reason import in_words
from tests.audit.test_log import acts, attack
from tests.jobs.test_alarms import KEGUI, open_alarms
from tests.operations.test_status import ago

__all__ = ["attack"]

pytestmark = pytest.mark.usefixtures("store")


def strike(*jobs: Callable[[Kegui], None]) -> None:
    for job in jobs:
        job(KEGUI)


def status(queue_url: str) -> tuple[str, bool]:
    return show(queue_url, as_json=False)


def test_a_whole_log_is_no_trouble(queue_url: str) -> None:
    acts(3)

    strike(seal, verify, look)

    assert open_alarms() == []
    assert status(queue_url)[1]


def test_a_broken_log_is_an_alarm_until_it_is_whole(
    attack: Callable[[str], None], queue_url: str
) -> None:
    acts(3)
    strike(seal)
    attack("UPDATE audit_entry SET actor = 'api:bert' WHERE number = 2")

    strike(verify)

    assert open_alarms() == ["audit_broken"]
    alarm = Alarm.get()
    assert "entry" in in_words(alarm.reason)
    assert "kegui audit verify" in in_words(alarm.advice)
    text, is_well = status(queue_url)
    assert not is_well
    assert "the audit log has " in text
    strike(verify_again)
    assert open_alarms() == ["audit_broken"]
    attack("UPDATE audit_entry SET actor = 'api:anna' WHERE number = 2")
    strike(verify_again)
    assert open_alarms() == []
    assert status(queue_url)[1]


def test_a_log_that_nobody_seals_is_an_alarm_until_it_is_sealed(
    monkeypatch: pytest.MonkeyPatch, queue_url: str
) -> None:
    early = ago(minutes=6)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: early)
        acts(2)
    strike(look)
    assert open_alarms() == ["audit_unsealed"]
    text, is_well = status(queue_url)
    assert not is_well
    assert "an entry of the audit log has had no seal for 3" in text

    strike(seal, look)

    assert open_alarms() == []
    assert status(queue_url)[1]


def test_what_waits_for_seconds_only_is_no_trouble(queue_url: str) -> None:
    acts(2)

    strike(look)

    assert open_alarms() == []
    assert status(queue_url)[1]


def test_a_row_at_the_end_of_all_numbers_is_told_the_next_night(queue_url: str) -> None:
    acts(1)
    strike(seal)
    AuditSeal.insert(position=2**63 - 1, entry_id=999, link="x").execute()
    acts(2)

    strike(seal, look, verify)

    assert open_alarms() == ["audit_broken"]
    assert "the audit log has 1 faults" in status(queue_url)[0]
    assert AuditSeal.select().count() == 4


def test_a_long_log_is_verified_with_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What entries may name of the chain goes to a file."""
    monkeypatch.setattr("bot.audit.chain.STOOD_IN_MEMORY", 64)
    for _ in range(8):
        acts(2)
        strike(seal)

    assert list(AuditLog(KEGUI.vault).verify()[1]) == []
