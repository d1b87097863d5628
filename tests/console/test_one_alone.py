"""What one person alone must not bring about, however many pages they may open."""

import re
from collections.abc import Iterator
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot import clock, db
from bot.audit.log import Who
from bot.identity import roles, second_factors
from bot.identity.access import access_of
from bot.identity.proposals import open_one
from bot.identity.roles import NotPossible
from bot.models import (
    Conflict,
    Customer,
    Handover,
    HandoverItem,
    LocalUser,
    Ownership,
    Proposal,
    RoleGrant,
    Staff,
)
from bot.rights import Role
from tests.conftest import in_thread
from tests.console.conftest import MORNING, add_relation, in_days
from tests.console.two_departments import (
    add_two_departments,
    come_in,
    open_house,
    send,
    token_of,
)

MANY = 21


class House:
    """The two departments, and what stands in the addresses of the north."""

    def __init__(self, app: APIFlask, given: dict[str, Any]) -> None:
        self.app = app
        self.given = given
        self.leave = f"/offboardings/{given['handover_id']}"

    def as_(self, person: str, **more: Any) -> FlaskClient:
        return come_in(self.app, person, **{"stepped_up": False, **more})

    def say(self, person: str, path: str, **form: Any) -> TestResponse:
        client = self.as_(person)
        return send(client, path, token_of(client), **form)

    def case(self) -> Handover:
        with db.connection():
            return Handover.get_by_id(self.given["handover_id"])

    def proposal(self) -> int:
        with db.connection():
            found = open_one("offboarding", f"offboarding {self.given['handover_id']}")
            return found.id if found else 0


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    app = open_house(sqlite_url)
    with db.connection():
        given = add_two_departments()
    yield House(app, given)
    cast(Any, db.database.obj).close_all()


# ------------------------------------------------------------------------- who leaves


@pytest.mark.parametrize("victim", ["root", "compliance", "north_staff"])
def test_a_leave_that_nobody_has_approved_locks_nobody_out(house: House, victim: str) -> None:
    browser = house.as_(victim)
    over = str(in_days(-1))
    registered = house.say("hr", "/offboardings/new", userid=victim, last_day=over, past=over)
    assert registered.status_code == 302
    assert browser.get("/account").status_code == 200

    with db.connection():
        case = Handover.get(Handover.userid == victim, Handover.kind == "offboarding")
        Handover.update(approved_at=clock.now()).where(Handover.id == case.id).execute()

    assert browser.get("/account").status_code == 302


def test_what_is_changed_after_the_approval_is_approved_anew(house: House) -> None:
    seen = house.proposal()
    house.say("compliance", f"{house.leave}/approve", proposal=seen)
    assert house.case().approved_by == "compliance"

    house.say("hr", f"{house.leave}/change", last_day=str(in_days(2)), successors="south_staff")

    case = house.case()
    assert (case.state, case.approved_by, case.approved_at) == ("planned", None, None)
    assert (str(case.last_day), case.successors) == (str(in_days(2)), ["south_staff"])
    with db.connection():
        assert Proposal.get_by_id(house.proposal()).proposed_by == "hr"


def test_who_changes_a_leave_does_not_approve_it(house: House) -> None:
    house.say("north_lead", f"{house.leave}/change", last_day=str(in_days(2)), successors="")

    house.say("north_lead", f"{house.leave}/approve", proposal=house.proposal())

    assert house.case().approved_by is None
    house.say("compliance", f"{house.leave}/approve", proposal=house.proposal())
    assert house.case().approved_by == "compliance"


def test_an_approver_approves_what_they_have_seen(house: House) -> None:
    page = house.as_("compliance").get(f"{house.leave}/approve").get_data(as_text=True)
    [seen] = re.findall(r'name="proposal" value="(\d+)"', page)
    house.say("hr", f"{house.leave}/change", last_day=str(in_days(2)), successors="")

    house.say("compliance", f"{house.leave}/approve", proposal=seen)

    assert house.case().approved_by is None


def test_what_runs_is_changed_only_by_who_may_move_the_customers(house: House) -> None:
    with db.connection():
        Handover.update(state="running", approved_at=MORNING).execute()
    form = {"last_day": str(house.case().last_day), "successors": "north_staff"}

    assert house.say("hr", f"{house.leave}/change", **form).status_code == 404
    assert house.say("north_lead", f"{house.leave}/change", **form).status_code == 302
    assert house.case().successors == ["north_staff"]


