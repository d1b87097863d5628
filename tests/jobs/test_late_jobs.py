"""A job that has not gone well for twice its interval is an alarm, and the house is not well."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from bot import clock, jobs
from bot.alarms import end_alarm, raise_alarm
from bot.capabilities import JOBS
from bot.capability import Job
from bot.effects import Busy
from bot.jobs.alarms import THIS_LOOK, look_for_late_jobs
from bot.kegui import Kegui
from bot.metrics import Storing
from bot.models import Alarm, JobRun, PlannedJob, SyncProgress, SyncRun
from bot.operations.metrics_page import Everything
from bot.operations.status import show
from bot.queue import Queue
from bot.reason import Reason, in_words
from bot.vault import Vault
from bot.wecom import OperatorNeeded, Pause, Paused, Transient
from bot.wecom.stores import DatabasePauseStore
from config import settings

KEGUI = Kegui(settings.load({}), cast(Any, None), cast(Any, None), Vault("A" * 43 + "="))


class Act:
    """A job that fails for as long as it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(self, _kegui: Kegui) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def act(store: str) -> Act:
    """What a job does that is struck here, under its own name; the timetable is known."""
    jobs.schedule(KEGUI, JOBS)
    return Act()


def strike(job: Job, act: Act) -> None:
    jobs.Strikes(KEGUI, lambda: True, JobRun.last()).strike(replace(job, run=act))


def pass_time(**time: float) -> None:
    """Let all that was done have been done so long ago."""
    length = timedelta(**time)
    for row in PlannedJob.select():
        row.well_at -= length
        row.failed_at = row.failed_at and row.failed_at - length
        row.save()
    for run in SyncRun.select():
        run.started_at -= length
        run.save()


Look = Callable[[], tuple[list[str], bool]]


@pytest.fixture
def look(queue_url: str) -> Look:
    """Gives the subjects of the open alarms, and whether `kegui status` says that all is well."""

    def look() -> tuple[list[str], bool]:
        look_for_late_jobs(KEGUI)
        text, is_well = show(queue_url, as_json=False)
        late = [alarm.subject for alarm in Alarm.select().where(Alarm.ended_at.is_null())]
        assert all(f"job {subject} has not gone well" in text for subject in late)
        return sorted(late), is_well

    return look


BY_NAME = {job.name: job for job in JOBS}
# Of the look itself no look can tell, but `kegui status` does.
WATCHED = [job for job in JOBS if job.run is not look_for_late_jobs]


def clock_strikes_the_look() -> None:
    PlannedJob.update(well_at=clock.now()).where(PlannedJob.job == THIS_LOOK).execute()


def test_a_look_that_fails_itself_is_told_by_the_command(act: Act, queue_url: str) -> None:
    pass_time(minutes=3)
    PlannedJob.update(well_at=clock.now()).where(PlannedJob.job != THIS_LOOK).execute()
    act.error = KeyError("a bug")
    with pytest.raises(KeyError):
        strike(BY_NAME[THIS_LOOK], act)

    text, is_well = show(queue_url, as_json=False)

    assert not is_well
    assert f"job {THIS_LOOK} has not gone well for 1" in text


def test_after_a_time_without_a_clock_nothing_is_late_before_it_could_strike(act: Act) -> None:
    pass_time(hours=1)

    look_for_late_jobs(KEGUI)

    assert Alarm.select().count() == 0


@pytest.mark.parametrize("job", WATCHED, ids=lambda job: job.name)
def test_every_job_that_fails_for_twice_its_interval_is_an_alarm_until_it_goes_well(
    act: Act, look: Look, job: Job
) -> None:
    name = job.name
    act.error = Transient("externalcontact/get", None, "network")
    patience = timedelta(seconds=PlannedJob.get_by_id(name).patience)
    strike(job, act)
    others = PlannedJob.job != name
    pass_time(seconds=patience.total_seconds() - 30)
    PlannedJob.update(well_at=clock.now()).where(others).execute()
    assert look() == ([], True)

    pass_time(seconds=60)
    strike(job, act)
    PlannedJob.update(well_at=clock.now()).where(others).execute()
    assert look() == ([name], False)
    [alarm] = Alarm.select()
    assert alarm.kind == "job_late"
    assert name in in_words(alarm.reason)
    assert "kegui status" in in_words(alarm.advice)

    # A look each minute raises no second one.
    assert look() == ([name], False)
    assert Alarm.select().count() == 1

    act.error = None
    strike(job, act)
    assert look() == ([], True)


@pytest.mark.parametrize("job", WATCHED, ids=lambda job: job.name)
def test_a_job_that_is_never_begun_or_never_ends_is_late_too(act: Act, job: Job) -> None:
    pass_time(days=3)

    clock_strikes_the_look()
    look_for_late_jobs(KEGUI)

    assert job.name in {alarm.subject for alarm in Alarm.select()}


def test_a_bug_in_a_job_is_a_failure(act: Act) -> None:
    act.error = KeyError("a bug")

    with pytest.raises(KeyError):
        strike(BY_NAME["readings.unassigned"], act)

    assert PlannedJob.get_by_id("readings.unassigned").failed_at is not None


