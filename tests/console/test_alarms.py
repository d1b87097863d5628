"""告警: what an operator must do now, what is over, and who may know."""

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot.models import Alarm
from bot.rights import Role
from tests.console.conftest import add_person, at, log_in


def page(client: FlaskClient) -> str:
    return client.get("/alarms").get_data(as_text=True)


@pytest.mark.usefixtures("database")
def test_without_an_alarm_the_page_says_that_all_is_well(client: FlaskClient) -> None:
    text = page(client)

    assert "一切正常" in text
    assert "已解除" not in text


@pytest.mark.usefixtures("firm")
def test_an_alarm_is_shown_until_it_ends_and_then_stands_below(client: FlaskClient) -> None:
    opened = page(client)
    Alarm.update(ended_at=at(60)).execute()
    ended = page(client)

    assert ("60020" in opened, "一切正常" in opened, "已解除" in opened) == (True, False, False)
    assert ("60020" in ended, "一切正常" in ended, "已解除" in ended) == (True, True, True)


@pytest.mark.usefixtures("firm")
def test_whoever_lacks_the_right_is_refused(app: APIFlask) -> None:
    add_person("hr_wang", "王", Role.HR)
    client = app.test_client()
    log_in(client, "hr_wang")

    assert client.get("/alarms").status_code == 403
