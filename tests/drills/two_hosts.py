"""Two hosts drill: of two machines one is lost, and the other goes on; nothing is done twice.

    python -m tests.drills.two_hosts

Three network namespaces stand for three machines: A and B each run web, worker and clock from a
folder of their own; the hall, a third one, has PostgreSQL, Redis and the platform, and whoever
reaches them does so over the network. While customers come and members leave, all processes of the
host whose clock leads are killed; later the cable of the one that leads then is pulled. Needs root
and iproute2.
"""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import psycopg

from bot.jobs import leader as leaders
from bot.sandbox.place import CALLBACKS, Place, make_place
from tests.drills.scene import (
    DAY_SECONDS,
    Arrivals,
    check,
    check_all_transferred,
    check_nothing_twice,
    check_owners,
    copy_code,
    log_tail,
    say,
    start_leaving,
)
from tests.faults.servers import Postgres, fresh_database, own_postgres, own_redis
from tests.sandbox.process import running_sandbox
from tests.stack import ALL, Stack, until
from tests.stories.conftest import QUICK

TAKEOVER_SECONDS = 15
JOB_SECONDS = 0.5
# Where the hall's services listen, and each host's own address behind its own cable.
SERVICES = "10.77.0.1"
ADDRESSES = {"a": "10.77.1.2", "b": "10.77.2.2"}
PORT = 8000
# What the drill itself writes down: the product keeps only the last of each.
DIARY = """
CREATE TABLE drill_lease (id bigserial, holder text, until timestamptz);
CREATE TABLE drill_begin (job text, before timestamptz, struck_at timestamptz);
CREATE FUNCTION drill_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO drill_lease (holder, until) VALUES (NEW.holder, NEW.until); RETURN NEW; END $$;
CREATE FUNCTION drill_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO drill_begin VALUES (NEW.job, NULL, NEW.struck_at); RETURN NEW; END $$;
CREATE FUNCTION drill_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO drill_begin VALUES (NEW.job, OLD.struck_at, NEW.struck_at); RETURN NEW; END $$;
CREATE TRIGGER drill AFTER INSERT OR UPDATE ON lease
    FOR EACH ROW WHEN (NEW.name = 'clock') EXECUTE FUNCTION drill_lease();
CREATE TRIGGER drill_first AFTER INSERT ON job_run FOR EACH ROW EXECUTE FUNCTION drill_first();
CREATE TRIGGER drill_again AFTER UPDATE OF struck_at ON job_run
    FOR EACH ROW EXECUTE FUNCTION drill_again();
"""


class Cables:
    """The namespaces of one drill, and the cables between them."""

    def __init__(self, name: str) -> None:
        self.hall = f"{name}_hall"
        self.hosts = {host: f"{name}_{host}" for host in ADDRESSES}

    def lay(self) -> None:
        """Make the three, with a cable from each host to the hall."""
        _ip("netns", "add", self.hall)
        _ip("-n", self.hall, "link", "set", "lo", "up")
        _ip("-n", self.hall, "addr", "add", f"{SERVICES}/32", "dev", "lo")
        for host, namespace in self.hosts.items():
            net = ADDRESSES[host].rpartition(".")[0]
            _ip("netns", "add", namespace)
            _ip(
                *("link", "add", f"to_{host}", "netns", self.hall),
                *("type", "veth", "peer", "name", "eth0", "netns", namespace),
            )
            _ip("-n", self.hall, "addr", "add", f"{net}.1/24", "dev", f"to_{host}")
            _ip("-n", self.hall, "link", "set", f"to_{host}", "up")
            _ip("-n", namespace, "link", "set", "lo", "up")
            _ip("-n", namespace, "addr", "add", f"{ADDRESSES[host]}/24", "dev", "eth0")
            _ip("-n", namespace, "link", "set", "eth0", "up")
            _ip("-n", namespace, "route", "add", SERVICES, "via", f"{net}.1")

    def remove(self) -> None:
        """Take the namespaces away, and end whatever still runs inside them."""
        for namespace in (*self.hosts.values(), self.hall):
            if not Path("/run/netns", namespace).exists():
                continue
            for process in _ip("netns", "pids", namespace).split():
                os.kill(int(process), signal.SIGKILL)
            _ip("netns", "del", namespace)

    def pull(self, host: str) -> None:
        """From now on nothing goes to the host and nothing comes; nobody is told."""
        _ip("-n", self.hall, "link", "set", f"to_{host}", "down")

    def plug(self, host: str) -> None:
        _ip("-n", self.hall, "link", "set", f"to_{host}", "up")


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Balancer:
    """Sends each customer's callbacks to the next host that is there."""

    def __init__(self, hosts: dict[str, Stack]) -> None:
        self._hosts = hosts
        self.to(*hosts)

    def to(self, *names: str) -> None:
        """Send to these from now on."""
        self._next = cycle(names)

    def meet(self, userid: str, external_userid: str) -> None:
        stack = self._hosts[next(self._next)]
        doors = stack.place.corporation()["callbacks"]
        stack.sandbox.post("/sandbox/callbacks", **{door: doors[door] for door in CALLBACKS})
        stack.meet(userid, external_userid)


