"""Play one seed: a busy time with faults, then all is mended, ends, and is checked."""

import http.client
import json
import shutil
import sqlite3
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg

from bot.sandbox.place import make_place
from bot.sandbox.remote import Remote, RemoteError
from tests import children
from tests.faults.line import Line
from tests.faults.plan import LEAVING, RENAMED, Moment, Plan
from tests.faults.servers import Postgres, Redis, fresh_database
from tests.sandbox.process import running_sandbox
from tests.stack import ALL, Stack, free_port, until

SETTINGS = {
    "API_PER_SECOND": "500",
    "API_PARALLEL": "20",
    "WELCOME_PARALLEL": "16",
    "TRANSFER_POLL_SECONDS": "1",
    "INBOX_RETRY_SECONDS": "1,1,2,2,2,2,2,2",
    "OPERATORS": "operator",
}
# What a member may get in a minute is WeCom's own limit, and not what is tried here.
SWITCHES = {
    "messages_per_minute": 1000,
    "messages_per_hour": 10_000,
    "retry_interval_seconds": 1,
    "group_lag_seconds": 2,
}
DAY_AND_A_BIT = 86_500
ROUNDS = 8
SETTLE_SECONDS = 90
OPEN_EVENTS = "state IN ('waiting', 'claimed', 'failed')"


@dataclass
class Servers:
    """The PostgreSQL and the Redis that a seed may kill."""

    postgres: Postgres
    redis: Redis


@dataclass
class Result:
    """How a seed ended."""

    seed: int
    violations: list[str]
    summary: str
    seconds: float
    folder: Path | None = None


