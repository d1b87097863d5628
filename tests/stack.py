"""All of Kegui as real processes beside a running sandbox, for stories told over real HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.sandbox.place import Place, make_place
from bot.sandbox.remote import Remote
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
        time.sleep(0.05)
    return found


class Stack:
    """The processes of one installation, and ways to speak to it and to the sandbox."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.folder = folder
        self.sandbox = Remote(place.sandbox_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {**os.environ, **place.environment}

    def command(self, *arguments: str) -> str:
        """Run one `kegui` command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with self.log_file("commands").open("a") as log:
            log.write(done.stderr)
        return done.stdout.strip()

    def start(self, *names: str) -> None:
        """Start processes; the web process answers when this returns."""
        for name in names:
            with self.log_file(name).open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "bot", name],
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        if "web" in names:
            Remote(self.place.web_url).wait_until_it_answers("/readyz", START_SECONDS)

    def kill(self, name: str) -> None:
        """kill -9 of a process and all its children."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def stop(self) -> None:
        """Ask all processes to end, and see that they do."""
        for process in self.processes.values():
            process.terminate()
        for name, process in self.processes.items():
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
    def api(self) -> Remote:
        """The REST API with an administrator's token."""
        if not hasattr(self, "_api"):
            token = self.command("token", "create", "--name", "tests", "--scope", "admin")
            self._api = Remote(f"{self.place.web_url}/api/v1", token)
        return self._api

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

    def executed(self, effect: str) -> list[dict[str, Any]]:
        """Return every effect of a kind that the platform carried out."""
        return list(self.sandbox.get("/sandbox/executed", effect=effect)["executed"])

    def calls(self, endpoint: str) -> list[dict[str, Any]]:
        """Return every call of an endpoint."""
        return list(self.sandbox.get("/sandbox/calls", endpoint=endpoint)["calls"])

    def settled(self, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until every callback was delivered and every event has ended; return the events."""
        self.sandbox.post("/sandbox/callbacks/wait", timeout_seconds=seconds)
        open_states = ("waiting", "claimed", "failed")
        until(
            lambda: not any(self.api.get("/events", state=one)["items"] for one in open_states),
            seconds,
        )
        return self.api.every("/events")


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
            **settings,
        )
        stack = Stack(place, folder)
        stack.reset()
        stack.command("migrate")
        try:
            stack.start(*(names or ALL))
            yield stack
        finally:
            stack.stop()