@dataclasses.dataclass
class Firm:
    """Both hosts, and what the hall knows of them."""

    hosts: dict[str, Stack]
    cables: Cables
    database_url: str

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as server:
            return server.execute(query.encode()).fetchall()

    def lines(self, event: str) -> list[tuple[datetime, str, dict[str, Any]]]:
        """Return (moment, host, line) of what the clocks logged of one kind, in order."""
        found = []
        for host, stack in self.hosts.items():
            for text in stack.log_file("clock").read_text("utf-8").splitlines():
                line = json.loads(text)
                if line["event"] == event:
                    found.append((datetime.fromisoformat(line["timestamp"]), host, line))
        return sorted(found, key=lambda one: one[0])

    def reigns(self) -> list[tuple[datetime, datetime]]:
        """Return when each holder of the lease took it, and when it was over or will be."""
        query = "SELECT holder, min(until), max(until) FROM drill_lease GROUP BY 1 ORDER BY min(id)"
        return [(first - leaders.DURATION, last) for _, first, last in self.ask(query)]

    def leads(self) -> str:
        """Return the host whose clock took the lease last."""
        taken = len(self.reigns())
        return str(until(lambda: self.lines("clock_leads")[taken - 1 :])[0][1])

    def other(self, host: str) -> str:
        return "b" if host == "a" else "a"


@contextmanager
def two_hosts(folder: Path, cables: Cables) -> Iterator[Firm]:
    """All of Kegui twice, and what both need in the hall, where this process is too."""
    with (
        _hall_servers() as (postgres, queue_url),
        running_sandbox(SERVICES) as sandbox_url,
    ):
        url = fresh_database(postgres, "kegui")
        place = make_place(
            folder,
            sandbox_port=0,
            web_port=PORT,
            WECOM_API_BASE=sandbox_url,
            DATABASE_URL=url,
            QUEUE_URL=queue_url,
            METRICS_BIND="127.0.0.1:9100",
            LOG_LEVEL="DEBUG",
            **QUICK | {"TRANSFER_POLL_SECONDS": str(JOB_SECONDS)},
        )
        hosts = {
            host: _host(dataclasses.replace(place, sandbox_url=sandbox_url), folder, host, cables)
            for host in ADDRESSES
        }
        try:
            yield Firm(hosts, cables, url)
        finally:
            for host, stack in hosts.items():
                cables.plug(host)
                stack.stop()


@contextmanager
def _hall_servers() -> Iterator[tuple[Postgres, str]]:
    with own_postgres(SERVICES) as postgres, own_redis(SERVICES) as queue:
        yield postgres, queue.url


def _host(place: Place, folder: Path, host: str, cables: Cables) -> Stack:
    web_url = f"http://{ADDRESSES[host]}:{PORT}"
    own = folder / host
    for name in ("logs", "tmp"):
        (own / name).mkdir(parents=True)
    addresses = {
        "KEGUI_BIND": f"{ADDRESSES[host]}:{PORT}",
        "KEGUI_PUBLIC_URL": web_url,
        "HOME": str(own),
        "TMPDIR": str(own / "tmp"),
    }
    there = dataclasses.replace(
        place, web_url=web_url, environment={**place.environment, **addresses}
    )
    where = ("ip", "netns", "exec", cables.hosts[host])
    return Stack(there, own / "logs", copy_code(own / "code"), where)


