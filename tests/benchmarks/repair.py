"""Repair: plant differences of every kind among many customers, read once, see what was healed.

    python -m tests.benchmarks.repair [sqlite] [postgres] [--members N]

Reads with WeCom's real budgets (20 calls a second for each endpoint, 5 at once).
"""

import argparse
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bot import clock, db, migrations, wiring
from bot.audit.log import Who
from bot.channels import contact_ways
from bot.handover import handovers
from bot.handover import run as handover_run
from bot.kegui import Kegui
from bot.models import (
    Customer,
    Department,
    GroupChat,
    HandoverItem,
    Ownership,
    Relation,
    Staff,
    SyncFinding,
    SyncRun,
)
from bot.sandbox.place import Place, make_place
from bot.sandbox.remote import Remote
from bot.sync import everything, reading
from config import logging, settings
from tests.benchmarks.places import KINDS, storage
from tests.sandbox.process import running_sandbox

MEMBERS, CUSTOMERS_OF_ONE = 1000, 100
BY = Who("benchmark")
HEALED, PERSON = "healed", "person"
# What must come along with what was planted: who joins serves, who leaves serves no more, a moved
# customer is new to the other member.
FOLLOWS = frozenset(
    {"member_serves", "member_serves_no_more", "relation_began_anew", "relation_unknown"}
)
Planted = tuple[str, str, str]


