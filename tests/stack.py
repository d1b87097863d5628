"""All of Kegui as real processes beside a running sandbox, for stories told over real HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.sandbox.place import Place, make_place
from bot.sandbox.remote import Remote
from tests.children import Child, kegui
from tests.sandbox.process import running_sandbox

START_SECONDS = 30
ALL = ("web", "worker", "clock")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for ``holds`` to give something true, and return that.

    Raises:
        TimeoutError: it stayed false.
    """
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            raise TimeoutError(f"still false after {seconds} s")
        time.sleep(0.1)
    return found


class MovedClock:
    """The clock of processes that start with ``environment``: it can be set while they run."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "moved_clock"
        self.set(0)
        paths = (Path(__file__).parent / "moved_clock", Path.cwd())
        self.environment = {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "MOVED_CLOCK_FILE": str(self._file),
        }

    def set(self, seconds: float) -> None:
        """Set the clock so many seconds away from the real one."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


class Stack:
    """The processes of one installation, and ways to speak to it and to the sandbox.

    Args:
        code: where the processes' code stands, if not here.
        where: what stands before each command, to run it in another place.
    """

    def __init__(
        self, place: Place, folder: Path, code: Path | None = None, where: Sequence[str] = ()
    ) -> None:
        self.place = place
        self.folder = folder
        self.code = code
        self.where = where
        self.sandbox = Remote(place.sandbox_url)
        self.processes: dict[str, Child | subprocess.Popen[bytes]] = {}
        self._seen = 0
        self.environment = {**os.environ, **place.environment}

    @contextmanager
    def clock_asleep(self) -> Iterator[None]:
        """Let several things happen, and be answered, before anything is planned again."""
        # Ended and not stopped by a signal: it could hold a lease or SQLite's write lock.
        self.processes["clock"].terminate()
        self._wait("clock")
        try:
            # What the clock woke before must be over: it would plan with a part of them.
            self._program(
                "import time\nfrom bot.db import connection\n"
                "from bot.models import Lease\nfrom bot.queue import Lane\n"
                "def is_at_work():\n"
                "    handed = Lease.name.startswith('handover of ')\n"
                "    with connection():\n"
                "        is_handing_over = Lease.select().where(handed).exists()\n"
                "    return is_handing_over or kegui.queue.sizes()[Lane.WORK]\n"
                "while is_at_work() or time.sleep(0.3) or is_at_work():\n    time.sleep(0.1)\n"
            )
            yield
        finally:
            self.launch("clock")

    def command(self, *arguments: str) -> str:
        """Run one `kegui` command to its end and return what it printed."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def try_command(self, *arguments: str) -> bool:
        """Run one `kegui` command to its end; whether it succeeded."""
        return self._run(*arguments).returncode == 0

    @property
    def _can_fork(self) -> bool:
        """Whether its processes run the code that stands here, and on this machine."""
        return not self.where and self.code is None

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        if self._can_fork:
            done = kegui(*arguments, environment=self.environment)
        else:
            done = subprocess.run(
                [*self.where, sys.executable, "-m", "bot", *arguments],
                env=self.environment,
                cwd=self.code,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        with self.log_file("commands").open("a") as log:
            log.write(done.stderr)
        return done

    def start(self, *names: str) -> None:
        """Start processes; the web process answers when this returns."""
        for name in names:
            self.launch(name)
        if "web" in names:
            Remote(self.place.web_url).wait_until_it_answers("/readyz", START_SECONDS)

    def launch(self, name: str) -> None:
        """Start a process and wait for nothing; ``worker 2`` is a second worker."""
        program = name.partition(" ")[0]
        if self._can_fork:
            log_file = self.log_file(name)
            self.processes[name] = Child("bot", [program], self.environment, log_file)
            return
        with self.log_file(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.where, sys.executable, "-m", "bot", program],
                env=self.environment,
                cwd=self.code,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """kill -9 of a process and all its children."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def stop(self) -> None:
        """Ask all processes to end, and see that they do."""
        for process in self.processes.values():
            process.terminate()
        for name in self.processes:
            self._wait(name)

    def _wait(self, name: str) -> None:
        process = self.processes[name]
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"{name} did not end by itself") from None

    def log_file(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def logs(self) -> str:
        """Return all that was logged so far."""
        return "\n".join(
            path.read_text("utf-8", "replace") for path in sorted(self.folder.glob("*.log"))
        )

    @property
    def metrics_url(self) -> str:
        return f"http://{self.place.environment['KEGUI_METRICS_BIND']}/metrics"

    @property
    def api(self) -> Remote:
        """The REST API with an administrator's token."""
        if not hasattr(self, "_api"):
            # Two stacks may stand over one database, and a name is taken once.
            name = f"tests of {self.place.web_url}"
            token = self.command("token", "create", "--name", name, "--scope", "admin")
            self._api = Remote(f"{self.place.web_url}/api/v1", token)
        return self._api

    def fault(self, endpoint: str, **what: Any) -> None:
        """Let calls of an endpoint go wrong, or slowly."""
        self.sandbox.post("/sandbox/faults", endpoint=f"externalcontact/{endpoint}", **what)

    def reset(self, **switches: Any) -> None:
        """Begin the corporation anew, with three members of one department and their leader."""
        self.sandbox.post("/sandbox/reset", **self.place.corporation(**switches))
        self.sandbox.post(
            "/sandbox/departments", id=2, name="理财一部", department_leader=["manager"]
        )
        self.sandbox.post(
            "/sandbox/staff",
            staff=[
                {"userid": userid, "name": name, "departments": [2]}
                for userid, name in (("zhangsan", "张三"), ("lisi", "李四"), ("wangwu", "王五"))
            ]
            + [{"userid": "manager", "name": "陈经理", "departments": [2], "follow": False}],
        )

    def begin(self, **switches: Any) -> None:
        """Begin the corporation anew, for the next story; what Kegui remembers stays."""
        self.reset(**switches)
        # With the old corporation its tokens went: let Kegui get a new one before the story.
        way = self.api.post("/contact-ways", userids=["zhangsan"], state="begin")
        self.api.delete(f"/contact-ways/{way['id']}")
        latest = self.api.get("/events", limit=1)["items"]
        self._seen = latest[0]["id"] if latest else 0

    def hire(self, *userids: str, department: int, **more: Any) -> None:
        """Let members join a department of their own; Kegui does not know yet."""
        self.sandbox.post("/sandbox/departments", id=department, name=f"部门{department}")
        self.sandbox.post(
            "/sandbox/staff",
            staff=[{"userid": userid, "departments": [department], **more} for userid in userids],
        )

    def meet(self, userid: str, external_userid: str, **more: Any) -> dict[str, Any]:
        """Let a customer add a member."""
        return dict(
            self.sandbox.post(
                "/sandbox/customers", userid=userid, external_userid=external_userid, **more
            )
        )

    def customers(self, userid: str, external_userids: Iterable[str]) -> None:
        """Give a member customers of long ago, of whom no callback ever spoke."""
        self.sandbox.post(
            "/sandbox/customers",
            customers=[{"userid": userid, "external_userid": one} for one in external_userids],
        )

    def call_as_app(self, endpoint: str, **body: Any) -> dict[str, Any]:
        """Call WeCom's API as the firm's own app, but not through Kegui."""
        settings = self.place.environment
        asked = {"corpid": settings["KEGUI_CORP_ID"], "corpsecret": settings["KEGUI_APP_SECRET"]}
        token = self.sandbox.get("/cgi-bin/gettoken", **asked)["access_token"]
        return dict(self.sandbox.post(f"/cgi-bin/{endpoint}?access_token={token}", **body))

    def pass_time(self, seconds: float) -> None:
        """Let the platform's clock jump; Kegui's own does not."""
        self.sandbox.post("/sandbox/clock", advance_seconds=seconds)

    def run_job(self, module: str, job: str) -> None:
        """Run one job of the schedule now."""
        self.run_jobs(f"{module}.{job}")

    def run_jobs(self, *jobs: str) -> None:
        """Run jobs of the schedule now, one after the other, by their names."""
        self._program(
            "from bot import jobs\nfrom bot.capabilities import JOBS\n"
            "known = {job.name: job for job in JOBS}\n"
            f"for name in {jobs!r}:\n"
            "    jobs.run_once(known[name], kegui)\n"
        )

    def _program(self, text: str) -> None:
        """Run some lines to their end in a process of Kegui's own, with ``kegui`` at hand."""
        program = (
            "from bot import wiring\nfrom config import logging, settings\n"
            "loaded = settings.load()\nlogging.configure(loaded.log_level)\n"
            f"wiring.connect(loaded)\nkegui = wiring.make_kegui(loaded)\n{text}"
        )
        script = self.folder / "program.py"
        script.write_text(program)
        done = kegui(environment=self.environment, program=str(script))
        with self.log_file("jobs").open("a") as log:
            log.write(done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr

    def executed(self, effect: str, **equal: str) -> list[dict[str, Any]]:
        """Return every effect of a kind that the platform carried out."""
        return list(self.sandbox.get("/sandbox/executed", effect=effect, **equal)["executed"])

    def calls(self, endpoint: str) -> list[dict[str, Any]]:
        """Return every call of an endpoint."""
        return list(self.sandbox.get("/sandbox/calls", endpoint=endpoint)["calls"])

    def told(self, userid: str) -> list[str]:
        """Return the texts of the app messages that a member got."""
        return [str(row["content"]) for row in self.executed("app_message", recipient=userid)]

    def told_of_conflicts(self, customer: str = "") -> list[str]:
        """Return who got a message about a conflict, of one customer by name or of any.

        What an earlier story left to be told, and the digests, come when they like.
        """
        told = [(row["recipient"], str(row["content"])) for row in self.executed("app_message")]
        return [str(userid) for userid, text in told if "撞单" in text and customer in text]

    def timeline(self, external_userid: str, kind: str) -> list[dict[str, Any]]:
        """Return what of one kind happened with a customer."""
        entries = self.api.every(f"/customers/{external_userid}/timeline")
        return [entry for entry in entries if entry["kind"] == kind]

    def case(self, userid: str, *states: str) -> dict[str, Any]:
        """Wait until the only offboarding of a member is in one of the states, and return it."""
        [case] = until(lambda: self.api.get("/offboardings", userid=userid)["items"])
        return self.reached(case, *states)

    def reached(self, case: dict[str, Any], *states: str) -> dict[str, Any]:
        """Wait until a case is in one of the states, and return it."""
        kind = "offboardings" if case["kind"] == "offboarding" else "handovers"

        def found() -> dict[str, Any] | None:
            now = self.api.get(f"/{kind}/{case['id']}")
            return dict(now) if now["state"] in states else None

        return dict(until(found, 60))

    def owner(self, external_userid: str) -> str | None:
        """Return whose customer it is."""
        owner = self.api.get(f"/customers/{external_userid}")["owner"]
        return str(owner["userid"]) if owner else None

    def offboard(self, userid: str, successors: Iterable[str] = (), **more: Any) -> dict[str, Any]:
        """Open the offboarding of a member whose last day is today, with nobody's approval."""
        today = datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat()
        asked = {"userid": userid, "last_day": today, "mode": "auto"} | more
        return dict(self.api.post("/offboardings", successors=list(successors), **asked))

    def items(self, case: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the items of a case, all of them."""
        path = "offboardings" if case["kind"] == "offboarding" else "handovers"
        return self.api.every(f"/{path}/{case['id']}/items")

    def has_executed(self, effect: str, count: int, **equal: str) -> None:
        """Wait until the platform has carried out so many effects of a kind."""
        until(lambda: len(self.executed(effect, **equal)) >= count, 60)

    def has_called(self, endpoint: str, count: int) -> None:
        """Wait until so many calls of an endpoint were answered."""
        until(lambda: len(self.calls(endpoint)) >= count, 60)

    def transferred(self, userid: str, count: int) -> None:
        """Wait until the platform has accepted so many transfers of a member's customers."""
        self.has_executed("transfer_started", count, handover=userid)

    def settled(self, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until every callback was delivered and every event has ended.

        Returns the events since the beginning of the story, the latest first.
        """
        self.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=seconds)
        return list(until(self._ended_events, seconds))

    def _ended_events(self) -> list[dict[str, Any]]:
        """All events since the beginning, or none while one is open.

        They are seen at once, because an open event goes from state to state.
        """
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.api.get("/events", limit=200, **({"cursor": cursor} if cursor else {}))
            found += [event for event in page["items"] if event["id"] > self._seen]
            cursor = None if page["items"][-1:] != found[-1:] else page["next_cursor"]
        is_open = {"waiting", "claimed", "failed"}.intersection(event["state"] for event in found)
        return [] if is_open else found


@contextmanager
def running_stack(
    folder: Path, database_url: str, queue_url: str, *names: str, **settings: str
) -> Iterator[Stack]:
    """Start a sandbox and the named processes (all, if none is named) on a migrated database."""
    with running_sandbox() as sandbox_url:
        place = make_place(
            folder,
            sandbox_port=int(sandbox_url.rpartition(":")[2]),
            web_port=free_port(),
            DATABASE_URL=database_url,
            QUEUE_URL=queue_url,
            **{"METRICS_BIND": f"127.0.0.1:{free_port()}"} | settings,
        )
        stack = Stack(place, folder)
        stack.reset()
        stack.command("migrate")
        try:
            stack.start(*(names or ALL))
            yield stack
        finally:
            stack.stop()
