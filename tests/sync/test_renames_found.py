"""The event of a new userid was lost: the reading asks a person, and nobody loses a customer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.audit.log import Who
from bot.models import Alarm, Handover, Ownership, Relation, Staff, SyncFinding, SyncRun
from bot.reason import in_words
from bot.sync import everything, renames
from tests.benchmarks import repair
from tests.benchmarks.repair import Firm
from tests.sandbox.process import running_sandbox


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture
def firm(store: str, sandbox_url: str, tmp_path: Path) -> Firm:
    """Three members with four customers each, imported."""
    queue = f"sqlite:///{tmp_path / 'queue.db'}"
    firm = repair.make_firm(tmp_path, sandbox_url, store, queue, 3, 4, API_PER_SECOND="500")
    firm.build()
    everything.read_everything(firm.kegui)
    return firm


def owned_by(userid: str) -> int:
    return Ownership.select().where(Ownership.userid == userid, Ownership.until.is_null()).count()


def open_questions() -> list[str]:
    query = Alarm.select().where(Alarm.kind == renames.MAYBE_RENAMED, Alarm.ended_at.is_null())
    return [alarm.subject for alarm in query]


def for_a_person(run: SyncRun) -> list[tuple[str, str]]:
    query = SyncFinding.select().where(SyncFinding.run == run.run, SyncFinding.outcome == "person")
    return [(one.kind, one.subject) for one in query.order_by(SyncFinding.id)]


def test_who_has_the_contacts_of_a_member_who_is_not_shown_is_asked_about(firm: Firm) -> None:
    former, present = firm.userid(1), "e1001"
    firm.act(f"staff/{former}/rename", new_userid=present)

    for _ in range(2):
        run = everything.read_everything(firm.kegui)

        assert for_a_person(run) == [("member_maybe_renamed", former)]
        assert (owned_by(former), owned_by(present)) == (4, 0)
        assert Handover.select().count() == 0
        [alarm] = Alarm.select().where(Alarm.kind == renames.MAYBE_RENAMED)
        assert f"kegui rename-member {former} {present}" in in_words(alarm.advice)

    renames.say_so(former, present, Who("cli:root"), firm.kegui)

    assert (owned_by(former), owned_by(present)) == (0, 4)
    assert Relation.select().where(Relation.userid == former).count() == 0
    assert open_questions() == []
    assert for_a_person(everything.read_everything(firm.kegui)) == []


def test_who_is_not_shown_and_is_like_nobody_is_asked_about_as_before(firm: Firm) -> None:
    former = firm.userid(1)
    firm.sandbox.patch(f"/sandbox/staff/{former}", visible=False)
    firm.sandbox.post("/sandbox/staff", userid="newcomer", departments=[2])

    run = everything.read_everything(firm.kegui)

    assert for_a_person(run) == [("member_not_shown", former)]
    assert open_questions() == []


def test_a_question_ends_when_the_member_is_shown_again(firm: Firm) -> None:
    former = firm.userid(1)
    firm.act(f"staff/{former}/rename", new_userid="e1001")
    everything.read_everything(firm.kegui)
    firm.act("staff/e1001/rename", new_userid=former)

    everything.read_everything(firm.kegui)

    assert former not in open_questions()
    assert owned_by(former) == 4


def test_what_a_reading_wrote_under_the_former_userid_follows(firm: Firm) -> None:
    former, present = firm.userid(1), "e1001"
    firm.act(f"staff/{former}/rename", new_userid=present)
    renames.say_so(former, present, Who("cli:root"), firm.kegui)
    # As a page that was asked for before, and written after.
    Relation.update(userid=former).where(Relation.external_userid == firm.customer(1, 0)).execute()

    everything.read_everything(firm.kegui)

    assert {one.userid for one in Relation.select()} == {firm.userid(0), present, firm.userid(2)}
    assert Staff.get_or_none(Staff.userid == former) is None
