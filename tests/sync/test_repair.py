"""The nightly reading: it finds and heals what differs, and is whole also after a kill."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import clock, db
from bot.models import (
    Customer,
    Handover,
    InboxEvent,
    Lease,
    Notice,
    Ownership,
    Relation,
    SyncCount,
    SyncFinding,
    SyncProgress,
    SyncRun,
)
from bot.models.sync_run import REPAIR, UNASSIGNED
from bot.queue import Lane
from bot.sync import everything, findings, sync_leavers
from bot.sync import reading as readings
from bot.sync.reading import Reading, resume_or_begin
from bot.sync.rules import NAME_CHANGED, Difference
from bot.wecom import Page, Refused, Transient
from tests.benchmarks import repair
from tests.benchmarks.repair import Firm
from tests.children import Child
from tests.sandbox.process import running_sandbox
from tests.stack import until

PAGES = "externalcontact/batch/get_by_user"


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture
def firm(store: str, sandbox_url: str, tmp_path: Path) -> Firm:
    """Twenty-six members with eleven customers each, imported."""
    queue = f"sqlite:///{tmp_path / 'queue.db'}"
    firm = repair.make_firm(tmp_path, sandbox_url, store, queue, 26, 11, API_PER_SECOND="500")
    firm.build()
    everything.read_everything(firm.kegui)
    return firm


def found_in(run: SyncRun) -> list[tuple[str, str, str]]:
    query = SyncFinding.select().where(SyncFinding.run == run.run).order_by(SyncFinding.id)
    return [(one.kind, one.subject, one.outcome) for one in query]


def test_a_first_reading_finds_nothing_and_tells_nobody(firm: Firm) -> None:
    [run] = SyncRun.select()

    assert (run.kind, run.members, run.customers) == ("import", 26, 286)
    assert found_in(run) == []
    assert Ownership.select().where(Ownership.until.is_null()).count() == 286
    assert Notice.select().count() == 0
    assert firm.sandbox.get("/sandbox/executed")["executed"] == []


def test_every_kind_of_difference_is_found_once_and_healed_or_left_to_a_person(
    firm: Firm,
) -> None:
    firm.plant(times=3)

    first = repair.read(firm)
    again = repair.read(firm)

    assert (first.missed, first.extra) == ([], [])
    assert [one for one in again.extra if one[2] == "healed"] == []
    persons = {one for one in firm.planted if one[2] == "person"}
    assert set(firm.planted) - set(again.missed) == persons
    # Whom no page could show lost nobody.
    unread = Relation.select().where(Relation.userid == firm.userid(21))
    assert {one.state for one in unread} == {"active"}
    told = firm.sandbox.get("/sandbox/executed")["executed"]
    assert {row["effect"] for row in told} & {"welcome_sent", "app_message"} == set()
    run = SyncRun.select().order_by(SyncRun.started_at.desc()).get()
    counts = {one.kind: one.person for one in findings.summary(run).counts}
    assert counts["contact_way_gone"] == 2


def test_a_reading_without_differences_writes_next_to_nothing(firm: Firm) -> None:
    with repair.counted_statements() as counter:
        run = everything.read_everything(firm.kegui)

    assert found_in(run) == []
    assert counter["statements"] < 12 * 26 + 60


def test_a_callback_while_the_reading_runs_wins_over_the_older_page(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, renamed, met = firm.customer(1, 0), firm.customer(1, 1), "wm_met_meanwhile"
    ask = firm.kegui.wecom.customers.batch_by_user

    def events(userid: str) -> None:
        now = clock.now()
        Relation.finish(ended, userid, at=now, end="deleted_by_member")
        Relation.begin(met, userid, state="active", source="event", at=now, noted_at=now)
        Customer.update(name="新").where(Customer.external_userid == renamed).execute()

    def page_then_events(userid: str, cursor: str = "") -> Page:
        page = ask(userid, cursor)
        if userid == firm.userid(1):
            with db.connection():
                events(userid)
        return page

    Customer.update(name="旧").where(Customer.external_userid == renamed).execute()
    monkeypatch.setattr(firm.kegui.wecom.customers, "batch_by_user", page_then_events)
    everything.read_everything(firm.kegui)

    states = {
        one.external_userid: one.state
        for one in Relation.select().where(Relation.userid == firm.userid(1))
    }
    assert (states[ended], states[met]) == ("ended", "active")
    assert Customer.get_by_id(renamed).name == "新"


def test_a_customer_of_whom_an_event_is_to_be_handled_is_left_to_it(firm: Firm) -> None:
    customer = "wm_met_before_the_crash"
    for userid in (firm.userid(0), firm.userid(1)):
        firm.sandbox.post(
            "/sandbox/customers", userid=userid, external_userid=customer, silent=True
        )
    now = clock.now()
    event = InboxEvent.create(
        key="open",
        source="customer",
        event="change_external_contact",
        change_type="add_external_contact",
        userid=firm.userid(0),
        external_userid=customer,
        lane=Lane.WORK,
        payload=b"",
        received_at=now,
        due_at=now,
    )

    everything.read_everything(firm.kegui)
    assert Customer.get_by_id(customer).review is None

    event.state = "done"
    event.save()
    everything.read_everything(firm.kegui)
    assert Customer.get_by_id(customer).review is not None


def test_a_customer_whom_the_pages_skipped_is_not_called_gone(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = firm.kegui.wecom.customers.batch_by_user

    def one_short(userid: str, cursor: str = "") -> Page:
        page = ask(userid, cursor)
        return Page(page.items[1:], page.next_cursor)

    monkeypatch.setattr(firm.kegui.wecom.customers, "batch_by_user", one_short)
    run = everything.read_everything(firm.kegui)

    assert found_in(run) == []
    assert Relation.select().where(Relation.state != "active").count() == 0


def test_who_loses_the_licence_to_serve_while_being_read_loses_no_customers(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = firm.userid(2)
    asked = iter([[firm.userid(n) for n in range(26)], [firm.userid(0)]])
    monkeypatch.setattr(firm.kegui.wecom.customers, "follow_users", lambda: next(asked))
    firm.sandbox.patch(f"/sandbox/staff/{member}", follow=False)

    everything.read_everything(firm.kegui)

    assert {one.state for one in Relation.select().where(Relation.userid == member)} == {"active"}


def test_trouble_on_the_way_leaves_the_run_open_and_the_next_one_goes_on(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    ask = firm.kegui.wecom.customers.batch_by_user

    def fails(userid: str, cursor: str = "") -> Page:
        nonlocal read
        read += 1
        if read > 8:
            raise Transient("batch", -1)
        return ask(userid, cursor)

    monkeypatch.setattr(firm.kegui.wecom.customers, "batch_by_user", fails)
    with pytest.raises(Transient):
        everything.read_everything(firm.kegui)
    assert everything.was_interrupted()
    finished = SyncProgress.select().where(
        SyncProgress.step == "member", SyncProgress.finished_at.is_null(False)
    )
    done = {row.subject for row in finished}

    again: list[str] = []

    def counts(userid: str, cursor: str = "") -> Page:
        again.append(userid)
        return ask(userid, cursor)

    monkeypatch.setattr(firm.kegui.wecom.customers, "batch_by_user", counts)
    run = everything.read_everything(firm.kegui)

    assert len(done) == 8
    assert not done & set(again)
    assert (run.finished_at is not None, everything.was_interrupted()) == (True, False)
    assert SyncProgress.select().count() == 0


def test_a_killed_reading_goes_on_at_its_page_and_its_report_is_whole(
    firm: Firm, store: str
) -> None:
    """kill -9 again and again: no page is read twice but the ones under way."""
    firm.sandbox.patch("/sandbox/switches", page_rows=2)
    firm.plant(times=3)
    firm.sandbox.post("/sandbox/faults", endpoint=PAGES, latency_seconds=0.05)
    before = len(pages(firm))
    for more in (20, 70):
        process = start_sync(firm)
        has_asked(firm, before + more)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        Lease.delete().execute()
    assert start_sync(firm).wait(timeout=120) == 0

    run = SyncRun.get(SyncRun.kind == REPAIR)
    found = found_in(run)
    assert set(firm.planted) - set(found) == set()
    noted = SyncFinding.select().where(SyncFinding.outcome == "healed")
    healed = Counter((one.kind, one.subject, one.userid) for one in noted)
    assert [one for one, number in healed.items() if number > 1] == []
    assert SyncRun.select().where(SyncRun.kind == REPAIR).count() == 1
    # A call that was cut off by the kill may have come without its body.
    rows = [row for row in pages(firm)[before:] if "userid_list" in row]
    asked = Counter((row["userid_list"][0], row["cursor"]) for row in rows)
    twice = sum(number - 1 for number in asked.values())
    assert twice <= 2 * firm.kegui.settings.api_parallel
    assert SyncCount.select().where(SyncCount.run == run.run).count() > 20


def pages(firm: Firm) -> list[dict[str, Any]]:
    rows = firm.sandbox.get("/sandbox/calls", endpoint=PAGES)["calls"]
    return [row["parameters"] for row in rows]


def has_asked(firm: Firm, number: int) -> None:
    until(lambda: len(pages(firm)) >= number)


def start_sync(firm: Firm) -> Child:
    return Child("bot", ["sync"], {**os.environ, **firm.place.environment}, Path(os.devnull))


def test_the_hourly_list_goes_on_with_the_next_page(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (3, 4):
        firm.sandbox.post(f"/sandbox/staff/{firm.userid(number)}/leave", announce=False)
    firm.sandbox.patch("/sandbox/switches", page_rows=11)
    ask, asked = firm.kegui.wecom.resigned.unassigned_page, []

    def fails_at_the_second(cursor: str = "") -> Any:
        if cursor:
            raise Transient("list", -1)
        return ask(cursor)

    monkeypatch.setattr(firm.kegui.wecom.resigned, "unassigned_page", fails_at_the_second)
    with pytest.raises(Transient):
        sync_leavers.read_unassigned(firm.kegui)

    def watched(cursor: str = "") -> Any:
        asked.append(cursor)
        return ask(cursor)

    monkeypatch.setattr(firm.kegui.wecom.resigned, "unassigned_page", watched)
    run = sync_leavers.read_unassigned(firm.kegui)

    assert run is not None
    assert "" not in asked
    assert found_in(run) == [
        ("leaver_unreported", firm.userid(3), "healed"),
        ("leaver_unreported", firm.userid(4), "healed"),
    ]
    assert {handover.userid for handover in Handover.select()} == {
        firm.userid(3),
        firm.userid(4),
    }
    assert SyncRun.select().where(SyncRun.kind == UNASSIGNED).count() == 1


def test_a_list_whose_cursor_is_forgotten_begins_anew(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(resume_or_begin(UNASSIGNED), firm.kegui)
    with reading.writing():
        reading.go_on(sync_leavers.STEP, cursor="forgotten")
    ask, asked = firm.kegui.wecom.resigned.unassigned_page, []

    def page(cursor: str = "") -> Any:
        asked.append(cursor)
        if cursor == "forgotten":
            raise Refused("list", 50100)
        return ask(cursor)

    monkeypatch.setattr(firm.kegui.wecom.resigned, "unassigned_page", page)

    assert sync_leavers.read_unassigned(firm.kegui) is not None
    assert asked == ["forgotten", ""]


def test_the_hourly_list_alone_is_no_import(firm: Firm) -> None:
    SyncRun.delete().execute()

    sync_leavers.read_unassigned(firm.kegui)

    assert everything.first_import_is_due()


def test_a_flood_of_differences_keeps_some_rows_and_the_whole_count(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "ROWS_OF_A_KIND", 5)
    run = SyncRun.create(run="flood", kind=REPAIR, started_at=clock.now())
    for _ in range(2):
        reading = Reading(run, firm.kegui)
        with reading.writing():
            reading.note([Difference(NAME_CHANGED, f"wm_{n}") for n in range(4)])

    assert len(found_in(run)) == 5
    assert [(one.kind, one.healed) for one in findings.summary(run).counts] == [(NAME_CHANGED, 8)]


def test_reports_are_kept_ninety_days_and_the_import_is_never_forgotten(firm: Firm) -> None:
    old = clock.now() - readings.KEPT - timedelta(days=1)
    SyncRun.update(started_at=old).execute()
    SyncRun.create(run="old", kind=UNASSIGNED, started_at=old, finished_at=old)
    SyncCount.create(run="old", kind=NAME_CHANGED, outcome="healed", number=1)

    sync_leavers.read_unassigned(firm.kegui)

    assert SyncCount.select().count() == 0
    assert {run.kind for run in SyncRun.select()} == {"import", UNASSIGNED}
    assert not everything.first_import_is_due()
