"""How many customers' phone numbers one person may see within an hour."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock, db, migrations
from bot.jobs.alarms import end_finished_alarms
from bot.models import Alarm, AuditEntry, Customer, Relation
from tests.console.two_departments import (
    NORTHERN_PHONE,
    add_two_departments,
    come_in,
    open_house,
    send,
    token_of,
)

KIND = "phones_revealed_often"
REFUSED = "一小时内最多查看 2 位客户的手机号"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[APIFlask]:
    made = open_house(
        f"sqlite:///{tmp_path / 'kegui.db'}",
        KEGUI_PHONES_PER_HOUR="2",
        KEGUI_OPERATORS="root",
    )
    migrations.up()
    with db.connection():
        add_two_departments()
        for number in range(2, 6):
            customer, now = f"wm_more_{number}", clock.now()
            Customer.create(external_userid=customer, name="客户", met_at=now)
            Relation.begin(
                customer, "north_staff", state="active", source="event", at=now, noted_at=now
            )
    yield made
    cast(Any, db.database.obj).close_all()


def reveal(client: FlaskClient, customer: str) -> str:
    answer = send(client, f"/customers/{customer}/phones", token_of(client))
    if answer.status_code == 302:
        answer = client.get(answer.location)
    return answer.get_data(as_text=True)


def open_alarms() -> list[tuple[str, str]]:
    with db.connection():
        found = Alarm.select().where(Alarm.kind == KIND, Alarm.ended_at.is_null())
        return [(alarm.kind, alarm.subject) for alarm in found]


def test_who_sees_too_many_phones_sees_no_more_and_the_operators_hear_of_it(
    app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = come_in(app, "north_lead")

    assert NORTHERN_PHONE in reveal(client, "wm_more_2")
    assert NORTHERN_PHONE in reveal(client, "wm_more_3")
    # The same customer once more is no other phone.
    assert NORTHERN_PHONE in reveal(client, "wm_more_3")
    assert open_alarms() == []
    text = reveal(client, "wm_more_4")

    assert NORTHERN_PHONE not in text
    assert REFUSED in text
    assert open_alarms() == [(KIND, "north_lead")]
    with db.connection():
        refused = AuditEntry.select().where(AuditEntry.act == "customer.refuse_phones")
        assert [entry.subject for entry in refused] == ["customer wm_more_4"]
    # It counts for each person.
    assert NORTHERN_PHONE in reveal(come_in(app, "north_staff"), "wm_more_5")
    page = come_in(app, "root").get("/alarms").get_data(as_text=True)
    assert "一小时内查看了 2 位客户的手机号" in page

    later = clock.now() + timedelta(minutes=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    with db.connection():
        end_finished_alarms(app.extensions["console"])
    assert open_alarms() == []
    assert NORTHERN_PHONE in reveal(come_in(app, "north_lead"), "wm_more_4")
