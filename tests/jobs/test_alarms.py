"""An outage is one alarm from its fifth minute to its end, whatever was being asked."""

from datetime import timedelta
from typing import Any, cast

import pytest

from bot import clock
from bot.jobs.alarms import look_for_outages
from bot.kegui import Kegui
from bot.models import Alarm, EndpointPause
from bot.stores import DatabasePauseStore
from bot.wecom import Pause
from config import settings

pytestmark = pytest.mark.usefixtures("store")
KEGUI = Kegui(settings.load({}), *([cast(Any, None)] * 3))


def met_again_and_again(endpoint: str, minutes: float, errcode: int | None = None) -> None:
    """An endpoint has failed for so long, and just now again."""
    DatabasePauseStore().set(Pause("app", endpoint, clock.now(), "network errors", errcode))
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
    assert "externalcontact/get" in alarm.text
    assert "网络" in alarm.what_to_do


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