def test_nobody_postpones_cancels_or_takes_back_their_own_leave(house: House) -> None:
    with db.connection():
        Handover.update(userid="hr", state="scheduled", approved_at=MORNING).where(
            Handover.id == house.given["handover_id"]
        ).execute()
    before = house.case()

    house.say("hr", f"{house.leave}/change", last_day=str(in_days(300)), successors="")
    house.say("hr", f"{house.leave}/cancel")
    with db.connection():
        Handover.update(state="done").where(Handover.id == before.id).execute()
    house.say("hr", "/staff/members/hr/edit", on_duty="1", returns="1", capacity="", licences="")

    after = house.case()
    assert (after.last_day, after.approved_at) == (before.last_day, before.approved_at)
    with db.connection():
        assert Staff.get(Staff.userid == "hr").returned_at is None


def test_many_customers_need_a_fresh_proof_before_the_plan_is_made_as_well(house: House) -> None:
    with db.connection():
        for number in range(MANY):
            add_relation(f"wm_many_{number}", "north_second", 1)

    answer = house.say("compliance", f"{house.leave}/approve", proposal=house.proposal())

    assert answer.location.startswith("/step-up")
    assert house.case().approved_by is None


def test_many_customers_of_a_running_case_need_a_fresh_proof_and_what_was_typed_stays(
    house: House,
) -> None:
    case = house.case()
    with db.connection():
        Handover.update(state="running", approved_at=MORNING).execute()
        for number in range(MANY):
            HandoverItem.create(
                handover=case, kind="customer", subject=f"wm_many_{number}", updated_at=MORNING
            )
    change = f"{house.leave}/change"
    form = {"last_day": str(case.last_day), "successors": "south_staff"}

    asked = house.as_("north_lead").get(change)
    sent = house.say("north_lead", change, **form)

    assert asked.location.startswith("/step-up")
    assert sent.location.startswith("/step-up")
    assert house.case().successors == []
    proved = house.as_("north_lead", stepped_up=True)
    [back] = parse_qs(urlsplit(sent.location).query)["next"]
    assert 'value="south_staff"' in proved.get(back).get_data(as_text=True)
    assert send(proved, back, token_of(proved), **form | {"successors": "north_staff"}).location
    assert house.case().successors == ["north_staff"]


# ------------------------------------------------------------------------- whose customers


def test_all_of_a_member_are_those_that_were_counted_and_named(house: House) -> None:
    with db.connection():
        for number in range(MANY):
            Customer.create(external_userid=f"wm_many_{number}", name="x", met_at=MORNING)
            add_relation(f"wm_many_{number}", "north_staff", 1)

    house.say("north_lead", "/moves/new", owner="north_staff", takeover_userid="by rule", key="a")

    with db.connection():
        moved = Handover.get(Handover.request_key == "form a")
        assert moved.scope == ["wm_north_1"]


def resolve(house: House, person: str, owner: str) -> int:
    path = f"/conflicts/{house.given['conflict_id']}/resolve"
    return house.say(person, path, owner=owner, reason="客户要求").status_code


def test_a_conflict_gives_no_manager_a_customer_of_another_department(house: House) -> None:
    with db.connection():
        add_relation("wm_north_1", "south_staff", 2)
        add_relation("wm_north_1", "north_lead", 3)

    assert resolve(house, "south_lead", "south_staff") == 404
    shown = house.as_("south_lead").get("/conflicts").get_data(as_text=True)
    assert f"/conflicts/{house.given['conflict_id']}/resolve" not in shown
    assert "北客1" in shown
    assert resolve(house, "north_lead", "north_lead") == 422
    with db.connection():
        current = Ownership.current("wm_north_1")
        assert current is not None
        assert current.userid == "north_staff"
    assert resolve(house, "north_lead", "south_staff") == 302


# ------------------------------------------------------------------------- the last administrator