@dataclass
class Play:
    """One seed's installation, and what is still to be mended in it."""

    stack: Stack
    line: Line
    servers: Servers | None
    undone: list[Moment] = field(default_factory=list)
    is_renamed: bool = False
    log: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.log.append(f"{datetime.now(UTC):%H:%M:%S.%f} {text}")

    # People

    def act(self, moment: Moment) -> None:
        """Let people do what the plan says; what Kegui cannot take now is tried again later."""
        self.note(f"{moment.name} {moment.what}")
        try:
            what = {name: self._present(value) for name, value in moment.what.items()}
            getattr(self, f"_{moment.name}")(**what)
        except (OSError, http.client.HTTPException, Unanswered):
            self.note("not done")
            self.undone.append(moment)
        except RemoteError as error:
            # The sandbox says that these two cannot: they never met, or know each other.
            self.note(f"not possible: {error}")

    def _meet(self, **row: Any) -> None:
        self.stack.sandbox.post("/sandbox/customers", **row)

    def _agree(self, external_userid: str, **row: Any) -> None:
        self.stack.sandbox.post(f"/sandbox/customers/{external_userid}/agree", **row)

    def _edit(self, userid: str, **row: Any) -> None:
        self.stack.sandbox.post(f"/sandbox/staff/{userid}/edit_customer", **row)

    def _group(self, **row: Any) -> None:
        self.stack.sandbox.post("/sandbox/groups", **row)

    def _regroup(self, chat_id: str, owner: str) -> None:
        self.stack.sandbox.post(f"/sandbox/groups/{chat_id}/change_owner", owner=owner)

    def _part(self, how: str, external_userid: str, userid: str, **row: Any) -> None:
        whose = f"customers/{external_userid}" if how == "delete_member" else f"staff/{userid}"
        who = {"external_userid": external_userid, "userid": userid}
        self.stack.sandbox.post(f"/sandbox/{whose}/{how}", **who, **row)

    def _rename(self, userid: str, **row: Any) -> None:
        self.stack.sandbox.post(f"/sandbox/staff/{userid}/rename", **row)
        self.is_renamed = True

    def _present(self, value: Any) -> Any:
        """Whoever speaks of a member who was renamed uses the new userid from then on."""
        return RENAMED[1] if self.is_renamed and value == RENAMED[0] else value

    def answer_questions(self) -> None:
        """As an operator: the event of a new userid may have been lost."""
        api = Remote(f"{self.stack.place.web_url}/api/v1", self.token)
        asked = [one["kind"] for one in api.get("/alarms", state="open")["items"]]
        if "member_maybe_renamed" in asked:
            self.note(self.stack.command("rename-member", *RENAMED))
            self.read_everything()
            self.wait_for_events()

    def _move(self, **row: Any) -> None:
        self._ask("/handovers", **row)

    def _leave(self, userid: str, how: str, deliver: dict[str, Any] | None = None) -> None:
        if how != "gone":
            today = datetime.now(UTC) + timedelta(hours=8)
            body = {"userid": userid, "last_day": today.date().isoformat(), "mode": "auto"}
            self._ask("/offboardings", **body)
        if how != "offboarded":
            self.stack.sandbox.post(
                f"/sandbox/staff/{userid}/leave", **({"deliver": deliver} if deliver else {})
            )

    def _ask(self, path: str, **body: Any) -> None:
        """POST to Kegui; the same wish always carries the same Idempotency-Key."""
        sent = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.stack.place.web_url}/api/v1{path}",
            sent,
            {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Idempotency-Key": f"{path} {sorted(body.items())}"[:255],
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            problem = error.read().decode(errors="replace")
            self.note(f"{error.code} {problem}")
            if error.code >= 500 or error.code == 409:
                raise Unanswered from None
            raise AssertionError(f"{path} {body}: {error.code} {problem}") from None

    @property
    def token(self) -> str:
        if not hasattr(self, "_token"):
            self._token = self.stack.command(
                "token", "create", "--name", "faults", "--scope", "admin"
            )
        return self._token

    # Troubles

    def strike(self, moment: Moment) -> Callable[[], None]:
        """Begin a trouble; gives what ends it."""
        what = {name: one for name, one in moment.what.items() if name not in ("seconds", "lift")}
        begin = getattr(self, f"_strike_{moment.name}", None)
        self.note(f"strike {moment.name} {moment.what}")
        end: Callable[[], None] = begin() if begin else self._strike_fault(**what)
        lift = moment.what.get("lift", False)

        def ended() -> None:
            self.note(f"end {moment.name}")
            end()
            if lift:
                self.lift_pauses()

        return ended

    def _strike_fault(self, **what: Any) -> Callable[[], None]:
        endpoint = what.pop("endpoint", "*")
        self.stack.sandbox.post("/sandbox/faults", endpoint=endpoint, **what)
        return lambda: self.stack.sandbox.delete("/sandbox/faults")

    def _strike_token_revoked(self) -> Callable[[], None]:
        self.stack.sandbox.post("/sandbox/tokens/revoke")
        return lambda: None

    def _strike_secret_changed(self) -> Callable[[], None]:
        end = self._strike_fault(endpoint="gettoken", errcode=40001)
        self._strike_token_revoked()
        return end

    def _strike_refused(self) -> Callable[[], None]:
        self.line.cut()
        return self.line.mend

    def _strike_half_open(self) -> Callable[[], None]:
        self.line.hush()
        return self.line.mend

    def _strike_kill_web(self) -> Callable[[], None]:
        return self._kill("web")

    def _strike_kill_worker(self) -> Callable[[], None]:
        return self._kill("worker")

    def _strike_kill_clock(self) -> Callable[[], None]:
        return self._kill("clock")

    def _kill(self, name: str) -> Callable[[], None]:
        if name in self.stack.processes:
            self.stack.kill(name)
        return lambda: self._launch(name)

    def _launch(self, name: str) -> None:
        if name not in self.stack.processes:
            self.stack.launch(name)

    def _strike_two_workers(self) -> Callable[[], None]:
        self._launch("worker 2")
        return lambda: self.stack.kill("worker 2")

    def _strike_two_clocks(self) -> Callable[[], None]:
        # The second one stays until the end.
        self._launch("clock 2")
        return lambda: None

    def _strike_held_and_shuffled(self) -> Callable[[], None]:
        self.stack.sandbox.post("/sandbox/callbacks/keep-back")
        return lambda: self.stack.sandbox.post("/sandbox/callbacks/release", order="shuffled")

    def _strike_postgres(self) -> Callable[[], None]:
        assert self.servers is not None
        self.servers.postgres.stop()
        return self.servers.postgres.start

    def _strike_redis(self) -> Callable[[], None]:
        assert self.servers is not None
        self.servers.redis.stop()
        return self.servers.redis.start

    # Mending

    def lift_pauses(self) -> None:
        """As an operator who has mended the cause: nothing need wait any longer."""
        api = Remote(f"{self.stack.place.web_url}/api/v1", self.token)
        try:
            for pause in api.get("/pauses")["items"]:
                api.post(f"/pauses/{quote(pause['name'])}/lift")
        except (OSError, http.client.HTTPException, RemoteError) as error:
            self.note(f"pauses not lifted: {type(error).__name__}")

    def let_a_minute_pass(self) -> None:
        """Kegui's clock cannot be moved: what it remembers of the adds is made older instead."""
        before = _now(timedelta(seconds=-61))
        self._write(f"UPDATE relation SET last_add_at = '{before}' WHERE last_add_at > '{before}'")

    def let_crashed_requests_run_out(self) -> None:
        """An Idempotency-Key whose process was killed is free after a minute."""
        self._write(
            f"UPDATE idempotency_key SET created_at = '{_now(timedelta(minutes=-2))}'"
            " WHERE status IS NULL"
        )

    def _write(self, *statements: str) -> None:
        """Write to Kegui's database; a server that is away is waited for."""
        url = self.stack.place.environment["KEGUI_DATABASE_URL"]

        def written() -> bool:
            try:
                if url.startswith("sqlite"):
                    with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20) as database:
                        for statement in statements:
                            database.execute(statement)
                    database.close()
                else:
                    with psycopg.connect(url, autocommit=True) as server:
                        for statement in statements:
                            server.execute(statement.encode())
            except psycopg.OperationalError:
                return False
            return True

        until(written)

    def _count(self, what: str) -> int:
        url = self.stack.place.environment["KEGUI_DATABASE_URL"]
        if url.startswith("sqlite"):
            database = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
            try:
                return int(database.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0])
            finally:
                database.close()
        with psycopg.connect(url) as server:
            row = server.execute(f"SELECT COUNT(*) FROM {what}".encode()).fetchone()
            return int(row[0]) if row else 0

    def mend(self) -> None:
        """Everything runs again, and nothing is paused.

        Workers and clocks die once more, so that all their leases may end at once: the half
        minute for which a dead worker's claim lasts is not waited for.
        """
        self.line.mend()
        self.stack.sandbox.delete("/sandbox/faults")
        for name in [one for one in self.stack.processes if one != "web"]:
            self.stack.kill(name)
        past = _now(timedelta(seconds=-1))
        self._write(
            f"UPDATE inbox_event SET lease_until = '{past}' WHERE state = 'claimed'",
            f"UPDATE effect SET lease_until = '{past}' WHERE state = 'started'",
            "DELETE FROM lease",
        )
        for name in ALL:
            self._launch(name)
        with suppress(RemoteError):
            self.stack.sandbox.post("/sandbox/callbacks/release", order="shuffled")
        until(self._web_is_ready, 60)
        self.lift_pauses()

    def _web_is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.stack.place.web_url}/readyz", timeout=5):
                return True
        except (OSError, http.client.HTTPException):
            return False

    def bring_to_an_end(self) -> None:
        """Work off what is open, read everything, let the platform's days pass."""
        self.wait_for_events()
        self.let_crashed_requests_run_out()
        for _ in range(5):
            again, self.undone = self.undone, []
            for moment in again:
                self.act(moment)
            if not self.undone:
                break
            time.sleep(1)
        assert not self.undone, f"Kegui never took {self.undone}"
        self.read_everything()
        self.wait_for_events()
        self.answer_questions()
        for number in range(ROUNDS):
            until(self._is_all_asked_for, 40)
            self.stack.pass_time(DAY_AND_A_BIT)
            self.wait_for_events()
            if not self._open_cases():
                break
            if number:
                self.stack.run_jobs("readings.unassigned")
        self.read_everything()
        self.wait_for_events()
        until(self._settled_conflicts_are_told, 30)
        self.let_a_minute_pass()
        self.stack.run_jobs("notices.send_digests")

    def read_everything(self) -> None:
        """Strike the nightly and the hourly reading now, and the jobs that tell people."""
        readings = "sync_run WHERE finished_at IS NOT NULL"
        before = self._count(readings)

        def read() -> bool:
            self.stack.run_jobs(
                "readings.everything", "readings.unassigned", "conflicts.wake_untold"
            )
            # Another process may have been reading.
            return self._count(readings) > before

        until(read, 60)

    def wait_for_events(self) -> None:
        """Wait until no callback is under way and no event is open."""
        self.stack.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=30)
        end = time.monotonic() + SETTLE_SECONDS
        lifted = time.monotonic()
        while self._count(f"inbox_event WHERE {OPEN_EVENTS}"):
            if time.monotonic() > end:
                self.note("some events never end")
                return
            if time.monotonic() - lifted > 5:
                lifted = time.monotonic()
                self.lift_pauses()
            time.sleep(0.2)

    def _is_all_asked_for(self) -> bool:
        """Whether every case waits only for WeCom, or is over."""
        return not self._count(
            "handover WHERE state IN ('planned', 'scheduled')"
        ) and not self._count(
            "handover_item WHERE state IN ('planned', 'submitted') AND handover_id IN"
            " (SELECT id FROM handover WHERE state = 'running')"
        )

    def _open_cases(self) -> int:
        states = "('planned', 'awaiting_approval', 'scheduled', 'running')"

        def settled() -> bool:
            return not self._count(f"handover WHERE state IN {states}")

        with suppress(TimeoutError):
            until(settled, 6)
        return self._count(f"handover WHERE state IN {states}")

    def _settled_conflicts_are_told(self) -> bool:
        return not self._count("conflict WHERE state = 'resolved' AND told_at IS NULL")

    def check(self) -> tuple[list[str], str]:
        """Run the checker as the program that it is."""
        done = children.kegui(
            *("--sandbox", self.stack.place.sandbox_url),
            *("--kegui", self.stack.place.web_url),
            *("--gap-seconds", "0"),
            environment={"KEGUI_TOKEN": self.token},
            program="tests.faults.checker",
        )
        found = done.stdout.splitlines()
        assert done.returncode == (1 if found else 0), done.stderr
        return found, done.stderr.strip()


