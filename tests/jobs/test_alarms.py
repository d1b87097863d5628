"""An outage is one alarm from its fifth minute to its end; an alarm is told when it can be."""

from datetime import timedelta
from typing import Any, cast

import pytest

from bot import clock
from bot.alarms import LEAVER_UNAPPROVED, end_alarm, raise_alarm, raise_alarm_for, tell_operators
from bot.jobs import alarms
from bot.jobs.alarms import end_finished_alarms, look_for_outages, tell_untold
from bot.kegui import Kegui
from bot.models import Alarm, EndpointPause, Handover
from bot.reason import Reason, in_words
from bot.vault import Vault
from bot.wecom import OperatorNeeded, Pause, Paused, Refused, Transient
from bot.wecom.stores import DatabasePauseStore
from config import settings
from tests.wecom.one_for_all import OneForAll

pytestmark = pytest.mark.usefixtures("store")


class FakeWeCom(OneForAll):
    """Answers one harmless question and takes messages, or does not."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.told: list[str] = []

    def customers_follow_users(self) -> list[str]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return []

    def messages_send_text(self, userids: list[str], _text: str) -> None:
        if self.error is not None:
            raise self.error
        self.told += userids


WECOM = FakeWeCom()
OPERATORS = {"KEGUI_OPERATORS": "it1,it2"}
VAULT = Vault("A" * 43 + "=")
KEGUI = Kegui(settings.load(OPERATORS), cast(Any, WECOM), cast(Any, None), VAULT)


def met_again_and_again(
    endpoint: str, minutes: float, errcode: int | None = None, tried_ago: float = 0
) -> None:
    """An endpoint has failed for so long, and some minutes ago for the last time."""
    tried = clock.now() - timedelta(minutes=tried_ago)
    DatabasePauseStore().set(Pause("app", endpoint, tried, "network errors", errcode))
    EndpointPause.update(since=clock.now() - timedelta(minutes=minutes)).where(
        EndpointPause.endpoint == endpoint
    ).execute()


def open_alarms() -> list[str]:
    return [alarm.kind for alarm in Alarm.select().where(Alarm.ended_at.is_null())]


def test_an_hour_without_wecom_is_one_alarm_for_all_endpoints() -> None:
    met_again_and_again("externalcontact/get", 61)
    met_again_and_again("externalcontact/list", 60, errcode=-1)

    for _ in range(3):
        look_for_outages(KEGUI)

    assert open_alarms() == ["wecom_unreachable"]
    [alarm] = Alarm.select()
    assert "externalcontact/get" in in_words(alarm.reason)
    assert "网络" in in_words(alarm.advice)


@pytest.mark.parametrize(
    ("state", "still_open"), [("awaiting_approval", True), ("running", False), ("cancelled", False)]
)
def test_a_leave_that_waits_for_nobody_needs_no_approval(state: str, still_open: bool) -> None:
    handover = Handover.create(
        kind="offboarding",
        userid="leaver",
        mode="approve",
        state=state,
        source="test",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    reason = Reason(LEAVER_UNAPPROVED, {"handover": handover.id})
    raise_alarm(LEAVER_UNAPPROVED, str(handover.id), reason, KEGUI)

    end_finished_alarms(KEGUI)

    assert open_alarms() == [LEAVER_UNAPPROVED] * still_open


def test_an_alarm_that_ends_while_others_are_told_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WECOM, "told", [])
    monkeypatch.setattr(WECOM, "error", Transient("message/send", None, "network"))
    for subject in ("first", "second"):
        raise_alarm("no_welcome_codes", subject, Reason("no_welcome_codes"), KEGUI)
    monkeypatch.setattr(WECOM, "error", None)

    def tell_and_end(alarm: Alarm, kegui: Kegui) -> None:
        tell_operators(alarm, kegui)
        end_alarm("no_welcome_codes", "second")

    monkeypatch.setattr(alarms, "tell_operators", tell_and_end)
    tell_untold(KEGUI)

    assert WECOM.told == ["it1", "it2"]


def test_the_alarm_ends_with_the_outage() -> None:
    met_again_and_again("externalcontact/get", 61)
    look_for_outages(KEGUI)

    DatabasePauseStore().clear("app", "externalcontact/get")
    look_for_outages(KEGUI)

    assert open_alarms() == []


@pytest.mark.parametrize(("minutes", "errcode"), [(4, None), (61, 45009), (61, 60020)])
def test_a_short_trouble_or_one_that_wecom_explains_is_no_outage(
    minutes: float, errcode: int | None
) -> None:
    met_again_and_again("externalcontact/get", minutes, errcode)

    look_for_outages(KEGUI)

    assert open_alarms() == []


@pytest.mark.parametrize(
    ("error", "still_open"),
    [(Transient("x", None), True), (Paused("x", clock.now(), ""), True), (Refused("x", 1), False)],
)
def test_where_nobody_wants_what_failed_a_harmless_question_shows_whether_wecom_answers(
    error: Exception, still_open: bool
) -> None:
    met_again_and_again("message/send", 61)
    look_for_outages(KEGUI)
    EndpointPause.delete().execute()
    met_again_and_again("message/send", 61, tried_ago=5)
    WECOM.error = error

    look_for_outages(KEGUI)

    assert open_alarms() == ["wecom_unreachable"] * still_open


def refused(endpoint: str, errcode: int = 48002) -> None:
    """WeCom has refused everybody an endpoint, and an operator must act."""
    raise_alarm_for(OperatorNeeded(endpoint, errcode, what_to_do=Reason("do_check_secret")), KEGUI)
    until = clock.now() + timedelta(minutes=5)
    DatabasePauseStore().set(Pause("app", endpoint, until, "refused", errcode))


def test_a_refused_endpoint_is_over_with_the_first_call_that_goes_well() -> None:
    for endpoint in ("externalcontact/get", "externalcontact/get_follow_user_list"):
        refused(endpoint)
    refused("externalcontact/get", 60020)
    end_finished_alarms(KEGUI)
    assert len(open_alarms()) == 3

    DatabasePauseStore().clear("app", "externalcontact/get")

    [alarm] = Alarm.select().where(Alarm.ended_at.is_null())
    assert alarm.subject.startswith("externalcontact/get_follow_user_list ")


def test_a_call_that_ends_no_pause_ends_no_alarm() -> None:
    raise_alarm_for(OperatorNeeded("gettoken", None, what_to_do=Reason("do_set_variable")), KEGUI)

    DatabasePauseStore().clear("app", "gettoken")
    end_finished_alarms(KEGUI)

    assert open_alarms() == ["wecom_needs_operator"]


def test_an_outage_of_which_nobody_wants_anything_is_over_within_minutes() -> None:
    WECOM.error = None
    met_again_and_again("message/send", 61)
    look_for_outages(KEGUI)
    assert open_alarms() == ["wecom_unreachable"]

    EndpointPause.update(until=clock.now() - timedelta(seconds=80)).execute()
    look_for_outages(KEGUI)

    assert open_alarms() == []


def test_while_the_endpoint_is_tried_anyway_nothing_more_is_asked() -> None:
    WECOM.asked, WECOM.error = 0, None
    met_again_and_again("message/send", 61, tried_ago=1)

    look_for_outages(KEGUI)

    assert WECOM.asked == 0
    assert open_alarms() == ["wecom_unreachable"]


def test_an_alarm_that_could_not_be_told_is_told_once_when_it_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WECOM, "told", [])
    monkeypatch.setattr(WECOM, "error", Transient("message/send", None, "network"))
    for subject in ("lasts", "is over"):
        raise_alarm("no_welcome_codes", subject, Reason("no_welcome_codes"), KEGUI)
    end_alarm("no_welcome_codes", "is over")
    tell_untold(KEGUI)
    assert WECOM.told == []

    monkeypatch.setattr(WECOM, "error", None)
    tell_untold(KEGUI)
    tell_untold(KEGUI)

    assert WECOM.told == ["it1", "it2"]