@dataclass
class Firm:
    """A corporation in the sandbox, and a Kegui in this process that reads it."""

    place: Place
    sandbox: Remote
    kegui: Kegui
    members: int
    each: int
    planted: list[Planted] = field(default_factory=list)

    def customer(self, member: int, number: int) -> str:
        return f"wm_{member:04}_{number:03}"

    def userid(self, member: int) -> str:
        return f"m_{member:04}"

    def build(self) -> None:
        """Hire the members in departments of fifty, with their customers and a few groups."""
        self.sandbox.post("/sandbox/reset", **self.place.corporation(transfer_events=[]))
        departments = range(2, 4 + self.members // 50)
        rows: list[dict[str, Any]] = [{"id": n, "name": f"部门{n}"} for n in departments]
        self.sandbox.post("/sandbox/departments", departments=rows)
        rows = [
            {"userid": self.userid(n), "name": f"成员{n}", "departments": [2 + n // 50]}
            for n in range(self.members)
        ]
        rows += [{"userid": f"idle_{n}", "departments": [2], "follow": False} for n in range(20)]
        self.sandbox.post("/sandbox/staff", staff=rows)
        long_ago = int(time.time()) - 30 * 86_400
        for member in range(self.members):
            self.meet(
                member, [self.customer(member, n) for n in range(self.each)], create_time=long_ago
            )
        for n in range(30):
            self.group(n, self.userid(n % self.members))

    def meet(self, member: int, customers: list[str], **more: Any) -> None:
        row = {"userid": self.userid(member), "state": "web", **more}
        rows = [{**row, "external_userid": one} for one in customers]
        self.sandbox.post("/sandbox/customers", customers=rows)

    def group(self, number: int, owner: str) -> None:
        self.sandbox.post(
            "/sandbox/groups", owner=owner, chat_id=f"wr_{number:03}", name="群", silent=True
        )

    def act(self, path: str, **body: Any) -> None:
        self.sandbox.post(f"/sandbox/{path}", **body, deliver={"drop": True})

    def call_as_app(self, endpoint: str, **body: Any) -> None:
        environment = self.place.environment
        asked = {
            "corpid": environment["KEGUI_CORP_ID"],
            "corpsecret": environment["KEGUI_APP_SECRET"],
        }
        token = self.sandbox.get("/cgi-bin/gettoken", **asked)["access_token"]
        answer = self.sandbox.post(f"/cgi-bin/{endpoint}?access_token={token}", **body)
        assert answer["errcode"] == 0, answer

    def expect(self, kind: str, subject: str, outcome: str = HEALED) -> None:
        self.planted.append((kind, subject, outcome))

    def plant(self, times: int) -> None:
        """Make ``times`` differences of each common kind, and some of the rarer ones.

        What changes at WeCom changes without a callback; the rest is edited in Kegui's tables.
        """
        self._of_relations(times)
        self._of_owners(times)
        self._of_members()
        self._of_departments()
        self._of_groups(times)
        self._of_leavers()
        self._of_ways()
        self._of_handovers()

    def _of_relations(self, times: int) -> None:
        now = clock.now()
        for n in range(times):
            new = f"wm_new_{n}"
            self.meet(n % 4, [new])
            self.expect("relation_unknown", new)
            self.expect("owner_missing", new)
            deleted = self.customer(4, n)
            self.act(f"staff/{self.userid(4)}/delete_customer", external_userid=deleted)
            self.expect("relation_ended", deleted)
            edits: list[tuple[int, str, dict[str, Any]]] = [
                (5, "relation_lives", {"state": "ended", "end": "not_listed", "ended_at": now}),
                (6, "relation_began_anew", {"added_at": now - timedelta(days=90)}),
                (7, "half_became_whole", {"state": "half"}),
                (8, "channel_changed", {"channel": "another"}),
            ]
            edits[0][2]["ended_at"] = now - timedelta(hours=1)
            for member, kind, changes in edits:
                subject = self.customer(member, n)
                Relation.update(**changes).where(Relation.external_userid == subject).execute()
                self.expect(kind, subject)
            for member, kind, changes in (
                (9, "name_changed", {"name": "旧名"}),
                (9, "type_changed", {"type": 2}),
            ):
                subject = self.customer(member, n)
                Customer.update(**changes).where(Customer.external_userid == subject).execute()
                self.expect(kind, subject)
        # One whom the customer deleted: WeCom goes on listing it, and nothing differs.
        spared = self.customer(5, times)
        self.act(f"customers/{spared}/delete_member", userid=self.userid(5))
        Relation.finish(spared, self.userid(5), at=now, end="deleted_by_customer")
        unread = self.userid(21)
        self.sandbox.post(
            "/sandbox/faults",
            endpoint="externalcontact/batch/get_by_user",
            errcode=40003,
            match={"userid_list": [unread]},
        )
        self.expect("member_not_readable", unread, PERSON)

    def _of_owners(self, times: int) -> None:
        for n in range(times):
            missing, met, ghost = (self.customer(member, n) for member in (10, 11, 12))
            Ownership.delete().where(Ownership.external_userid == missing).execute()
            self.expect("owner_missing", missing)
            self.meet(13, [met])
            self.act(f"staff/{self.userid(11)}/delete_customer", external_userid=met)
            self.expect("relation_ended", met)
            self.expect("relation_unknown", met)
            self.expect("owner_without_contact", met)
            Ownership.update(userid="ghost").where(Ownership.external_userid == ghost).execute()
            self.expect("owner_gone", ghost)
        for n in range(times, times + 2):
            unclear = self.customer(11, n)
            for member in (13, 14):
                self.meet(member, [unclear])
            self.act(f"staff/{self.userid(11)}/delete_customer", external_userid=unclear)
            self.expect("relation_ended", unclear)
            self.expect("owner_without_contact", unclear, PERSON)

    def _of_members(self) -> None:
        def change(userid: str, kind: str, outcome: str = HEALED, **what: Any) -> None:
            self.sandbox.patch(f"/sandbox/staff/{userid}", **what)
            self.expect(kind, userid, outcome)

        for n in range(3):
            self.sandbox.post(
                "/sandbox/staff", staff=[{"userid": f"joined_{n}", "departments": [2]}]
            )
            self.expect("member_joined", f"joined_{n}")
            change(f"idle_{n}", "member_serves", follow=True)
            change(f"idle_{n + 3}", "member_moved", departments=[3])
            change(f"idle_{n + 6}", "member_renamed", name="新名")
        change(self.userid(15), "leader_changed", direct_leader="m_0001")
        change(self.userid(15), "member_status", status=4)
        change(self.userid(16), "member_serves_no_more", follow=False)
        self.expect("member_without_service", self.userid(16), PERSON)
        change(self.userid(17), "member_not_shown", PERSON, visible=False)
        Staff.update(left_at=clock.now(), status=5).where(Staff.userid == self.userid(18)).execute()
        self.expect("member_returned", self.userid(18))
        self.expect("member_status", self.userid(18))

    def _of_departments(self) -> None:
        for row, kind in (
            ({"id": 900, "name": "新部门"}, "department_unknown"),
            ({"id": 3, "name": "部门3", "parentid": 2}, "department_moved"),
            ({"id": 2, "name": "改名", "department_leader": ["m_0001"]}, "department_renamed"),
        ):
            self.sandbox.post("/sandbox/departments", **row)
            self.expect(kind, str(row["id"]))
        self.expect("department_leaders", "2")
        Department.create(id=901, name="旧部门")
        self.expect("department_gone", "901")

    def _of_groups(self, times: int) -> None:
        for n in range(min(times, 8)):
            self.group(100 + n, self.userid(n % 4))
            self.expect("group_unknown", f"wr_{100 + n}")
            self.act(f"groups/wr_{n:03}/dismiss")
            self.expect("group_dismissed", f"wr_{n:03}")
            self.act(f"groups/wr_{n + 8:03}/change_owner", owner=self.userid(0))
            self.expect("group_owner_changed", f"wr_{n + 8:03}")
        old = clock.now() - timedelta(hours=1)
        GroupChat.update(dismissed_at=old).where(GroupChat.chat_id == "wr_024").execute()
        self.expect("group_lives", "wr_024")

    def _of_leavers(self) -> None:
        for member in (19, 20):
            self.sandbox.post(f"/sandbox/staff/{self.userid(member)}/leave", announce=False)
            self.expect("leaver_unreported", self.userid(member))
        self.group(200, "idle_10")
        GroupChat.create(chat_id="wr_200", owner="idle_10", seen_at=clock.now())
        self.sandbox.post("/sandbox/staff/idle_10/leave", announce=False)
        self.expect("member_left", "idle_10")

    def _of_ways(self) -> None:
        for n in range(4):
            way = contact_ways.make([self.userid(22)], f"way{n}", "", "", BY, self.kegui)
            if n % 2:
                self.call_as_app("externalcontact/del_contact_way", config_id=way.config_id)
                self.expect("contact_way_gone", way.config_id, PERSON)
            else:
                self.call_as_app(
                    "externalcontact/update_contact_way",
                    config_id=way.config_id,
                    user=[self.userid(23)],
                )
                self.expect("contact_way_changed", way.config_id)

    def _of_handovers(self) -> None:
        moved = [self.customer(23, n) for n in range(4)]
        handover = handovers.open_handover(
            self.userid(23),
            moved,
            takeover_userid=self.userid(22),
            source="t",
            by=BY,
            kegui=self.kegui,
        )
        handover_run.advance(handover.id, self.kegui)
        waiting = HandoverItem.select().where(HandoverItem.state == "waiting").count()
        assert waiting == len(moved)
        self.sandbox.post("/sandbox/clock", advance_seconds=86_401)
        for one in moved:
            self.expect("handover_finished", one)

    def calls(self) -> int:
        return sum(sum(codes.values()) for codes in self.sandbox.get("/sandbox/counts").values())


@dataclass
class Result:
    """One reading: what it cost, and what it found beside what was planted."""

    run: SyncRun
    seconds: float
    calls: int
    statements: int
    longest_ms: float
    missed: list[Planted]
    extra: list[Planted]


def read(firm: Firm) -> Result:
    """Read everything once and compare the findings with what was planted."""
    calls, began = firm.calls(), time.monotonic()
    with counted_statements() as counter, timed_transactions() as lengths:
        run = everything.read_everything(firm.kegui)
    seconds = time.monotonic() - began
    found = {
        (one.kind, one.subject, one.outcome)
        for one in SyncFinding.select().where(SyncFinding.run == run.run)
    }
    missed = sorted(set(firm.planted) - found)
    extra = sorted(one for one in found - set(firm.planted) if one[0] not in FOLLOWS)
    return Result(
        run,
        seconds,
        firm.calls() - calls,
        counter["statements"],
        1000 * max(lengths),
        missed,
        extra,
    )


@contextmanager
def counted_statements() -> Iterator[Counter[str]]:
    """Count all that is sent to the database."""
    counter: Counter[str] = Counter()
    made = db.database.obj
    execute = made.execute_sql

    def counting(*arguments: Any, **more: Any) -> Any:
        counter["statements"] += 1
        return execute(*arguments, **more)

    made.execute_sql = counting
    try:
        yield counter
    finally:
        del made.execute_sql


@contextmanager
def timed_transactions() -> Iterator[list[float]]:
    """Measure how long the reading's transactions last: so long others wait on SQLite."""
    lengths = [0.0]

    @contextmanager
    def timed() -> Iterator[None]:
        with db.transaction():
            began = time.monotonic()
            yield
        lengths.append(time.monotonic() - began)

    with patch.object(reading, "transaction", timed):
        yield lengths


def make_firm(
    folder: Path, sandbox_url: str, url: str, queue_url: str, members: int, each: int, **more: str
) -> Firm:
    """Connect a Kegui to an empty, migrated database and to a sandbox with a new corporation."""
    place = make_place(
        folder,
        sandbox_port=int(sandbox_url.rpartition(":")[2]),
        web_port=9,  # nobody listens: no callback ever arrives
        DATABASE_URL=url,
        QUEUE_URL=queue_url,
        **more,
    )
    kegui = wiring.make_kegui(settings.load(dict(place.environment)))
    return Firm(place, Remote(sandbox_url), kegui, members, each)


def measure(kind: str, members: int, times: int) -> bool:
    """Import, plant, repair, and repair again: the second time nothing is left to heal."""
    with storage(kind) as (folder, url, queue_url), running_sandbox() as sandbox_url:
        made = db.connect(url)
        migrations.up()
        try:
            firm = make_firm(folder, sandbox_url, url, queue_url, members, CUSTOMERS_OF_ONE)
            with db.connection():
                return _measure(kind, firm, times)
        finally:
            made.close_all()


def _measure(kind: str, firm: Firm, times: int) -> bool:
    firm.build()
    show(f"{kind}: import", read(firm))
    if kind == "postgres":
        # What autovacuum does by itself, where it is on.
        db.database.execute_sql("ANALYZE")
    firm.plant(times)
    first = read(firm)
    show(f"{kind}: repair, {len(firm.planted)} planted", first)
    again = read(firm)
    show(f"{kind}: repair again", again)
    healed_again = [one for one in again.extra if one[2] == HEALED]
    still = {one for one in firm.planted if one[2] == HEALED} - set(again.missed)
    print("missed", first.missed, "not planted", first.extra)
    print("healed twice", healed_again, sorted(still))
    return not (first.missed or first.extra or healed_again or still)


def show(title: str, result: Result) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{title}: {result.run.customers} customers, {result.run.members} members,"
        f" {result.seconds:.0f} s, {result.calls} calls, {result.statements} statements,"
        f" longest transaction {result.longest_ms:.0f} ms, peak memory {peak:.0f} MB",
        flush=True,
    )


def main() -> int:
    logging.configure("ERROR")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--members", type=int, default=MEMBERS, help="with 100 customers each")
    asked = parser.parse_args()
    results = [measure(kind, asked.members, times=12) for kind in asked.kinds or KINDS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