class Unanswered(Exception):
    """Kegui could not take a wish now: whoever has it asks again."""


def _now(shift: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + shift).isoformat(sep=" ", timespec="microseconds")


def play(plan: Plan, servers: Servers | None = None, keep: Path | None = None) -> Result:
    """Play one seed on SQLite, or on the servers given.

    Args:
        keep: where the folder of a seed with violations is kept, to look into.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"kegui_seed_{plan.seed}_"))
    try:
        with _installation(folder, servers) as stage:
            try:
                _set_the_stage(stage, plan)
                _busy_time(stage, plan)
                stage.mend()
                stage.bring_to_an_end()
                violations, summary = stage.check()
            finally:
                (folder / "story.txt").write_text("\n".join(stage.log), "utf-8")
                if keep is not None:
                    _save_books(stage, folder)
        seconds = time.monotonic() - began
        result = Result(plan.seed, violations, summary, seconds)
        if violations and keep is not None:
            result.folder = keep / f"seed_{plan.seed}_{uuid4().hex[:4]}"
            shutil.copytree(folder, result.folder)
        return result
    except BaseException:
        if keep is not None:
            shutil.copytree(folder, keep / f"seed_{plan.seed}_{uuid4().hex[:4]}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _save_books(stage: Play, folder: Path) -> None:
    for book in ("calls", "executed", "events", "deliveries"):
        rows = stage.stack.sandbox.get(f"/sandbox/{book}")[book]
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{book}.jsonl").write_text(text, "utf-8")


@contextmanager
def _installation(folder: Path, servers: Servers | None) -> Iterator[Play]:
    """All of Kegui and a sandbox, with a line between them."""
    url = f"sqlite:///{folder}/kegui.db"
    queue_url = url
    if servers is not None:
        url = fresh_database(servers.postgres, f"seed_{uuid4().hex[:12]}")
        queue_url = servers.redis.url
    with running_sandbox() as sandbox_url:
        port = int(sandbox_url.rpartition(":")[2])
        line = Line(free_port(), port)
        place = make_place(
            folder,
            sandbox_port=port,
            web_port=free_port(),
            DATABASE_URL=url,
            QUEUE_URL=queue_url,
            WECOM_API_BASE=f"http://127.0.0.1:{line.port}",
            **SETTINGS,
        )
        stack = Stack(place, folder)
        try:
            stack.reset(**SWITCHES)
            stack.command("migrate")
            stack.start(*ALL)
            yield Play(stack, line, servers)
        finally:
            stack.stop()
            line.close()


def _set_the_stage(stage: Play, plan: Plan) -> None:
    """Six members, two of whom will leave, with customers and groups of long ago."""
    stack = stage.stack
    stack.sandbox.patch("/sandbox/switches", **plan.switches)
    people = [{"userid": one, "departments": [2]} for one in ("zhaoliu", *LEAVING)]
    operator = {"userid": "operator", "departments": [1], "follow": False}
    stack.sandbox.post("/sandbox/staff", staff=[*people, operator])
    for userid, customers in plan.old_customers.items():
        stack.customers(userid, customers)
    for number, leaver in enumerate(LEAVING):
        stack.sandbox.post("/sandbox/groups", owner=leaver, name=f"老群{number}", silent=True)
    until(lambda: stack.try_command("sync"))
    assert stage.token


def _busy_time(stage: Play, plan: Plan) -> None:
    """Play the plan's moments at their times; whatever takes long delays the next ones."""
    began = time.monotonic()
    coming: list[tuple[float, int, Callable[[], object]]] = []

    def add(at: float, act: Callable[[], object]) -> None:
        coming.append((at, len(coming), act))

    def begin(moment: Moment) -> None:
        end = stage.strike(moment)
        coming.append((time.monotonic() - began + moment.what["seconds"], 10_000, end))

    for moment in plan.acts:
        add(moment.at, lambda moment=moment: stage.act(moment))  # type: ignore[misc]
    for moment in plan.troubles:
        add(moment.at, lambda moment=moment: begin(moment))  # type: ignore[misc]
    while coming:
        coming.sort(key=lambda one: one[:2])
        at, _, act = coming.pop(0)
        time.sleep(max(0.0, at - (time.monotonic() - began)))
        act()