def play(firm: Firm) -> None:
    a, b = firm.hosts["a"], firm.hosts["b"]
    a.reset(retry_interval_seconds=1)
    a.command("migrate")
    with psycopg.connect(firm.database_url, autocommit=True) as server:
        server.execute(DIARY)
    for stack in (a, b):
        stack.start(*ALL)
    until(lambda: a.try_command("sync"))
    until(lambda: len(firm.lines("clock_started")) == 2)
    balancer = Balancer(firm.hosts)
    arrivals = Arrivals(balancer, "any")
    cases = {}

    with arrivals.coming():
        arrivals.have_come(10)
        lost = firm.leads()
        living = firm.hosts[firm.other(lost)]
        cases["early"] = start_leaving(living, "early", 41)
        living.transferred("early", 12)
        fell_at = time.time()
        for name in ALL:
            firm.hosts[lost].kill(name)
        balancer.to(firm.other(lost))
        say(f"every process of {lost} is killed, whose clock led")
        check_takeover(firm, firm.other(lost), fell_at)
        arrivals.have_come(10)
        firm.hosts[lost].start(*ALL)
        balancer.to(*firm.hosts)
        check_follows(firm, lost, started=3)

        arrivals.have_come(10)
        lost = firm.leads()
        living = firm.hosts[firm.other(lost)]
        cases["late"] = start_leaving(living, "late", 42)
        arrivals.have_come(2)
        fell_at = time.time()
        firm.cables.pull(lost)
        balancer.to(firm.other(lost))
        say(f"the cable of {lost} is pulled, whose clock leads")
        check_takeover(firm, firm.other(lost), fell_at)
        check_gave_up(firm, lost, fell_at)
        arrivals.have_come(10)
        firm.cables.plug(lost)
        plugged = time.monotonic()
        until(partial(is_ready, firm.hosts[lost]), 60)
        say(f"plugged in again; its web answers after {time.monotonic() - plugged:.1f} s")
        balancer.to(*firm.hosts)
        check_follows(firm, lost, started=3)
        arrivals.have_come(10)

    finish(firm, arrivals, cases)


def check_takeover(firm: Firm, heir: str, fell_at: float) -> None:
    """The other clock leads in time, and not before the old one's lease is over."""
    before = len(firm.reigns())
    until(lambda: len(firm.lines("clock_leads")) > before, TAKEOVER_SECONDS + 10)
    at, host, _ = firm.lines("clock_leads")[-1]
    seconds = at.timestamp() - fell_at
    check(host == heir, f"{host} leads, not {heir}")
    check(seconds < TAKEOVER_SECONDS, f"the clock of {heir} took over after {seconds:.1f} s")
    say(f"the clock of {heir} leads after {seconds:.1f} s")


def check_gave_up(firm: Firm, lost: str, fell_at: float) -> None:
    """A clock that nobody hears knows by itself that it leads no more."""

    def gave_up() -> datetime | None:
        return next((at for at, host, _ in firm.lines("clock_leads_no_more") if host == lost), None)

    seconds = until(gave_up, TAKEOVER_SECONDS).timestamp() - fell_at
    check(seconds < TAKEOVER_SECONDS, f"the clock of {lost} led on for {seconds:.1f} s")
    say(f"the clock of {lost} gave up by itself after {seconds:.1f} s")


def check_follows(firm: Firm, host: str, started: int) -> None:
    """A host that is back lets the other lead."""
    until(lambda: len(firm.lines("clock_started")) == started, 30)
    reigns = firm.reigns()
    renewals = "SELECT 1 FROM drill_lease"
    seen = len(firm.ask(renewals))
    # Both have looked meanwhile.
    until(lambda: len(firm.ask(renewals)) >= seen + 3, 30)
    check(len(firm.reigns()) == len(reigns), f"{host} is back, and the lead has changed")
    check(firm.leads() != host, f"{host} is back, and leads")
    say(f"{host} is back and follows")


def is_ready(stack: Stack) -> bool:
    try:
        stack.api.get("/alarms")
    except OSError:
        return False
    return True


