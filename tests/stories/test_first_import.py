"""The first reading of a firm that has customers already, and later ones that repair."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Stack, running_stack, until

MEMBERS = [f"import_{n:02}" for n in range(20)]
SHARED = ["wm_00_0", "wm_01_0"]
READING = "externalcontact/batch/get_by_user"


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Stack]:
    """5000 customers of 20 members, two of them known to two members; embedded only."""
    url = f"sqlite:///{tmp_path}/kegui.db"
    with running_stack(tmp_path, url, url, "web", API_PER_SECOND="500") as stack:
        stack.hire(*MEMBERS, department=70)
        for number, member in enumerate(MEMBERS):
            stack.customers(member, [f"wm_{number:02}_{n}" for n in range(250)])
        stack.customers(MEMBERS[19], SHARED)
        yield stack


def test_the_first_reading_survives_a_kill_and_disturbs_nobody(firm: Stack) -> None:
    firm.fault("batch/get_by_user", latency_seconds=0.1)
    firm.start("sync")
    until(lambda: len(firm.calls(READING)) >= 20)
    firm.kill("sync")
    read_before = len(firm.calls(READING))
    firm.sandbox.delete("/sandbox/faults")

    until(lambda: firm.try_command("sync"), 90)

    # 250 customers are three pages; the page under way when it was killed may come again.
    read_after = len(firm.calls(READING)) - read_before
    assert read_before + read_after <= (len(MEMBERS) + 3) * 3 + 1
    assert firm.api.get("/customers", owner="none", limit=200)["items"] == [
        firm.api.get(f"/customers/{one}") for one in SHARED
    ]
    owners = Counter(
        customer["owner"]["userid"] for customer in firm.api.every("/customers", owner="any")
    )
    assert sum(owners.values()) == 4998
    assert owners[MEMBERS[5]] == 250
    assert firm.api.every("/conflicts") == []
    assert firm.api.every("/gaps") == []
    assert firm.sandbox.get("/sandbox/executed")["executed"] == []
    assert firm.logs().count("sync_member") >= len(MEMBERS)


def test_a_later_reading_repairs_what_no_callback_told(stack: Stack) -> None:
    stack.hire("repaired", department=71)
    stack.customers("repaired", ["wm_repaired_0", "wm_repaired_1"])
    stack.command("sync")
    stack.meet("repaired", "wm_missed_add", name="丁女士", deliver={"drop": True})
    stack.sandbox.post(
        "/sandbox/staff/repaired/delete_customer",
        external_userid="wm_repaired_1",
        deliver={"drop": True},
    )

    stack.command("sync")

    assert stack.owner("wm_missed_add") == "repaired"
    [ended] = stack.api.get("/customers/wm_repaired_1")["relations"]
    assert (ended["state"], ended["end"]) == ("ended", "not_listed")
    assert stack.executed("welcome_sent") == []
    assert stack.told_of_conflicts("丁女士") == []
    assert stack.told("repaired") == []
