"""Answers that lack a field, and a firm whose departments may not be listed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.audit.log import Who
from bot.channels import contact_ways
from bot.models import ContactWay, Customer, Department, Staff, SyncFinding
from bot.models.staff import LEFT
from bot.staff import staff
from bot.sync import everything
from tests.benchmarks import repair
from tests.benchmarks.repair import Firm
from tests.sandbox.process import running_sandbox

USER = ("name", "department", "main_department", "is_leader_in_dept", "direct_leader", "status")


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture
def firm(store: str, sandbox_url: str, tmp_path: Path) -> Firm:
    """Three members with four customers each; not read yet."""
    queue = f"sqlite:///{tmp_path / 'queue.db'}"
    firm = repair.make_firm(tmp_path, sandbox_url, store, queue, 3, 4, API_PER_SECOND="500")
    firm.build()
    return firm


def lack(firm: Firm, endpoint: str, *fields: str) -> None:
    firm.sandbox.post("/sandbox/faults", endpoint=endpoint, without=list(fields))


def kinds_found(firm: Firm) -> set[str]:
    run = everything.read_everything(firm.kegui)
    return {one.kind for one in SyncFinding.select().where(SyncFinding.run == run.run)}


def members() -> list[dict[str, object]]:
    query = Staff.select().where(Staff.serves).order_by(Staff.userid)
    names = ("userid", "name", "departments", "main_department", "direct_leader", "status")
    return [{name: getattr(one, name) for name in names} for one in query]


def led() -> dict[int, list[str]]:
    return {one.id: one.leaders for one in Department.select() if one.leaders}


def test_what_an_answer_about_a_member_lacks_stays_as_it_is_known(firm: Firm) -> None:
    firm.sandbox.patch(
        f"/sandbox/staff/{firm.userid(1)}", direct_leader=firm.userid(0), is_leader_in_dept=[1]
    )
    firm.sandbox.patch(f"/sandbox/staff/{firm.userid(2)}", status=2)
    firm.sandbox.patch("/sandbox/apps/app", forbidden=["department/list"])
    everything.read_everything(firm.kegui)
    known, leads = members(), led()
    assert (known[1]["direct_leader"], known[2]["status"]) == (firm.userid(0), 2)
    lack(firm, "user/get", *USER)
    lack(firm, "user/simplelist", "userlist.name", "userlist.department")

    found = kinds_found(firm)
    staff.look_again([firm.userid(1), firm.userid(2)], firm.kegui)

    assert found == set()
    assert (members(), led()) == (known, leads)


def test_a_leaver_comes_not_back_because_an_answer_has_no_status(firm: Firm) -> None:
    everything.read_everything(firm.kegui)
    gone = Staff.get_by_id(firm.userid(1))
    Staff.update(status=LEFT, left_at=gone.seen_at).where(Staff.userid == gone.userid).execute()
    lack(firm, "user/get", "status")

    staff.refresh(gone.userid, firm.kegui)

    assert not Staff.get_by_id(gone.userid).is_here


def test_what_an_answer_about_a_customer_lacks_stays_as_it_is_known(firm: Firm) -> None:
    everything.read_everything(firm.kegui)
    known = {(one.external_userid, one.name, one.type) for one in Customer.select()}
    contact = "external_contact_list.external_contact"
    lack(firm, "externalcontact/batch/get_by_user", f"{contact}.name", f"{contact}.type")

    assert kinds_found(firm) == set()
    assert {(one.external_userid, one.name, one.type) for one in Customer.select()} == known


def test_a_contact_way_keeps_its_members_where_the_answer_names_none(firm: Firm) -> None:
    everything.read_everything(firm.kegui)
    contact_ways.make([firm.userid(0)], "s", "", "", Who("test"), firm.kegui)
    lack(firm, "externalcontact/get_contact_way", "contact_way.user")

    assert kinds_found(firm) == set()
    assert [one.userids for one in ContactWay.select()] == [[firm.userid(0)]]


@pytest.mark.parametrize("may_read_the_tree", [True, False])
def test_a_leader_who_moved_leads_where_they_are_where_no_list_says_so(
    firm: Firm, may_read_the_tree: bool
) -> None:
    forbidden = ["department/list"] if may_read_the_tree else ["department/*"]
    firm.sandbox.post("/sandbox/departments", departments=[{"id": 8, "name": "八部"}])
    serving, boss = firm.userid(1), "boss"
    firm.sandbox.post(
        "/sandbox/staff",
        staff=[
            {"userid": boss, "departments": [2], "is_leader_in_dept": [1], "follow": False},
            {"userid": serving, "is_leader_in_dept": [1], "direct_leader": boss},
        ],
    )
    firm.sandbox.patch("/sandbox/apps/app", forbidden=forbidden)
    everything.read_everything(firm.kegui)
    assert {number: sorted(leaders) for number, leaders in led().items()} == {2: [boss, serving]}

    for userid in (boss, serving):
        firm.sandbox.patch(f"/sandbox/staff/{userid}", departments=[8], is_leader_in_dept=[1])
    everything.read_everything(firm.kegui)

    assert {number: sorted(leaders) for number, leaders in led().items()} == {8: [boss, serving]}
    assert staff.manager_of(firm.userid(0)) is None


def test_an_event_of_a_move_is_enough(firm: Firm) -> None:
    leader = firm.userid(1)
    firm.sandbox.post("/sandbox/departments", departments=[{"id": 8, "name": "八部"}])
    firm.sandbox.patch(f"/sandbox/staff/{leader}", is_leader_in_dept=[1])
    firm.sandbox.patch("/sandbox/apps/app", forbidden=["department/list"])
    everything.read_everything(firm.kegui)
    assert led() == {2: [leader]}

    firm.sandbox.patch(f"/sandbox/staff/{leader}", departments=[8], is_leader_in_dept=[0])
    staff.look_again([leader], firm.kegui)

    assert led() == {}