def finish(firm: Firm, arrivals: Arrivals, cases: dict[str, list[str]]) -> None:
    """Let everything come to its end, and compare the books."""
    stack = firm.hosts["a"]
    began = time.monotonic()
    stack.settled(90)
    stack.pass_time(DAY_SECONDS)
    for leaver in cases:
        stack.case(leaver, "done")
    stack.command("sync")
    stack.settled()
    say(f"everything has ended {time.monotonic() - began:.0f} s later")
    check_nothing_twice(stack)
    told = {str(row["external_userid"]) for row in stack.executed("welcome_sent")}
    check(set(arrivals.met) <= told, f"not told: {sorted(set(arrivals.met) - told)}")
    for leaver, customers in cases.items():
        check_all_transferred(stack, leaver, customers)
    check_owners(stack, arrivals.met)
    for name, other in firm.hosts.items():
        served = sum(
            line.count('"event_settled"')
            for line in other.log_file("worker").read_text("utf-8").splitlines()
        )
        check(served > 0, f"the worker of {name} has done nothing")
    check_jobs(firm)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.faults.checker"),
            *("--sandbox", stack.place.sandbox_url, "--kegui", stack.place.web_url),
        ],
        env={**os.environ, "KEGUI_TOKEN": token_of(stack)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    check(done.returncode == 0, f"the checker says:\n{done.stdout}{done.stderr}")
    say(done.stderr.strip())


def token_of(stack: Stack) -> str:
    return stack.command("token", "create", "--name", "checker", "--scope", "admin")


def check_jobs(firm: Firm) -> None:
    """Reigns do not overlap, and each job began once, under whoever reigned."""
    reigns = firm.reigns()
    for (_, over), (taken, _) in pairwise(reigns):
        check(taken >= over, f"a lease was taken {over - taken} before the last one was over")
    took = [host for _, host, _ in firm.lines("clock_leads")]
    check(len(took) == len(reigns) == 3, f"{took} led, and the lease was taken {len(reigns)} times")
    begins = firm.lines("job_begins")
    for at, host, line in begins:
        reigning = [
            who for who, (taken, over) in zip(took, reigns, strict=True) if taken <= at <= over
        ]
        check(reigning == [host], f"{host} began {line['job']} while {reigning} led")
    twice = firm.ask("SELECT job, before FROM drill_begin GROUP BY job, before HAVING count(*) > 1")
    check(not twice, f"begun twice: {twice}")
    recorded = firm.ask("SELECT job, count(*) FROM drill_begin GROUP BY job")
    for job, times in recorded:
        logged = sum(line["job"] == job for _, _, line in begins)
        # A clock may have been killed between the row and its log line.
        check(times - 1 <= logged <= times, f"{job}: {times} rows, but begun {logged} times")
    number = sum(times for _, times in recorded)
    say(f"{number} beginnings of {len(recorded)} jobs, each under the one clock that led")


def inside(cables: Cables) -> None:
    """Play; this process is in the hall."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with two_hosts(Path(folder), cables) as firm:
                play(firm)
        except BaseException:
            log_tail(Path(folder))
            raise


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    if arguments[:1] == ["--inside"]:
        inside(Cables(arguments[1]))
        return 0
    began = time.monotonic()
    print("two hosts drill", flush=True)
    cables = Cables(f"kegui_{os.getpid()}")
    try:
        if (why := _missing(cables)) is not None:
            print(f"two hosts drill: not run: {why}", flush=True)
            return 1 if os.environ.get("KEGUI_REQUIRE_SERVICES") == "1" else 0
        if code := _play_in_the_hall(cables):
            return code
    finally:
        cables.remove()
    print(f"two hosts drill: passed in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _missing(cables: Cables) -> str | None:
    """Lay the cables; say why that cannot be done."""
    if shutil.which("ip") is None:
        return "the ip command is not there (Debian: apt-get install iproute2)"
    try:
        cables.lay()
    except OSError as error:
        return f"network namespaces cannot be made ({error}); this needs root"
    return None


def _play_in_the_hall(cables: Cables) -> int:
    command = [sys.executable, "-m", "tests.drills.two_hosts", "--inside", cables.hall[:-5]]
    process = subprocess.Popen(["ip", "netns", "exec", cables.hall, *command])
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
