"""Behind no link and no form that a page shows somebody stands a refusal."""

import re
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from bot import clock, db
from bot.alarms import LEAVER_UNAPPROVED
from bot.console.channels import contact_ways
from bot.console.gate import PUBLIC, SIGNED_IN
from bot.identity import access
from bot.models import Alarm, EndpointPause, Handover, Staff
from bot.reason import Reason
from bot.wecom.images import Image
from tests.console.conftest import MORNING, add_event, add_notice, add_troubles
from tests.console.test_walls import filled
from tests.console.two_departments import NORTH, PEOPLE, come_in, open_house

__all__ = ["filled"]

LINK = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"')
FORM = re.compile(r"<form\b([^>]*)>")
# So many of one page that differ in what stands behind the question mark say enough.
OF_ONE_PAGE = 12


@pytest.fixture
def app(
    filled: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[APIFlask]:
    shutil.copy(filled[0], tmp_path / "kegui.db")
    monkeypatch.setattr(contact_ways, "_image", lambda _way: Image(b"x", "image/png"))
    made = open_house(f"sqlite:///{tmp_path / 'kegui.db'}")
    with db.connection():
        EndpointPause.delete().execute()
        add_troubles()
        _add_what_leads_on()
    yield made
    cast(Any, db.database.obj).close_all()


def _add_what_leads_on() -> None:
    """What has links of its own: a leader elsewhere, a leaver without approval, a silent member."""
    Staff.update(direct_leader="root").where(Staff.userid == "north_lead").execute()
    leaving = Handover.get(Handover.userid == "north_second")
    Alarm.create(
        kind=LEAVER_UNAPPROVED,
        subject=str(leaving.id),
        reason=Reason(LEAVER_UNAPPROVED, {"handover": leaving.id}),
        since=MORNING,
    )
    Staff.create(userid="mute", name="无码", departments=[NORTH], serves=True, seen_at=MORNING)
    for number in range(10):
        event = add_event("add_external_contact", "mute", 60, external_userid=f"wm_mute_{number}")
        add_notice(event, "no_code")


def pages(client: FlaskClient) -> Iterator[tuple[str, str, int, str]]:
    """Each page to which links lead from the home page: where its link stands, its address, the
    answer's status and text."""
    waiting, met, often = deque([("", "/")]), {"/"}, dict[str, int]()
    while waiting:
        stands_on, address = waiting.popleft()
        answer = client.get(address)
        text = answer.get_data(as_text=True)
        yield stands_on, address, answer.status_code, text
        found = [html(link) for link in LINK.findall(text)]
        if "Location" in answer.headers:
            found.append(answer.headers["Location"])
        for link in found:
            there = urljoin(f"http://localhost{address}", link)
            parts = urlsplit(there)
            if parts.netloc != "localhost" or "static" in parts.path or "lang=" in parts.query:
                continue
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            often[parts.path] = often.get(parts.path, 0) + (target not in met)
            if target not in met and often[parts.path] <= OF_ONE_PAGE:
                met.add(target)
                waiting.append((address, target))


def html(text: str) -> str:
    return text.replace("&amp;", "&").replace("&#39;", "'")


def needed_for(app: APIFlask, address: str, method: str) -> Any:
    view, _given = app.url_map.bind("").match(urlsplit(address).path, method=method)
    return cast(Any, app.view_functions[str(view)]).needed


@pytest.mark.parametrize("person", [person for person in PEOPLE if person])
def test_behind_no_link_and_no_form_stands_a_refusal(app: APIFlask, person: str) -> None:
    client = come_in(app, person)
    with db.connection():
        me = access.access_of(person, clock.now().date())
    assert me is not None
    refused, met = [], 0
    for stands_on, address, status, text in pages(client):
        met += 1
        if status in (403, 404, 405) or status >= 500:
            refused.append(f"{stands_on} -> {address}: {status}")
        for form in FORM.findall(text):
            action = html((re.findall(r'action="([^"]*)"', form) or [address])[0]) or address
            method = "POST" if 'method="post"' in form else "GET"
            needed = needed_for(app, action, method)
            if needed not in (PUBLIC, SIGNED_IN) and not me.may(needed):
                refused.append(f"{address} has a form for {action}, which needs {needed}")

    assert refused == []
    # Whoever has no role has a home and an account.
    assert met >= (4 if person == "member" else 8)


@pytest.mark.parametrize("person", ["compliance", "reviewer", "auditor", "root"])
def test_who_watches_over_the_wording_reads_it(app: APIFlask, person: str) -> None:
    client = come_in(app, person)
    home = client.get("/").get_data(as_text=True)
    [path] = set(re.findall(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*合规签发的内容', home))

    text = client.get(path).get_data(as_text=True)

    assert "您好，感谢您添加我为好友！" in text
    assert "版本 " in text