def test_what_is_on_the_timetable_no_longer_is_never_late(act: Act) -> None:
    ago = clock.now() - timedelta(days=9)
    PlannedJob.create(job="old.job", patience=1, may_take=1, well_at=ago)
    JobRun.create(job="old.job", struck_at=ago, error_code="bug")

    jobs.schedule(KEGUI, JOBS)
    look_for_late_jobs(KEGUI)

    assert Alarm.select().count() == 0


def test_who_begins_to_lead_forgets_nothing_of_what_fails(act: Act) -> None:
    pass_time(days=3)

    jobs.schedule(KEGUI, JOBS)
    clock_strikes_the_look()
    look_for_late_jobs(KEGUI)

    assert Alarm.select().where(Alarm.subject == "readings.everything").exists()


def test_the_nightly_reading_went_well_whichever_job_or_command_ended_it(
    act: Act, look: Look
) -> None:
    act.error = Transient("externalcontact/get", None, "network")
    pass_time(hours=49)
    strike(BY_NAME["readings.everything"], act)
    PlannedJob.update(well_at=clock.now()).where(PlannedJob.job != "readings.everything").execute()
    assert look() == (["readings.everything"], False)

    SyncRun.create(run="r", kind="repair", started_at=clock.now(), finished_at=clock.now())

    assert look() == ([], True)


def test_a_first_import_that_goes_on_is_not_late_and_one_that_stands_still_is(
    act: Act, look: Look
) -> None:
    act.error = Transient("externalcontact/get", None, "network")
    SyncRun.create(run="r", kind="import", started_at=clock.now())
    pass_time(minutes=30)
    PlannedJob.update(well_at=clock.now()).where(
        PlannedJob.job != "readings.first_import"
    ).execute()
    assert look() == ([], True)

    strike(BY_NAME["readings.first_import"], act)
    assert look() == (["readings.first_import"], False)

    SyncProgress.create(run="r", step="customers", subject="zhangsan", finished_at=clock.now())
    assert look() == ([], True)


AWAY = (
    Transient("message/send", None, "network"),
    Paused("message/send", clock.now(), "network errors"),
)
OTHER_REASONS = (
    Transient("message/send", -1, "system busy"),
    Paused("message/send", clock.now(), "refused", 48002),
    Busy("another process"),
    OperatorNeeded("message/send", 48002),
)
DIGESTS = "notices.send_digests"


def late_in_an_outage(act: Act, error: Exception) -> None:
    """The digests have not been sent for three minutes: the last time they failed like this."""
    act.error = error
    pass_time(minutes=3)
    strike(BY_NAME[DIGESTS], act)
    PlannedJob.update(well_at=clock.now()).where(PlannedJob.job != DIGESTS).execute()


def late_alarms() -> list[str]:
    look_for_late_jobs(KEGUI)
    still = Alarm.select().where(Alarm.kind == "job_late", Alarm.ended_at.is_null())
    return [alarm.subject for alarm in still]


def told_of_an_outage() -> None:
    raise_alarm("wecom_unreachable", "", Reason("wecom_unreachable"), KEGUI)


def no_answer_yet() -> None:
    DatabasePauseStore().set(Pause("app", "user/get", clock.now(), "network errors", None))


@pytest.mark.parametrize("begin", [told_of_an_outage, no_answer_yet])
@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_what_fails_because_wecom_is_out_of_reach_is_no_alarm_of_its_own(
    act: Act, queue_url: str, begin: Callable[[], None], error: Exception
) -> None:
    begin()
    late_in_an_outage(act, error)

    assert late_alarms() == []

    text, is_well = show(queue_url, as_json=False)
    assert not is_well
    assert f"job {DIGESTS} has not gone well" in text


@pytest.mark.parametrize("error", OTHER_REASONS, ids=repr)
def test_what_fails_for_another_reason_in_an_outage_is_an_alarm(act: Act, error: Exception) -> None:
    told_of_an_outage()
    late_in_an_outage(act, error)

    assert late_alarms() == [DIGESTS]


def test_what_still_fails_after_the_outage_is_an_alarm_and_what_was_not_tried_is_none(
    act: Act,
) -> None:
    told_of_an_outage()
    late_in_an_outage(act, AWAY[0])
    end_alarm("wecom_unreachable")
    assert late_alarms() == []

    strike(BY_NAME[DIGESTS], act)

    assert late_alarms() == [DIGESTS]


def test_an_alarm_from_before_the_outage_stands_until_the_job_goes_well(act: Act) -> None:
    late_in_an_outage(act, OTHER_REASONS[0])
    assert late_alarms() == [DIGESTS]

    told_of_an_outage()
    act.error = AWAY[0]
    strike(BY_NAME[DIGESTS], act)
    assert late_alarms() == [DIGESTS]

    act.error = None
    strike(BY_NAME[DIGESTS], act)
    assert late_alarms() == []


def test_late_jobs_are_told_to_programs_and_to_prometheus(act: Act, queue_url: str) -> None:
    pass_time(hours=3)

    shown, _ = show(queue_url, as_json=True)
    late = {row["job"] for row in json.loads(shown)["planned"] if row["late"]}
    assert late == {job.name for job in JOBS if PlannedJob.get_by_id(job.name).patience < 10_000}

    found = {
        sample.labels["job"]
        for metric in Everything(Queue(queue_url), Storing(CollectorRegistry())).collect()
        for sample in metric.samples
        if sample.name == "kegui_job_late" and sample.value
    }
    assert found == late
