"""Many small moves within an hour are one large one: they ask for a second factor as well."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock, db
from bot.models import Conflict, Customer, Handover, HandoverItem, Login, Ownership
from bot.reason import Reason
from tests.console.conftest import MORNING, add_relation
from tests.console.two_departments import add_two_departments, come_in, open_house, send, token_of

MANY = 60


@pytest.fixture
def given() -> dict[str, Any]:
    return {}


@pytest.fixture
def app(database_url: str, tmp_path: Path, given: dict[str, Any]) -> Iterator[APIFlask]:
    """The two departments; many customers of the north's are one member's."""
    made = open_house(database_url, KEGUI_QUEUE_URL=f"sqlite:///{tmp_path / 'queue.db'}")
    with db.connection():
        given |= add_two_departments()
        for number in range(MANY):
            one = f"wm_many_{number}"
            Customer.create(external_userid=one, name=f"客户{number}", met_at=MORNING)
            Ownership.create(
                external_userid=one, userid="north_staff", since=MORNING, reason=Reason("")
            )
            add_relation(one, "north_staff", 0)
            add_relation(one, "north_second", 1)
    yield made
    made.extensions["console"].queue.close()
    cast(Any, db.database.obj).close_all()


@pytest.fixture
def lead(app: APIFlask) -> FlaskClient:
    """The browser of the north's manager, who has proved nothing beside the login."""
    return come_in(app, "north_lead", stepped_up=False)


def move(client: FlaskClient, first: int, number: int) -> TestResponse:
    asked = [f"wm_many_{one}" for one in range(first, first + number)]
    form = {"takeover_userid": "by rule", "key": f"key {first}", "external_userid": asked}
    return send(client, "/moves/new", token_of(client), **form)


def is_asked(answer: TestResponse) -> bool:
    return str(answer.headers.get("Location", "")).startswith("/step-up")


def prove(actor: str) -> None:
    with db.connection():
        Login.change(Login.actor == actor, stepped_up_at=clock.now())


def settle(client: FlaskClient, number: int, owner: str = "north_second") -> TestResponse:
    path = f"/conflicts/{number}/resolve"
    return send(client, path, token_of(client), owner=owner, reason="因为")


def moved() -> int:
    with db.connection():
        return HandoverItem.select().where(HandoverItem.subject.startswith("wm_many")).count()


def test_small_moves_add_up(app: APIFlask, lead: FlaskClient) -> None:
    assert not is_asked(move(lead, 0, 12))
    assert not is_asked(move(lead, 12, 8))
    assert moved() == 20

    asked = move(lead, 20, 1)

    assert is_asked(asked)
    assert moved() == 20
    prove("north_lead")
    assert not is_asked(move(lead, 20, 1))
    assert moved() == 21
    page = come_in(app, "north_lead", stepped_up=False)
    asked = page.get("/moves/new?external_userid=wm_many_22")
    assert is_asked(asked)
    reason = page.get(asked.location).get_data(as_text=True)
    assert "一小时内共超过 20 位" in reason


def test_after_an_hour_one_begins_anew(
    app: APIFlask, lead: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(lead, 0, 20)
    assert is_asked(move(lead, 20, 1))

    later = clock.now() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert not is_asked(move(come_in(app, "north_lead", stepped_up=False), 20, 1))


def test_another_person_has_moved_nothing(app: APIFlask, lead: FlaskClient) -> None:
    move(lead, 0, 20)

    south = come_in(app, "south_lead", stepped_up=False)
    assert not is_asked(south.get("/moves/new?owner=south_staff"))


def test_conflicts_count_and_are_counted(
    app: APIFlask, lead: FlaskClient, given: dict[str, Any]
) -> None:
    with db.connection():
        numbers = [
            Conflict.create(
                external_userid=f"wm_many_{one}",
                owner="north_staff",
                contenders=["north_second"],
                opened_at=MORNING,
            ).id
            for one in range(40, 44)
        ]
    assert not is_asked(settle(lead, numbers[0]))
    assert not is_asked(settle(lead, numbers[1], owner="north_staff"))

    assert is_asked(move(lead, 0, 20))
    assert not is_asked(move(lead, 0, 19))

    assert is_asked(settle(lead, numbers[2]))
    with db.connection():
        assert Conflict.get_by_id(numbers[2]).state == "open"


def test_approvals_and_changes_count(
    app: APIFlask, lead: FlaskClient, given: dict[str, Any]
) -> None:
    path = f"/offboardings/{given['handover_id']}"
    move(lead, 0, 19)

    asked = send(lead, f"{path}/approve", token_of(lead), proposal=given["proposal"])

    assert is_asked(asked)
    with db.connection():
        assert Handover.get_by_id(given["handover_id"]).approved_at is None
        Handover.update(state="running").where(Handover.id == given["handover_id"]).execute()
    assert is_asked(lead.get(f"{path}/change"))
    assert is_asked(send(lead, f"{path}/change", token_of(lead), last_day="", successors=""))


def test_many_at_the_same_moment_add_up_too(app: APIFlask) -> None:
    browsers = [come_in(app, "north_lead", stepped_up=False) for _ in range(4)]
    for browser in browsers:
        token_of(browser)

    with ThreadPoolExecutor(len(browsers)) as pool:
        list(pool.map(lambda one: move(browsers[one], one * 15, 15), range(len(browsers))))

    assert moved() == 15
