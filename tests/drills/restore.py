"""Restore drill: the database is destroyed in the middle of everything and comes back older.

    python -m tests.drills.restore [sqlite] [postgres]

All of Kegui runs beside the sandbox. A backup is taken while customers come, one handover runs
and two wait for their approval. Afterwards they are approved: one comes to its end, with a
customer who refuses the first heir, the other is on its way. Then every process is killed, the
database is destroyed, and while nobody is there a member leaves. After the restore and a reading
the sandbox's books must show that nothing was done twice, and all cases must come to their end.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.conftest import POSTGRES_URL
from tests.drills.scene import (
    DAY_SECONDS,
    Arrivals,
    check,
    check_all_transferred,
    check_nothing_twice,
    check_owners,
    log_tail,
    say,
    start_leaving,
)
from tests.stack import ALL, Stack, running_stack, until
from tests.stories.conftest import QUICK, empty_redis, own_database


def drill(kind: str, folder: Path) -> None:
    with own_database(kind, folder) as url:
        queue_url = url if kind == "sqlite" else empty_redis()
        with running_stack(folder, url, queue_url, **QUICK) as stack:
            until(lambda: stack.try_command("sync"))
            play(stack, url, folder / "backups" / "monday")


def play(stack: Stack, url: str, backup: Path) -> None:
    cases = {
        "leaver": start_leaving(stack, "leaver", 41),
        "patient": start_leaving(stack, "patient", 42, mode="approve"),
        "waiter": start_leaving(stack, "waiter", 43, mode="approve"),
    }
    stack.command("sync")
    stack.transferred("leaver", 12)
    stack.case("patient", "awaiting_approval")
    stack.case("waiter", "awaiting_approval")

    before, after = Arrivals(stack, "before"), Arrivals(stack, "after")
    with before.coming():
        before.have_come(10)
        # What is open at the moment of the backup, and done right after it.
        stack.fault("send_welcome_msg", latency_seconds=1, probability=0.5, seed=1)
        before.have_come(5)
        say(stack.command("backup", str(backup)))
        before.have_come(5)
    stack.sandbox.delete("/sandbox/faults")
    refuses = cases["patient"][0]
    live_on(stack, refuses)
    stack.hire("goner", "goner_heir", department=44)
    cases["goner"] = ["wm_goner_0", "wm_goner_1"]
    stack.customers("goner", cases["goner"])
    stack.meet("lisi", next(iter(before.met)))
    until(stack.told_of_conflicts)
    with after.coming():
        after.have_come(10)
        for name in ALL:
            stack.kill(name)
    destroy(url)
    stack.sandbox.post("/sandbox/staff/goner/leave")
    stack.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=60)
    say(f"destroyed; {len(after.met)} customers came after the backup")

    began = time.monotonic()
    for line in stack.command("restore", str(backup)).splitlines():
        say(line)
    stack.start(*ALL)
    stack.command("sync")
    stack.run_job("readings", "unassigned")
    say(f"restored, started and read in {time.monotonic() - began:.0f} s")

    stack.case("leaver", "done")
    approve(stack, "patient")
    stack.case("patient", "done")
    approve(stack, "waiter")
    for leaver in ("waiter", "goner"):
        stack.transferred(leaver, len(cases[leaver]))
        until(partial(waits_for_wecom, stack, leaver))
    stack.pass_time(DAY_SECONDS)
    for leaver in ("waiter", "goner"):
        stack.case(leaver, "done")
    stack.settled()

    check_nothing_twice(stack, may_repeat={("patient", refuses)})
    for leaver, customers in cases.items():
        check_all_transferred(stack, leaver, customers)
    check_owners(stack, before.met | after.met)
    say(f"{len(before.met) + len(after.met)} customers have their owner")
    check_notices(stack, before)


def live_on(stack: Stack, refuses: str) -> None:
    """After the backup two cases are approved and come to their end, but for the last step."""
    approve(stack, "patient")
    stack.transferred("patient", 12)
    stack.sandbox.post(f"/sandbox/customers/{refuses}/refuse_transfer")
    stack.transferred("patient", 13)
    stack.pass_time(DAY_SECONDS)
    stack.case("leaver", "done")
    stack.case("patient", "done")
    approve(stack, "waiter")
    stack.transferred("waiter", 12)


def approve(stack: Stack, userid: str) -> None:
    case = stack.case(userid, "awaiting_approval")
    stack.api.post(f"/offboardings/{case['id']}/approve")


def waits_for_wecom(stack: Stack, leaver: str) -> bool:
    """Every item of the case waits for WeCom: nothing is planned, nothing in doubt."""
    return set(stack.case(leaver, "running")["counts"]) == {"waiting"}


def check_notices(stack: Stack, before: Arrivals) -> None:
    """What Kegui says of a notice agrees with the platform's book, or it says "unknown"."""
    told = {str(row["external_userid"]) for row in stack.executed("welcome_sent")}
    states: dict[str, int] = {}
    for customer in before.met:
        for notice in stack.timeline(customer, "notice"):
            state = notice["state"]
            states[state] = states.get(state, 0) + 1
            check(state in ("delivered", "unknown"), f"{customer} was {state}")
            check(state != "delivered" or customer in told, f"{customer} was not told")
    say(f"notices: {states}")
    check(states.get("unknown", 0) > 0, "no welcome was open at the moment of the backup")


def destroy(url: str) -> None:
    """Lose the database, with all that is beside it."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(path.name + "*"):
            file.unlink()
        return
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(f"{POSTGRES_URL}/postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute(f"CREATE DATABASE {name}".encode())


def main(kinds: list[str]) -> None:
    for kind in kinds or ["sqlite", "postgres"]:
        began = time.monotonic()
        print(f"restore drill on {kind}", flush=True)
        with tempfile.TemporaryDirectory() as place:
            try:
                drill(kind, Path(place))
            except BaseException:
                log_tail(Path(place))
                raise
        print(f"restore drill on {kind}: passed in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