def test_who_cannot_come_in_is_not_the_other_administrator(house: House) -> None:
    kegui = house.app.extensions["console"]
    with db.connection():
        assert not second_factors.has_one("local:ops")
        with pytest.raises(NotPossible):
            roles.propose("role.revoke", "root", Role.ADMINISTRATOR, None, Who("hr"), kegui, "x")


@pytest.mark.postgres
def test_of_the_last_two_administrators_one_stays_however_many_decide_at_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_house(postgres_url)
    kegui = app.extensions["console"]
    with db.connection():
        add_two_departments()
        LocalUser.change(LocalUser.disabled_at.is_null(), disabled_at=clock.now())
        RoleGrant.create(
            actor="member", role="administrator", granted_by="test", granted_at=MORNING
        )
        proposed = [
            roles.propose("role.revoke", actor, Role.ADMINISTRATOR, None, Who("hr"), kegui, "x")
            for actor in ("root", "member")
        ]

    both_checked, revoke = Barrier(2), roles.revoke

    def revoke_slowly(*arguments: Any) -> bool:
        with suppress(BrokenBarrierError):
            both_checked.wait(timeout=2)
        return revoke(*arguments)

    monkeypatch.setattr(roles, "revoke", revoke_slowly)

    def decide(proposal: Proposal, by: str) -> str:
        try:
            roles.decide(proposal, Who(by), kegui, is_approved=True, reason="x")
        except NotPossible:
            return "refused"
        return "done"

    both = [
        in_thread(lambda: decide(proposed[0], "compliance")),
        in_thread(lambda: decide(proposed[1], "reviewer")),
    ]
    answers = sorted(one.result(timeout=60) for one in both)

    with db.connection():
        held = RoleGrant.select().where(
            RoleGrant.role == "administrator", RoleGrant.revoked_at.is_null()
        )
        left = [row.actor for row in held if access_of(row.actor, clock.now().date())]
    cast(Any, db.database.obj).close_all()
    assert answers == ["done", "refused"]
    assert len(left) == 1


# ------------------------------------------------------------------------- what is seen


def test_what_somebody_looked_for_is_no_phone_and_shown_only_to_who_said_what_for(
    house: House,
) -> None:
    staff = house.as_("north_staff")
    staff.get("/customers?q=北客1")
    staff.get("/customers?q=13800000002")

    assert house.as_("auditor", purpose="").get("/audit").status_code == 302
    text = house.as_("auditor").get("/audit").get_data(as_text=True)
    assert "13800000002" not in text
    assert "138…" in text


def test_who_sees_no_customers_sees_no_name_of_their_groups(house: House) -> None:
    assert "北区客户群" not in house.as_("hr").get(house.leave).get_data(as_text=True)
    assert "北区客户群" in house.as_("north_lead").get(house.leave).get_data(as_text=True)


def test_a_filter_by_owner_names_nobody_outside(house: House) -> None:
    text = house.as_("south_staff").get("/customers?owner=north_staff").get_data(as_text=True)

    assert "北区north_staff" not in text


# ------------------------------------------------------------------------- how much


def test_a_form_names_no_more_members_than_are_looked_up_in_one_go(house: House) -> None:
    many = " ".join(f"x{number}" for number in range(60))
    form = {"userid": "north_staff", "last_day": str(in_days(1))}

    answer = house.say("north_lead", "/offboardings/new", **form, successors=many)
    unknown = house.say("north_lead", "/offboardings/new", **form, successors="nobody")

    assert (answer.status_code, unknown.status_code) == (422, 422)
    assert "最多填写 50 位成员" in answer.get_data(as_text=True)
    assert "没有名叫“nobody”的成员" in unknown.get_data(as_text=True)


def test_long_texts_are_refused(house: House) -> None:
    resolved = f"/conflicts/{house.given['conflict_id']}/resolve"
    settled = house.say("north_lead", resolved, owner="north_staff", reason="x" * 400_000)
    moved = house.say(
        "north_lead",
        "/moves/new",
        owner="north_second",
        takeover_userid="north_staff",
        key="k",
        transfer_success_msg="y" * 201,
    )

    with db.connection():
        assert Conflict.get_by_id(house.given["conflict_id"]).resolved_at is None
        assert Handover.select().where(Handover.request_key == "form k").count() == 0
    assert [one.status_code for one in (settled, moved)] == [422, 422]
